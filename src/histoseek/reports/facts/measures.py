"""Measures: sizes in millimetres, and resection margins with their distance."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass
from typing import Literal

from histoseek.reports.language.words import Span

MarginStatus = Literal["free", "involved", "close"]

_MM_PER = {"mm": 1.0, "cm": 10.0, "um": 0.001, "µm": 0.001, "μm": 0.001}
_VALUE = r"\d{1,3}(?:[.,]\d{1,2})?"
_UNIT = r"(?:mm|cm|um|[µμ]m)"
_SIZE = re.compile(
    rf"(?<![\w.,/])(?P<a>{_VALUE})\s*-?(?P<ua>{_UNIT})?"
    rf"(?:\s*(?:x|\u00d7|\*|by)\s*(?P<b>{_VALUE})\s*(?P<ub>{_UNIT})?(?:\s*(?:x|\u00d7|\*|by)\s*(?P<c>{_VALUE})\s*(?P<uc>{_UNIT})?)?)?"
    r"(?![\w²³])",
    re.IGNORECASE,
)
_PLACE_END = re.compile(r"[;\n]|\.(?=\s|$)")
_MARGIN = re.compile(
    r"\b(?:margins?|resection\s+(?:edges?|planes?|lines?)|(?:cut|excision|section)\s+edges?|inked\s+surface)\b",
    re.IGNORECASE,
)
_PUSHING = re.compile(r"\b(?:pushing|expansile|tumou?r|infiltrating|irregular|invasive|ulcer)\s+\Z", re.IGNORECASE)
_FREE_MARGIN = re.compile(
    r"\b(?:free|negative|clear|uninvolved|not\s+involved|not\s+reach\w*|no\s+tumou?r\s+at|complete(?:ly)?\s+excis\w+)\b|"
    r"\binvolved\s*[?:]\s*no\b",
    re.IGNORECASE,
)
_INVOLVED_MARGIN = re.compile(
    r"\b(?:involved|positive|not\s+free|reach(?:es|ed)|present\s+at|at\s+the\s+(?:\w+\s+)?margin|extends?\s+to|"
    r"incomplete(?:ly)?\s+excis\w+|transected)\b",
    re.IGNORECASE,
)
_CLOSE_MARGIN = re.compile(r"\bclose\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One to three lengths in mm, in the order written."""

    dimensions_mm: tuple[float, ...]
    span: Span

    @property
    def largest_mm(self) -> float:
        """The longest of them."""
        return max(self.dimensions_mm)


@dataclass(frozen=True, slots=True)
class Margin:
    """What a sentence says of resection margins: their status, the nearest distance in mm; None: not said."""

    status: MarginStatus | None
    distance_mm: float | None
    span: Span


def find_sizes(text: str) -> tuple[Measurement, ...]:
    """Every length with a unit ("2.2 x 1.9 x 1.6 cm", "5 mm") that is not the distance of a margin."""
    distances = {distance.span for _, _, distance in _find_margin_sentences(text) if distance is not None}
    return tuple(size for size in _find_lengths(text) if size.span not in distances)


def find_margins(text: str) -> tuple[Margin, ...]:
    """Resection margins, one value for each sentence that says their status or a distance."""
    margins = []
    for sentence, status, distance in _find_margin_sentences(text):
        if status is not None or distance is not None:
            margins.append(Margin(status, distance.dimensions_mm[0] if distance else None, sentence))
    return tuple(margins)


def _find_lengths(text: str) -> list[Measurement]:
    return [size for match in _SIZE.finditer(text) if (size := _parse_size(match)) is not None]


def _parse_size(match: re.Match[str]) -> Measurement | None:
    units = [match[f"u{axis}"] for axis in "abc"]
    last = next((unit for unit in reversed(units) if unit), None)
    if last is None:
        return None
    values = [(match[axis], unit or last) for axis, unit in zip("abc", units, strict=True) if match[axis]]
    lengths = tuple(round(float(value.replace(",", ".")) * _MM_PER[unit.lower()], 4) for value, unit in values)
    return Measurement(lengths, Span(*match.span()))


def _find_margin_sentences(text: str) -> list[tuple[Span, MarginStatus | None, Measurement | None]]:
    """Each sentence about margins, with their status and nearest distance."""
    sizes = [size for size in _find_lengths(text) if len(size.dimensions_mm) == 1]
    places: list[tuple[Span, MarginStatus | None, Measurement | None]] = []
    start = 0
    for end in (*(match.end() for match in _PLACE_END.finditer(text)), len(text)):
        words = [
            match
            for match in _MARGIN.finditer(text, start, end)
            if not _PUSHING.search(text, max(start, match.start() - 30), match.start())
        ]
        if words:
            first = bisect_left(sizes, start, key=lambda size: size.span.start)
            last = bisect_left(sizes, end, key=lambda size: size.span.start)
            near = [size for size in sizes[first:last] if _is_distance(text, size.span, words)]
            nearest = min(near, key=lambda size: size.largest_mm, default=None)
            clause_start = max(text.rfind(mark, start, words[0].start()) for mark in ",:")
            places.append((Span(start, end), _find_status(text[max(start, clause_start) : end]), nearest))
        start = end
    return places


def _is_distance(text: str, size: Span, words: list[re.Match[str]]) -> bool:
    """Whether a length stands behind a word for margins, or shortly before one with no comma between."""
    if words[0].end() <= size.start:
        return True
    index = bisect_left(words, size.end, key=lambda word: word.start())
    following = words[index].start() if index < len(words) else len(text)
    return following <= size.end + 60 and "," not in text[size.end : following]


def _find_status(sentence: str) -> MarginStatus | None:
    free_match, involved_match = _FREE_MARGIN.search(sentence), _INVOLVED_MARGIN.search(sentence)
    if free_match and involved_match and not free_match.start() <= involved_match.start() < free_match.end():
        return "involved" if "not free" in involved_match.group().lower() else _choose_first(free_match, involved_match)
    if free_match:
        return "free"
    if involved_match:
        return "involved"
    return "close" if _CLOSE_MARGIN.search(sentence) else None


def _choose_first(free_match: re.Match[str], involved_match: re.Match[str]) -> MarginStatus:
    return "free" if free_match.start() < involved_match.start() else "involved"
