"""Immunohistochemistry: markers with their results, and the Ki-67 index."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from histoseek.reports.facts.markers import MARKER, name_markers
from histoseek.reports.language.words import Span

StainResult = Literal["positive", "negative", "equivocal", "retained", "lost"]

_RESULT = re.compile(
    r"(?P<negative>\b(?:negative(?:ly)?|neg|non-?reactive|not\s+expressed|no\s+(?:expression|staining)|unstained)\b|"
    r"(?<=\w)[-\u2212](?=[\s,.;)]|$))|"
    r"(?P<positive>\b(?:positiv(?:e|ely|ity)|pos|reactive|expressed|express(?:es)?)\b|(?<=[A-Za-z0-9-][A-Za-z0-9])\+(?=[\s,.;)]|$))|"
    r"(?P<equivocal>\b(?:equivocal|borderline|indeterminate)\b)|"
    r"(?P<retained>\b(?:retained|intact|preserved)\b)|(?P<lost>\b(?:lost|loss(?:\s+of)?|deficient)\b)",
    re.IGNORECASE,
)
_SCORE = re.compile(r"(?<![\w+])(?:([0-3])\s?\+(?!\s?\d)|score\s*[:=?]?\s*([0-3])\b(?!\s*[+/]\s*\d))", re.IGNORECASE)
_PERCENT = re.compile(
    r"(?P<bound>[<>≤≥]\s?)?(?<![\w.,])(?P<low>\d{1,3}(?:[.,]\d)?)\s?%?(?:\s?(?:-|\u2013|to)\s?(?P<high>\d{1,3}))?\s?(?:%|percent\b)",
    re.IGNORECASE,
)
# A line that begins in lower case or with a share goes on with the sentence of the one before.
_SENTENCE_END = re.compile(r"[;]|\n(?![ \t]*(?:[a-z]|[<>≤≥~]?\s?\d{1,3}\s?%))|\.(?=\s|$)")
_LIST_GAP = re.compile(r"(?:\s|,|/|;|&|\band\b|\bor\b|\bas well as\b|\([^)]*\)|\breceptors?\b|-)*", re.IGNORECASE)
_LEADS = re.compile(
    r"\s*(?:(?:staining|stain|reaction|immunoreactivity|expression)?\s*(?:for|with|of|:)\s*(?:the\s+)?|"
    r"in\s+(?:the\s+)?(?:\w+\s+){0,2}(?:tumou?r|cells)(?:\s+cells)?\s*[?:]?\s*|\s)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Stain:
    """The result of one marker.

    `score` is the 0 to 3+ score ("2+"), the percentages are of stained tumour cells (equal ends: one figure); None
    where the text gives none.
    """

    marker: str
    result: StainResult | None
    score: str | None
    low_percent: float | None
    high_percent: float | None
    span: Span


@dataclass(slots=True)
class _MarkerGroup:
    """Markers of one list ("ER, PR and HER2") and where the list stands."""

    names: list[str]
    start: int
    end: int


def find_stains(text: str) -> tuple[Stain, ...]:
    """Immunohistochemical results, before or behind a marker or a list of them, in one sentence."""
    stains: list[Stain] = []
    start = 0
    for end in (*(match.end() for match in _SENTENCE_END.finditer(text)), len(text)):
        groups = _group_markers(text, start, end)
        is_leading = bool(groups) and _opens_with_result(text, start, groups[0].start)
        for index, group in enumerate(groups):
            before = groups[index - 1].end if index else start
            behind = groups[index + 1].start if index + 1 < len(groups) else end
            stains.extend(_read_results(text, group, before, behind, is_leading))
        start = end
    return tuple(stains)


def _group_markers(text: str, start: int, end: int) -> list[_MarkerGroup]:
    groups: list[_MarkerGroup] = []
    for match in MARKER.finditer(text, start, end):
        names = name_markers(match.group())
        if groups and _LIST_GAP.fullmatch(text, groups[-1].end, match.start()):
            groups[-1].names.extend(names)
            groups[-1].end = match.end()
        else:
            groups.append(_MarkerGroup(list(names), match.start(), match.end()))
    return groups


def _opens_with_result(text: str, start: int, first_marker: int) -> bool:
    """Whether a sentence names results before their markers ("positive ER negative HER2", not "ER+ HER2-")."""
    return any(_leads_to(text, match.end(), first_marker) for match in _RESULT.finditer(text, start, first_marker))


def _read_results(text: str, group: _MarkerGroup, before: int, behind: int, is_leading: bool) -> list[Stain]:
    """The results of a list of markers, from what stands between its neighbours.

    is_leading: whether a result with nothing but a blank before a marker is that marker's.
    """
    results_behind = list(_RESULT.finditer(text, group.end, behind))
    # A result that leads straight to the next list belongs to that one ("positive ER, negative HER2").
    if (
        results_behind
        and behind < len(text)
        and _leads_to(text, results_behind[-1].end(), behind, is_leading)
        and MARKER.match(text, behind)
    ):
        results_behind.pop()
    results_before = [
        match
        for match in _RESULT.finditer(text, before, group.start)
        if _leads_to(text, match.end(), group.start, is_leading)
    ]
    result = results_before[-1] if results_before else results_behind[0] if results_behind else None
    score = _SCORE.search(text, group.end, behind)
    percent = _PERCENT.search(text, group.end, behind)
    if result is None and score is None and percent is None:
        return []
    ends = [match.end() for match in (result, score, percent) if match] + [group.end]
    span = Span(min(group.start, result.start() if result else group.start), max(ends))
    low, high = _parse_range(percent) if percent else (None, None)
    result_name: StainResult | None = result.lastgroup if result else None  # type: ignore[assignment]
    score_text = f"{score.group(1) or score.group(2)}+" if score else None
    return [Stain(name, result_name, score_text, low, high, span) for name in dict.fromkeys(group.names)]


def _leads_to(text: str, start: int, end: int, may_be_bare: bool = True) -> bool:
    is_bare = not text[start:end].strip()
    return (may_be_bare or not is_bare) and _LEADS.fullmatch(text, start, end) is not None


def _parse_range(percent: re.Match[str]) -> tuple[float, float]:
    low = float(percent["low"].replace(",", "."))
    high = float(percent["high"]) if percent["high"] else low
    bound = (percent["bound"] or "").strip()
    if bound in {"<", "≤"}:
        return 0.0, low
    return (low, 100.0) if bound in {">", "≥"} else (low, high)


@dataclass(frozen=True, slots=True)
class Ki67:
    """The Ki-67 (MIB-1) index in per cent of cells; equal ends: one figure, "<5%": 0 to 5."""

    low_percent: float
    high_percent: float
    span: Span


def select_ki67(stains: Iterable[Stain]) -> tuple[Ki67, ...]:
    """The Ki-67 indices among some stains, with their ranges."""
    return tuple(
        Ki67(stain.low_percent, stain.high_percent, stain.span)
        for stain in stains
        if stain.marker == "Ki-67"
        and stain.low_percent is not None
        and stain.high_percent is not None
        and stain.high_percent <= 100
    )
