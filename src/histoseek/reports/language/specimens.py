"""Where specimens begin in the sections of a report: "A. Prostate, biopsy:", "Part B", "Samples I & II:"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from histoseek.reports.language.headings import Headings

_LABEL = r"(?:\d{1,2}|[IVX]{1,5}|[A-Z]\d?)"
_LABELS = rf"{_LABEL}(?:\s*(?:,|&|\+|/|-|–|and|to|und|bis|et|en)\s*{_LABEL})*"  # noqa: RUF001
_BARE_LABEL = re.compile(rf"[ \t]*+[-*•]?[ \t]*+\(?(?P<label>{_LABELS})[.):](?=\s)[ \t]*(?P<rest>[^\n]*)", re.MULTILINE)

_INNER_LABEL = re.compile(r"(?<=[.;:])[ \t]+(?=\(?(?P<label>[B-Z])[.)][ \t]+[A-Z(])")
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


def find_specimens(
    text: str, spans: Sequence[tuple[int, int]], words: Headings
) -> tuple[tuple[tuple[int, str], ...], ...]:
    """For each span the places where a specimen begins, with its label, in order.

    A label behind a specimen word counts; a bare one when its line tells how a specimen was taken, when the same
    label is certain elsewhere in the report, or when letters run A, B, ... A bare number does not count where the
    span has labelled specimens already: there it is an item of a list. Within a line only the letter that comes next
    counts, behind the end of a sentence.
    """
    word_pattern = _make_word_pattern(words)
    candidates = [tuple(_find_candidates(text, span, word_pattern, words)) for span in spans]
    certain = {candidate.label for group in candidates for candidate in group if candidate.is_certain}
    return tuple(
        tuple((candidate.start, candidate.label) for candidate in _accept_candidates(group, certain))
        for group in candidates
    )


def _make_word_pattern(words: Headings) -> re.Pattern[str]:
    names = "|".join(re.escape(word) for word in words.specimen_words)
    number = r"(?:\s*(?:no\.?|nr\.?|number|#))?"
    label = rf"(?P<label>(?-i:{_LABELS}))"
    return re.compile(rf"[ \t#*•-]*+(?:{names})s?{number}\s*{label}\s*(?:\([^)\n]*\)\s*)?(?:[:.)\-–]|$)", re.I | re.M)  # noqa: RUF001


def _find_candidates(
    text: str, span: tuple[int, int], word_pattern: re.Pattern[str], words: Headings
) -> Iterator[_Candidate]:
    for start in _iterate_line_starts(text, *span):
        word_match = word_pattern.match(text, start, span[1])
        label_match = None if word_match else _BARE_LABEL.match(text, start, span[1])
        if word_match:
            yield _Candidate(start, _normalise_label(word_match["label"]), True)
        elif label_match:
            names_specimen = words.names_specimen(label_match["rest"][:_NAMING_CHARACTERS])
            yield _Candidate(start, _normalise_label(label_match["label"]), names_specimen)
        end = text.find("\n", start, span[1])
        for inner in _INNER_LABEL.finditer(text, start, end if end >= 0 else span[1]):
            yield _Candidate(inner.end(), inner["label"], False, is_inside=True)


def _iterate_line_starts(text: str, start: int, end: int) -> Iterator[int]:
    while start < end:
        yield start
        line_end = text.find("\n", start, end)
        start = end if line_end < 0 else line_end + 1


def _accept_candidates(group: Sequence[_Candidate], certain: set[str]) -> Iterator[_Candidate]:
    letters = [candidate.label for candidate in group if not candidate.is_number]
    in_turn = letters[:2] == ["A", "B"]
    has_certain = any(candidate.is_certain and not candidate.is_number for candidate in group)
    last = ""
    accepted_labels = set(certain)
    for candidate in group:
        labels = re.findall(r"\w+", candidate.label)
        is_known = candidate.label in certain or (len(labels) > 1 and accepted_labels.issuperset(labels))
        if candidate.is_inside:
            is_accepted = len(last) == 1 and ord(candidate.label) == ord(last) + 1
        elif candidate.is_number:
            is_accepted = candidate.is_certain or (is_known and not has_certain)
        else:
            is_accepted = candidate.is_certain or is_known or (in_turn and len(candidate.label) == 1)
        if is_accepted:
            last = candidate.label
            accepted_labels.add(last)
            yield candidate


def _normalise_label(label: str) -> str:
    return " ".join(label.split())
