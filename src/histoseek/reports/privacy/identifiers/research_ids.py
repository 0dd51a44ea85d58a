"""Barcodes of The Cancer Genome Atlas and universally unique identifiers, also as scans tear them.

A scan puts blanks and line breaks beside the hyphens, makes other marks of them, and mixes up O and 0, I and 1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from histoseek.reports.privacy.identifiers.identifier_kinds import Identifier, IdentifierKind

_DASH = r"[-\u2010-\u2015\u2212.\u2022\u00b7_~]"
_HYPHEN = rf"(?:[ ]{{0,2}}{_DASH}{{1,2}}[ ]{{0,2}}(?:\n[ ]{{0,2}})?)"
_NOISE = rf"(?:{_HYPHEN}|[ ]?[-.;:,)('][-.;:,)(' ]{{0,3}}|[ ])"
_HEX = r"[0-9A-Fa-fOoQIlSsGgZz$@&?]"
_DIGITS = 32
_SLACK = 4
_LABELLED_UUID = re.compile(
    rf"(?<![^\W_])U[UO0][I1l|!][DbO0](?:[ ]{{0,2}}[:;.#=\u2022][ ]{{0,2}}|[ ]{{1,2}}|(?=[0-9A-F]))"
    rf"({_HEX}(?:{_NOISE}?+{_HEX}){{{_DIGITS - _SLACK - 1},{_DIGITS + _SLACK - 1}}}(?=[^\w]|T[CO0]?[CO0]GA|$)"
    rf"|{_HEX}(?:{_NOISE}?+{_HEX}){{{_DIGITS - 1}}})"
)
_UUID = re.compile(
    rf"(?<![^\W_]){_HEX}{{7,9}}{_HYPHEN}(?:{_HEX}{{3,5}}{_HYPHEN}){{3}}{_HEX}{{10,13}}(?:\.\w{{1,5}}(?![\w]))?(?![a-z])"
)
_MARK = r"[0-9A-Zl\]]"
_PORTION = (
    rf"(?:(?:{_HYPHEN}|[ ])[0-9A-Za-z][0-9A-Z][A-Z]?(?:(?:{_HYPHEN}|[ ])(?:PR|[0-9A-Z]{{2,4}})){{0,3}}"
    r"(?=Redact|[^\w]|_|$))?"
)
_BARCODES = tuple(
    re.compile(pattern)
    for pattern in (
        # The project's four letters, whole or torn, the site and the participant
        rf"T[ ]?[CO0][ ]?G[ ]?A(?:{_HYPHEN}|[ ]){_MARK}{{1,2}}(?:{_HYPHEN}|[ ])"
        rf"(?=[A-Z\]]{{0,3}}[0-9]|[A-Z]{{3,4}}{_HYPHEN}){_MARK}{{3,5}}(?![0-9a-z]){_PORTION}",
        r"(?<![^\W_])tcga-[0-9a-z]{2}-(?=[a-z]{0,3}[0-9])[0-9a-z]{4}(?![0-9a-z])(?:-[0-9a-z]{2,4}){0,5}",
        # The letters misread
        rf"(?<![0-9])(?:[T'\u2018\u2019rlIf]?[COG0Q]G[A4]|[Tt][CO0G][GC6Q][A4]|[rlI1]eGA|[rlI1]CGA)"
        rf"{_HYPHEN}{_MARK}{{2}}{_HYPHEN}(?=[A-Z]*[0-9]){_MARK}{{3,5}}(?![0-9a-z]){_PORTION}",
        # The letters lost, the sample and the analyte there
        rf"(?<![^\W_])[A-Z'\u2018\u2019]{{1,5}}{_HYPHEN}{_MARK}{{2}}{_HYPHEN}{_MARK}{{3,4}}{_HYPHEN}"
        rf"[0-9A-Za-z]{{2}}[A-Z]{_HYPHEN}PR(?=Redact|[^\w]|$)",
        rf"(?<![^\W_])[CG]?[G6]A{_HYPHEN}[A-Z0-9]{{2}}{_HYPHEN}(?=[A-Z]?[0-9])[A-Z0-9]{{4}}(?![0-9A-Za-z]){_PORTION}",
    )
)
_FEWEST_DIGITS = 6


def find_research_ids(text: str) -> Iterator[Identifier]:
    """Barcodes and UUIDs; without its label a UUID has the five groups, give or take a character in each."""
    for match in _LABELLED_UUID.finditer(text):
        if sum(mark.isdigit() for mark in match.group(1)) >= _FEWEST_DIGITS:
            yield Identifier(match.start(1), _end_before_barcode(text, match), IdentifierKind.ID)
    for match in _UUID.finditer(text):
        if sum(mark.isdigit() for mark in match.group()) >= _FEWEST_DIGITS:
            yield Identifier(match.start(), match.end(), IdentifierKind.ID)
    for pattern in _BARCODES:
        for match in pattern.finditer(text):
            yield Identifier(match.start(), match.end(), IdentifierKind.ID)


def _end_before_barcode(text: str, match: re.Match[str]) -> int:
    """Where a run of digits ends; a line behind it that begins like a code of its own is none of it."""
    last_line = match.group(1).rfind("\n")
    hexadecimals = sum(mark.isalnum() for mark in match.group(1)[:last_line]) if last_line > 0 else 0
    return match.start(1) + last_line if hexadecimals >= _DIGITS - 1 else match.end()
