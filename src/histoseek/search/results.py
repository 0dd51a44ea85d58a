"""Results of a search: typed, printable, and as the documented JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

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


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One slide found.

    score: 1 - distance, larger is more alike; local and global_: the distance's two parts; probability: that the
    diagnosis is the query's, None while the archive is not calibrated; matches: best first.
    """

    rank: int
    slide_id: str
    case_id: str | None
    score: float
    probability: float | None
    local: float
    global_: float
    matches: tuple[Match, ...]
    record: SlideRecord


@dataclass(frozen=True, slots=True)
class QueryInfo:
    """What was asked: the slide's id if it is archived, its file, its spacing in um/px, the filter, the distance."""

    slide_id: str | None
    uri: str
    spacing_um_per_px: float
    where: str | None
    distance: str


@dataclass(frozen=True, slots=True)
class SearchResults:
    """All that a search gave; mode: "exact", or "two-stage" when candidates were picked first."""

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
