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
_FREE = re.compile(
    r"\b(?:free|negative|clear|uninvolved|not\s+involved|not\s+reach\w*|no\s+tumou?r\s+at|complete(?:ly)?\s+excis\w+)\b|"
    r"\binvolved\s*[?:]\s*no\b",
    re.IGNORECASE,
)
_INVOLVED = re.compile(
    r"\b(?:involved|positive|not\s+free|reach(?:es|ed)|present\s+at|at\s+the\s+(?:\w+\s+)?margin|extends?\s+to|"
    r"incomplete(?:ly)?\s+excis\w+|transected)\b",
    re.IGNORECASE,
)
_CLOSE = re.compile(r"\bclose\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Size:
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


def find_sizes(text: str) -> tuple[Size, ...]:
    """Every length with a unit ("2.2 x 1.9 x 1.6 cm", "5 mm") that is not the distance of a margin."""
    distances = {distance.span for _, _, distance in _margin_places(text) if distance is not None}
    return tuple(size for size in _lengths(text) if size.span not in distances)


def find_margins(text: str) -> tuple[Margin, ...]:
    """Resection margins, one value for each sentence that says their status or a distance."""
    found = []
    for sentence, status, distance in _margin_places(text):
        if status is not None or distance is not None:
            found.append(Margin(status, distance.dimensions_mm[0] if distance else None, sentence))
    return tuple(found)


def _lengths(text: str) -> list[Size]:
    return [size for match in _SIZE.finditer(text) if (size := _size(match)) is not None]


def _size(match: re.Match[str]) -> Size | None:
    units = [match[f"u{axis}"] for axis in "abc"]
    last = next((unit for unit in reversed(units) if unit), None)
    if last is None:
        return None
    values = [(match[axis], unit or last) for axis, unit in zip("abc", units, strict=True) if match[axis]]
    lengths = tuple(round(float(value.replace(",", ".")) * _MM_PER[unit.lower()], 4) for value, unit in values)
    return Size(lengths, Span(*match.span()))


def _margin_places(text: str) -> list[tuple[Span, MarginStatus | None, Size | None]]:
    """Each sentence about margins, with their status and nearest distance."""
    sizes = [size for size in _lengths(text) if len(size.dimensions_mm) == 1]
    places: list[tuple[Span, MarginStatus | None, Size | None]] = []
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
            about = max(text.rfind(mark, start, words[0].start()) for mark in ",:")
            places.append((Span(start, end), _status(text[max(start, about) : end]), nearest))
        start = end
    return places


def _is_distance(text: str, size: Span, words: list[re.Match[str]]) -> bool:
    """Whether a length stands behind a word for margins, or shortly before one with no comma between."""
    if words[0].end() <= size.start:
        return True
    index = bisect_left(words, size.end, key=lambda word: word.start())
    following = words[index].start() if index < len(words) else len(text)
    return following <= size.end + 60 and "," not in text[size.end : following]


def _status(sentence: str) -> MarginStatus | None:
    free, involved = _FREE.search(sentence), _INVOLVED.search(sentence)
    if free and involved and not free.start() <= involved.start() < free.end():
        return "involved" if "not free" in involved.group().lower() else _first(free, involved)
    if free:
        return "free"
    if involved:
        return "involved"
    return "close" if _CLOSE.search(sentence) else None


def _first(free: re.Match[str], involved: re.Match[str]) -> MarginStatus:
    return "free" if free.start() < involved.start() else "involved"
