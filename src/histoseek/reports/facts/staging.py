"""Stages: TNM categories, stage groups, and lymph nodes positive of examined."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from histoseek.reports.language.words import Span

Axis = Literal["T", "N", "M"]

# The letter o is often read for a nought. Longer runs of digits ("T11-627548") are numbers of cases.
_MODIFIER = r"(?P<{0}mod>[yram]{{0,2}}[pc]|[yr])?"
_T = r"T\s?(?P<Tvalue>is|x|[0o](?![a-z])|[1-4](?:mi|[a-d])?)(?P<Tsuffix>\s?\((?:m|is|s|\d)\))?"
_N = r"N\s?(?P<Nvalue>x|[0o]|[1-3](?:mi|[a-d])?)(?P<Nsuffix>\s?\((?:i\s?[-+]|mol\s?[-+]|sn|mi)\))?"
_M = r"M\s?(?P<Mvalue>x|[0o]|1[a-d]?)"
_NEXT = r"(?:\s?\(\d+\s?/\s?\d+\))?[\s,;/]*"
_TNM = re.compile(
    rf"(?<![A-Za-z0-9]){_MODIFIER.format('T')}{_T}(?!\d|-?cell)(?:{_NEXT}{_MODIFIER.format('N')}{_N})?"
    rf"(?:{_NEXT}{_MODIFIER.format('M')}{_M})?",
    re.IGNORECASE,
)
_N_ALONE = re.compile(rf"(?<![A-Za-z0-9])(?P<Nmod>[yra]{{0,2}}[pc]){_N}(?![\w])", re.IGNORECASE)
_M_ALONE = re.compile(rf"(?<![A-Za-z0-9])(?P<Mmod>[yra]{{0,2}}[pc]){_M}(?![\w])", re.IGNORECASE)
_STAGE = re.compile(
    r"\b(?P<figo>figo\s+)?stage\s*(?:group(?:ing)?)?\s*[:=?]?\s*"
    r"(?P<number>0|iv|i{1,3}|[1-4])(?P<letter>[a-d])?(?P<digit>[1-3])?(?![\w.+])",
    re.IGNORECASE,
)
_RATIO = re.compile(r"(?<![\d/+.])(\d{1,3})\s*(?:/|out of|of)\s*(\d{1,3})(?![\d/.%])", re.IGNORECASE)
_NODE = re.compile(r"\b(?:lymph\s*nodes?|nodes?|lymphonod\w+)\b", re.IGNORECASE)
_ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4"}


@dataclass(frozen=True, slots=True)
class StageCategory:
    """One TNM category.

    `value` is what follows the letter ("2a", "is", "X"), `suffix` what follows in brackets ("(m)", "(i+)"), `basis` "p"
    (pathological), "c" (clinical) or "", `modifiers` the letters before it ("y" after treatment, "r" recurrent, ...).
    """

    axis: Axis
    value: str
    suffix: str
    basis: str
    modifiers: str
    span: Span

    @property
    def label(self) -> str:
        """Letter, value and suffix: "T2a", "N0(i+)"."""
        return f"{self.axis}{self.value}{self.suffix}"


@dataclass(frozen=True, slots=True)
class StageGroup:
    """A stage group, "0" to "4" with its letters ("3A", "1B2"); `figo` where it is named so."""

    value: str
    figo: bool
    span: Span


@dataclass(frozen=True, slots=True)
class NodeCount:
    """Lymph nodes with tumour, of those examined."""

    positive: int
    examined: int
    span: Span


def find_tnm(text: str) -> tuple[StageCategory, ...]:
    """TNM categories ("pT2a pN1(sn) M0", "ypT0"); a T without p or c counts only where an N follows it."""
    axes: tuple[Axis, ...] = ("T", "N", "M")
    categories: list[StageCategory] = []
    for match in _TNM.finditer(text):
        if _has_basis(match) or _has_n_category(match):
            categories.extend(_make_category(match, axis) for axis in axes if match[f"{axis}value"])
    alone: tuple[tuple[Axis, re.Pattern[str]], ...] = (("N", _N_ALONE), ("M", _M_ALONE))
    for axis, pattern in alone:
        for match in pattern.finditer(text):
            category = _make_category(match, axis)
            if not any(category.span.overlaps(other.span) for other in categories):
                categories.append(category)
    return tuple(sorted(categories, key=lambda category: category.span.start))


def _has_basis(match: re.Match[str]) -> bool:
    """A T with p or c before it; with a blank behind it only in its own case ("pT 2", but no prothrombin, "PT 4")."""
    return bool(match["Tmod"]) and (match["Tmod"].islower() or " " not in match.group()[:4])


def _has_n_category(match: re.Match[str]) -> bool:
    """A T without p or c counts only in capitals, with an N behind it ("T2 N0", not "to no")."""
    return bool(match["Nvalue"]) and bool(re.fullmatch(r"T\s?(?:is|X|x|\d).*N\s?[\dXx].*", match.group(), re.DOTALL))


def _make_category(match: re.Match[str], axis: Axis) -> StageCategory:
    fields = match.groupdict()
    modifiers = (fields[f"{axis}mod"] or fields.get("Tmod") or "").lower()
    value = fields[f"{axis}value"].lower().replace("o", "0").replace("x", "X")
    suffix = (fields.get(f"{axis}suffix") or "").lower().replace(" ", "")
    last = f"{axis}suffix" if suffix else f"{axis}value"
    first = f"{axis}mod" if fields[f"{axis}mod"] else f"{axis}value"
    start = match.start(first) - (0 if fields[f"{axis}mod"] else 1)
    basis = next((letter for letter in modifiers if letter in "pc"), "")
    return StageCategory(axis, value, suffix, basis, modifiers.replace(basis, ""), Span(start, match.end(last)))


def find_stage_groups(text: str) -> tuple[StageGroup, ...]:
    """Stage groups ("stage IIIA", "FIGO stage IB2")."""
    return tuple(
        StageGroup(_format_stage(match), match["figo"] is not None, Span(*match.span()))
        for match in _STAGE.finditer(text)
    )


def _format_stage(match: re.Match[str]) -> str:
    number = match["number"].lower()
    return _ROMAN.get(number, number) + (match["letter"] or "").upper() + (match["digit"] or "")


def find_node_counts(text: str) -> tuple[NodeCount, ...]:
    """Counts of lymph nodes ("2/14 lymph nodes", "pN2a(5/15)"): a ratio beside the word, or right behind an N."""
    after_n = {category.span.end for category in find_tnm(text) if category.axis == "N"}
    counts = []
    for match in _RATIO.finditer(text):
        positive, examined = int(match.group(1)), int(match.group(2))
        if (
            positive <= examined
            and examined > 0
            and (_is_beside_nodes(text, match) or _opens_after(text, match, after_n))
        ):
            counts.append(NodeCount(positive, examined, Span(*match.span())))
    return tuple(counts)


def _is_beside_nodes(text: str, match: re.Match[str]) -> bool:
    before = re.split(r"[.;\n]", text[max(0, match.start() - 70) : match.start()])[-1]
    behind = re.split(r"[.;\n]", text[match.end() : match.end() + 45])[0]
    return _NODE.search(before) is not None or _NODE.search(behind) is not None


def _opens_after(text: str, match: re.Match[str], places: set[int]) -> bool:
    return any(text[place : match.start()].strip() == "(" for place in places)
