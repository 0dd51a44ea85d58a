"""Names of persons where ids of patients are expected, and the pseudonyms that stand for them."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from hashlib import blake2b

from histoseek.reports.privacy.identifiers.lexicon import fold, load_lexicon

_LONGEST_NAME = 120
_PERSONALISATION = b"histoseek name"
_WORD = r"[^\W\d_]+(?:['\u2019.-][^\W\d_]+)*\.?"
_WORDS = re.compile(rf"{_WORD}(?:\s+{_WORD})+")
_INVERTED = re.compile(rf"({_WORD}(?:\s+{_WORD})*)\s*[,^]\s*({_WORD})(?!\w)")
_LETTERS = re.compile(r"[^\W\d_]+")
_PLAIN_ID = re.compile(r"(?=[^0-9]*[0-9])[!-+\--\]_-~]+")
"""Ids that are spelled in one way only: a digit, no space, no accent, and no sign that stands behind a surname."""
_SIGNS = re.compile(r"[^\w]|_")
_EAST_ASIAN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]{2,6}")
_ID_WORDS = """
anonymous anonymised anonymized arm case cases cohort control donor group healthy id individual known male female
missing mouse not pat patient pseudonym rat sample series site slide specimen study subject test volunteer
"""
_WORDS_OF_IDS = frozenset(_ID_WORDS.split())


@lru_cache(maxsize=1 << 14)
def is_person_name(value: str) -> bool:
    """Whether an id of a patient is the name of a person instead.

    A name is "Surname, Given" (or "SURNAME^GIVEN", whatever follows); or has no digit and is two or more words of
    letters with blanks between, of which one has two letters; or nothing but listed names ("Schmidt", "schmidt_anna");
    or two to six Chinese, Japanese or Korean characters. It is none when all its words are ordinary ones of reports
    ("not known"), or one is a word of ids ("Patient A", "healthy donor"), unless a listed name is among them. So
    "P-A", "case_alpha" and "TCGA-AA-ABCD" are ids, as is every value with a digit that does not begin like the first.
    """
    if len(value) > _LONGEST_NAME:
        return False
    plain = _strip_marks(value)
    inverted = _INVERTED.match(plain)
    if inverted:
        return _can_be_name(inverted.group())
    if any(character.isdigit() for character in plain):
        return False
    if _EAST_ASIAN.fullmatch(plain):
        return True
    words = [fold(word) for word in _LETTERS.findall(plain)]
    if words and all(map(_is_listed, words)):
        return True
    return bool(_WORDS.fullmatch(plain)) and max(map(len, words)) > 1 and _can_be_name(plain)


def make_pseudonym(patient_id: str) -> str:
    """The id as it is, or for the name of a person "patient-" and 12 hex digits, the same for each way to write it.

    Case, accents and signs do not count, and "Schmidt, Anna" is "Anna Schmidt". The digest has no key (BLAKE2b,
    RFC 7693): it keeps names out of sight, but whoever has a list of names can try which of them it is.
    """
    if not is_person_name(patient_id):
        return patient_id
    value = _strip_marks(patient_id)
    surname, separator, given_name = value.replace("^", ",").partition(",")
    words = _SIGNS.sub(" ", f"{given_name} {surname}" if separator else value).split()
    plain_name = " ".join(map(fold, words)).encode("utf-8", "replace")
    return f"patient-{blake2b(plain_name, digest_size=6, person=_PERSONALISATION).hexdigest()}"


def make_patient_key(patient_id: str) -> str:
    """What all spellings of a patient's id have in common: the pseudonym of a name, else the id with plain spaces.

    Letters in upper and lower case are different ones in ids, not in names; composed and decomposed accents are alike.
    """
    if _PLAIN_ID.fullmatch(patient_id):
        return patient_id
    return make_pseudonym(" ".join(unicodedata.normalize("NFC", patient_id).split()))


def _strip_marks(value: str) -> str:
    """A value without marks of accents and vowels, which regular expressions do not take for letters."""
    decomposed = unicodedata.normalize("NFD", value.strip()) if not value.isascii() else value.strip()
    return unicodedata.normalize("NFC", "".join(c for c in decomposed if unicodedata.category(c)[0] != "M"))


def _can_be_name(text: str) -> bool:
    words = [fold(word) for word in _LETTERS.findall(text)]
    if any(map(_is_listed, words)):
        return True
    return _WORDS_OF_IDS.isdisjoint(words) and not all(map(load_lexicon().is_ordinary, words))


def _is_listed(word: str) -> bool:
    return load_lexicon().is_listed(word)
