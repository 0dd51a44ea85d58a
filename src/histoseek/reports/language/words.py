"""Words of a text as terms are compared: offsets kept, case, plural and British spelling evened out."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

_TOKEN = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?|[,&]|(?<=\s)[-\u2013](?=\s)")
_GAP = re.compile(r"[-\u2010\u2011]?\s{0,8}")
_POSSESSIVE = re.compile(r"['\u2019]s?$")
# British to American, whole rules; applied to both sides of every comparison, so that they only have to agree.
_SPELLINGS = (
    (re.compile(r"(?<=[a-z]{2})our(?=$|s$|ed$|al$|ing$|less$)"), "or"),
    (re.compile(r"(?<!^)is(?=(?:e|ed|es|ing|ation|ations)$)"), "iz"),
    (re.compile(r"(?<=[a-z])tre$"), "ter"),
    (re.compile(r"[ao]e(?=.)"), "e"),
    (re.compile(r"^fibre$"), "fiber"),
    (re.compile(r"^gr[ae]y$"), "gray"),
    (re.compile(r"phlegm"), "flegm"),
)
_PLURALS = (
    (re.compile(r"(?<=[a-z]{3})omata$"), "oma"),
    (re.compile(r"(?<=[a-z]{2})eases$"), "ease"),
    (re.compile(r"(?<=[a-z]{2})([aoe])ses$"), r"\1sis"),
    (re.compile(r"(?<=[a-z]{2})ies$"), "y"),
    (re.compile(r"(?<=[a-z]{3})(s|x|ch|sh|z)es$"), r"\1"),
    (re.compile(r"(?<=[a-z]{3})ae$"), "a"),
    (re.compile(r"(?<=[a-z]{3})i$"), "us"),
    (re.compile(r"(?<=[a-z]{2})(?<![sui])s$"), ""),
)


@dataclass(frozen=True, slots=True)
class Span:
    """A place in a text, in characters: from `start` up to, not including, `end`."""

    start: int
    end: int

    def overlaps(self, other: Span) -> bool:
        """Whether the two share a character."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class Word:
    """One word: its place, as written, its evened form, and whether it follows the token before without a break."""

    start: int
    end: int
    raw: str
    key: str
    is_joined: bool


def split_words(text: str) -> tuple[Word, ...]:
    """The words and commas of a text; a dash between blanks counts as a comma, and "the" after "of" is passed over."""
    words: list[Word] = []
    end, joined = 0, True
    for match in _TOKEN.finditer(text):
        raw = match.group()
        joined = joined and _continues_run(text[end : match.start()], words)
        end = match.end()
        if raw.lower() == "the" and words and words[-1].key == "of":
            continue
        words.append(Word(match.start(), end, raw, normalise_word(raw), joined))
        joined = True
    return tuple(words)


def _continues_run(gap: str, words: list[Word]) -> bool:
    if _GAP.fullmatch(gap):
        return bool(words)
    return bool(words) and len(words[-1].raw) == 1 and gap in {".", ". "}


@lru_cache(maxsize=65536)
def normalise_word(word: str) -> str:
    """The evened form of one word: lower case, singular, American, without accents ("Tumours" gives "tumor")."""
    if word in {"-", "\u2013"}:
        return ","
    key = _POSSESSIVE.sub("", word.lower())
    if not key.isascii():
        key = "".join(letter for letter in unicodedata.normalize("NFKD", key) if not unicodedata.combining(letter))
    for pattern, singular in _PLURALS:
        key, count = pattern.subn(singular, key)
        if count:
            break
    for pattern, spelling in _SPELLINGS:
        key = pattern.sub(spelling, key)
    return key


def lower_in_place(text: str) -> str:
    """A text in lower case, every letter at its place; the few that change their length with their case stay."""
    lower = text.lower()
    if len(lower) == len(text):
        return lower
    return "".join(letter.lower() if len(letter.lower()) == 1 else letter for letter in text)
