"""Initials of who dictated and who typed: "JB/km", "(sp:ab)", "Typed: KLB"."""

from __future__ import annotations

import re
from collections.abc import Iterator

from histoseek.reports.privacy.identifiers.identifier_kinds import Identifier, IdentifierKind
from histoseek.reports.privacy.identifiers.labels import Label
from histoseek.reports.privacy.identifiers.languages import list_phrases
from histoseek.reports.privacy.identifiers.lexicon import fold, load_lexicon
from histoseek.reports.privacy.identifiers.medical_words import is_medical
from histoseek.reports.privacy.identifiers.name_reader import NameReader

_AFTER_LABEL = re.compile(
    r"[^\w\n]{0,8}[:|][ ]{0,3}((?:[A-Z]\.? ?){2,3}|[A-Z]{1,2}[a-z]{2,10}|[A-Z]{2,4}(?:/[A-Za-z]{2,4})?)(?=[ ]*"
    r"(?:\n|$|[ ]{2}|\|))"
)
_OF_TYPIST = re.compile(r"[^\w\n]{0,3}[:|][ ]{0,3}([^\W\d_]{2,3})(?![\w-])(?!\.\w)")
_PAIR_OF_TYPIST = re.compile(r"[^\w\n]{0,4}[:|]?[ ]{1,3}([^\W\d_]{1,4}[/:][^\W\d_]{2,4})(?![\w/-])")
_DICTATED_AND_TYPED = re.compile(r"(?<![^\s(])D:[ ]?([A-Z]{2,4})[ ]{1,3}T:[ ]?([A-Za-z]{2,4})(?![\w:])")
_BY_TYPIST = re.compile(r"[ ]([a-zäöü]{2,3}|[A-Z]{2,3})(?=[ ]{0,2}(?:$|[.,;\n]))")
_PREPOSITIONS = (" by", " von", " av", " af", " par", " por", " da", " door")
_PAIR = r"[A-ZÄÖÜ][A-Za-zäöü]{0,3}[:/][a-zäöü]{2,4}"
_LOWER_PAIR = r"[a-z]{2,3}[:/][a-z]{2,3}"
_PAIR_AFTER_LABEL = re.compile(rf"[^\w\n]{{0,4}}[:|][ ]{{0,3}}({_PAIR}|[A-Z]{{1,4}}/[A-Za-z]{{1,4}})(?![\w/-])")
_ALONE = re.compile(
    rf"(?:^[ ]{{0,4}}|(?<=\.[ ])|(?<=\.))({_PAIR}|[a-z]{{2,3}}:[a-z]{{2,3}})(?=[ ]*(?:$|[ ,]\d))", re.MULTILINE
)
_IN_BRACKETS = re.compile(rf"(?<=\()({_PAIR}|{_LOWER_PAIR})(?=\))")
_AFTER_DATE = re.compile(
    r"(?:^|(?<=[\n ]))[DTdt]{1,2}:[ ]{0,3}(?:\[DATE\]|\d{1,2}/\d{1,2}/\d{2,4})[ ]{1,3}"
    r"([a-z]{2,3}(?:[/:][a-z]{2,3})?|[A-Z]{2,3}(?:[/:][A-Za-z]{2,3})?)(?=[ ]*$)",
    re.MULTILINE,
)
_ANSWERS = frozenset(("no", "na", "nd", "wt", "ml", "mm", "cm", "dl", "mg", "ug", "kg", "pr", "er", "ck", "cd"))
_NO_PAIRS = frozenset(("n/a", "s/p", "h/o", "w/o", "y/o", "c/w", "r/o"))
_LETTERS = re.compile(r"[^\W\d_]+")


def find_initials(reader: NameReader, labels: list[Label]) -> Iterator[Identifier]:
    """Initials after a label or a date of dictation, and pairs of them on a line of their own or in brackets."""
    typists = frozenset(map(fold, list_phrases("labels", "typist")))
    for label in labels:
        start = reader.tokens[label.end - 1].end
        patterns = [_PAIR_AFTER_LABEL] if label.kind in {"name", "byline", "id"} else []
        if label.kind in {"name", "byline"}:
            patterns.append(_AFTER_LABEL)
        if fold(label.phrase) in typists:
            patterns += [_OF_TYPIST, _PAIR_OF_TYPIST]
        if label.kind in {"byline", "typist"} and label.phrase.endswith(_PREPOSITIONS):
            patterns.append(_BY_TYPIST)
        for pattern in patterns:
            match = pattern.match(reader.text, start)
            if match and match.group(1).lower() not in _NO_PAIRS and not _is_answer(match, pattern is _OF_TYPIST):
                yield _make_identifier(match)
    for match in _DICTATED_AND_TYPED.finditer(reader.text):
        yield from (Identifier(*match.span(group), IdentifierKind.NAME) for group in (1, 2))
    for pattern in (_ALONE, _IN_BRACKETS, _AFTER_DATE):
        yield from map(_make_identifier, filter(_is_of_persons, pattern.finditer(reader.text)))


def _is_answer(match: re.Match[str], is_bare: bool) -> bool:
    """Whether what follows a label is a word of reports; behind "Typed:" two letters are initials nearly always."""
    parts = _list_parts(match)
    is_word = load_lexicon().is_ordinary if is_bare and len(parts[0]) == 2 else _is_word
    return all(map(is_word, parts))


def _is_of_persons(match: re.Match[str]) -> bool:
    """Whether a bare pair is of persons: not "PAS:pos", not "er/pr"; two letters after a colon can be anybody's."""
    parts = _list_parts(match)
    if ":" in match.group(1) and len(parts) > 1 and match.group(1).islower() and max(map(len, parts)) == 2:
        return True
    is_answer = len(parts) > 1 and (parts[-1] in _ANSWERS or (len(parts[-1]) > 2 and _is_word(parts[-1])))
    return not all(map(_is_word, parts)) and not is_answer


def _list_parts(match: re.Match[str]) -> list[str]:
    return [fold(part) for part in _LETTERS.findall(match.group(1))]


def _make_identifier(match: re.Match[str]) -> Identifier:
    return Identifier(match.start(1), match.start(1) + len(match.group(1).rstrip()), IdentifierKind.NAME)


def _is_word(part: str) -> bool:
    return load_lexicon().is_ordinary(part) or is_medical(part)
