"""Results of a search: typed, printable, and as the documented JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

from histoseek.archive.schema import SlideRecord
from histoseek.geometry import Rect


@dataclass(frozen=True, slots=True)
class Match:
    """Two regions that meet: mosaic vectors by number, the cosine between them, and the tile that carries each most,
    in level-0 px of its slide (None where the place is not known)."""

    query_mosaic: int
    result_mosaic: int
    similarity: float
    query_region: Rect | None
    result_region: Rect | None


WayName = Literal["similar slides", "shared space", "report vectors", "report words"]
"""How a result was reached: by mosaics and global vectors; by vectors in the space that slides and texts share; by
vectors of texts; by the words of the report (BM25)."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way that led to a result: its rank there, from 1, and its score there (cosine, BM25, or 1 - distance)."""

    name: WayName
    rank: int
    score: float


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One slide, or the report of one slide, found.

    score: larger is more alike; 1 - distance between slides, the cosine where a single way of vectors led here, and
    the fused rank (docs/json.md) where there were several; local and global_: the distance's two parts, None unless
    slides were compared; probability: that the diagnosis is the query's, None while the archive is not calibrated;
    matches: best first; ways: how it was reached.
    """

    rank: int
    slide_id: str
    case_id: str | None
    score: float
    probability: float | None
    local: float | None
    global_: float | None
    matches: tuple[Match, ...]
    ways: tuple[Way, ...]
    record: SlideRecord


@dataclass(frozen=True, slots=True)
class QueryInfo:
    """What was asked, with what is not of its kind None.

    slide_id: of an archived slide; uri: the file; spacing_um_per_px: the slide's; text: as typed; to: what was looked
    for; where: the filter; distance: between slides.
    """

    kind: Literal["slide", "text", "report"]
    to: Literal["slides", "reports"]
    slide_id: str | None = None
    uri: str | None = None
    spacing_um_per_px: float | None = None
    text: str | None = None
    where: str | None = None
    distance: str | None = None


@dataclass(frozen=True, slots=True)
class SearchResults:
    """All that a search gave; mode: "exact" or "two-stage" (candidates picked first) between slides, else "fused"."""

    query: QueryInfo
    mode: str
    elapsed_ms: float
    results: tuple[SearchResult, ...]
    warnings: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[SearchResult]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    def to_json(self) -> str:
        """The documented object (docs/json.md): query, mode, elapsed_ms, results, warnings."""
        return json.dumps(plain(self), indent=1, allow_nan=False)


def plain(value: Any) -> Any:
    """Dataclasses, mappings, sequences and dates as what JSON knows; a trailing underscore of a field is dropped."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name.rstrip("_"): plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    return value.isoformat() if isinstance(value, date) else value
