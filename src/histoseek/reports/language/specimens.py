"""Where specimens begin in the sections of a report: "A. Prostate, biopsy:", "Part B", "Samples I & II:"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from histoseek.reports.language.headings import Headings

_ONE = r"(?:\d{1,2}|[IVX]{1,5}|[A-Z]\d?)"
_SEVERAL = rf"{_ONE}(?:\s*(?:,|&|\+|/|-|–|and|to|und|bis|et|en)\s*{_ONE})*"  # noqa: RUF001
_BARE = re.compile(rf"[ \t]*+[-*•]?[ \t]*+\(?(?P<label>{_SEVERAL})[.):](?=\s)[ \t]*(?P<rest>[^\n]*)", re.MULTILINE)

_INSIDE = re.compile(r"(?<=[.;:])[ \t]+(?=\(?(?P<label>[B-Z])[.)][ \t]+[A-Z(])")
_NAMING_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A place where a specimen may begin; certain: its line says so; inside: it stands within a line."""

    start: int
    label: str
    is_certain: bool
    is_inside: bool = False

    @property
    def is_number(self) -> bool:
        return self.label[0].isdigit()


def specimen_starts(
    text: str, spans: Sequence[tuple[int, int]], words: Headings
) -> tuple[tuple[tuple[int, str], ...], ...]:
    """For each span the places where a specimen begins, with its label, in order.

    A label behind a specimen word counts; a bare one when its line tells how a specimen was taken, when the same
    label is certain elsewhere in the report, or when letters run A, B, ... A bare number does not count where the
    span has labelled specimens already: there it is an item of a list. Within a line only the letter that comes next
    counts, behind the end of a sentence.
    """
    worded = _worded(words)
    candidates = [tuple(_candidates(text, span, worded, words)) for span in spans]
    certain = {found.label for group in candidates for found in group if found.is_certain}
    return tuple(tuple((found.start, found.label) for found in _accepted(group, certain)) for group in candidates)


def _worded(words: Headings) -> re.Pattern[str]:
    names = "|".join(re.escape(word) for word in words.specimen_words)
    number = r"(?:\s*(?:no\.?|nr\.?|number|#))?"
    label = rf"(?P<label>(?-i:{_SEVERAL}))"
    return re.compile(rf"[ \t#*•-]*+(?:{names})s?{number}\s*{label}\s*(?:\([^)\n]*\)\s*)?(?:[:.)\-–]|$)", re.I | re.M)  # noqa: RUF001


def _candidates(text: str, span: tuple[int, int], worded: re.Pattern[str], words: Headings) -> Iterator[_Candidate]:
    for start in _line_starts(text, *span):
        named = worded.match(text, start, span[1])
        bare = None if named else _BARE.match(text, start, span[1])
        if named:
            yield _Candidate(start, _plain(named["label"]), True)
        elif bare:
            named_so = words.names_specimen(bare["rest"][:_NAMING_CHARACTERS])
            yield _Candidate(start, _plain(bare["label"]), named_so)
        end = text.find("\n", start, span[1])
        for inner in _INSIDE.finditer(text, start, end if end >= 0 else span[1]):
            yield _Candidate(inner.end(), inner["label"], False, is_inside=True)


def _line_starts(text: str, start: int, end: int) -> Iterator[int]:
    while start < end:
        yield start
        found = text.find("\n", start, end)
        start = end if found < 0 else found + 1


def _accepted(group: Sequence[_Candidate], certain: set[str]) -> Iterator[_Candidate]:
    letters = [found.label for found in group if not found.is_number]
    in_turn = letters[:2] == ["A", "B"]
    has_certain = any(found.is_certain and not found.is_number for found in group)
    last = ""
    seen = set(certain)
    for found in group:
        several = re.findall(r"\w+", found.label)
        known = found.label in certain or (len(several) > 1 and seen.issuperset(several))
        if found.is_inside:
            accepted = len(last) == 1 and ord(found.label) == ord(last) + 1
        elif found.is_number:
            accepted = found.is_certain or (known and not has_certain)
        else:
            accepted = found.is_certain or known or (in_turn and len(found.label) == 1)
        if accepted:
            last = found.label
            seen.add(last)
            yield found


def _plain(label: str) -> str:
    return " ".join(label.split())
