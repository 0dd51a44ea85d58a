"""Results of a search: typed, printable, and as the documented JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from histoseek.archive.schema import SlideRecord, owner_of, value_of
from histoseek.geometry import Rect
from histoseek.mosaics.calibration import is_novel
from histoseek.search.attention import Attention
from histoseek.search.explanation import Explanation, Phrase, TextRegion
from histoseek.search.printed import as_html, as_text
from histoseek.search.vote import Ballot, Vote, take_vote

NOT_IN_JSON: Mapping[str, bool] = MappingProxyType({"json": False})
"""Marks a field that is for Python only."""


@dataclass(frozen=True, slots=True)
class Match:
    """Two regions that meet: mosaic vectors by number, the cosine between them, and the tile that carries each most,
    in level-0 px of its slide (None where the place is not known).

    contribution: what the pair gave the score, as in the result's explanation; None where the distance does not look
    at mosaics.
    """

    query_mosaic: int
    result_mosaic: int
    similarity: float
    query_region: Rect | None
    result_region: Rect | None
    contribution: float | None = None


WayName = Literal["similar slides", "shared space", "report vectors", "report words", "marked slides"]
"""How a result was reached: by mosaics and global vectors; by vectors in the space that slides and texts share; by
vectors of texts; by the words of the report (BM25); by its distance to slides that were marked as relevant."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way that led to a result: its rank there, from 1, and its score there (cosine, BM25, or 1 - distance).

    weight: its part in the fused score, below 0 for what was not wanted.
    """

    name: WayName
    rank: int
    score: float
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One slide, or the report of one slide, found.

    score: larger is more alike; 1 - distance between slides, the cosine where a single way of vectors led here, and
    the fused rank (docs/json.md) where there were several; local and global_: the distance's two parts, None unless
    slides were compared; probability: that the label (`calibrated_for`) is the query's, None where not calibrated;
    matches: best first; ways: how it was reached; query_slide: which of the query's slides it is nearest to, from 0;
    also: the other slides of its case, where cases are results; explanation: of what the score between slides is made,
    None unless slides were compared; phrases and text_regions: what of its report and of the slide is nearest to a
    text that was asked with, of the first results only; attention: where its vectors lie on the query and on the slide,
    None unless slides were compared; not in the JSON.
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
    query_slide: int = 0
    also: tuple[str, ...] = ()
    explanation: Explanation | None = None
    phrases: tuple[Phrase, ...] = ()
    text_regions: tuple[TextRegion, ...] = ()
    attention: Attention | None = field(default=None, compare=False, repr=False, metadata=NOT_IN_JSON)


QueryKind = Literal["slide", "region", "tile", "case", "text", "report", "composed"]


@dataclass(frozen=True, slots=True)
class QuerySlide:
    """A slide asked with: its id when it is the archive's; uri: its file; spacing_um_per_px: of its level 0."""

    slide_id: str | None
    uri: str
    spacing_um_per_px: float


@dataclass(frozen=True, slots=True)
class QueryInfo:
    """What was asked, with what is not of its kind None or empty.

    slide_id: of an archived slide; uri: the file; spacing_um_per_px: the slide's; slides: all that were asked with,
    several for a case; regions: of the slide, in level-0 px; text and without: as typed; weight: of the words beside
    an image; to: what was looked for; where: the filter; distance: between slides; offset: better results passed over.
    """

    kind: QueryKind
    to: Literal["slides", "reports"]
    slide_id: str | None = None
    uri: str | None = None
    spacing_um_per_px: float | None = None
    slides: tuple[QuerySlide, ...] = ()
    regions: tuple[Rect, ...] = ()
    text: str | None = None
    without: str | None = None
    weight: float | None = None
    where: str | None = None
    distance: str | None = None
    offset: int = 0
    relevant: tuple[str, ...] = ()
    irrelevant: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchResults:
    """All that a search gave.

    mode: "exact" or "two-stage" (candidates picked first) between slides, else "fused"; calibrated_for: the metadata
    column that probabilities are of, None without any; novelty: the share of the archive's slides that are as far
    from all others as the query is, small for a query unlike them, None where that is not known; vote_: the vote that
    was asked for with the search.
    """

    query: QueryInfo
    mode: str
    elapsed_ms: float
    results: tuple[SearchResult, ...]
    warnings: tuple[str, ...] = ()
    calibrated_for: str | None = None
    novelty: float | None = None
    vote_: Vote | None = None

    def __iter__(self) -> Iterator[SearchResult]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    def __str__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return as_html(self)

    def vote(self, label_column: str) -> Vote:
        """What the results' patients vote for in a metadata column; raises InputError for one that is not there."""
        labels = [(result, value_of(result.record, label_column)) for result in self.results]
        ballots = [self._ballot(result, label, label_column) for result, label in labels if label]
        owners = {owner_of(result.record) for result in self.results}
        unlabelled = len(owners - {ballot.owner for ballot in ballots})
        return take_vote(label_column, ballots, unlabelled, novel=is_novel(self.novelty))

    def _ballot(self, result: SearchResult, label: str, label_column: str) -> Ballot:
        return Ballot(
            owner=owner_of(result.record),
            label=label,
            distance=1 - result.score if self.mode != "fused" else None,
            probability=result.probability if label_column == self.calibrated_for else None,
        )

    def to_json(self) -> str:
        """The documented object (docs/json.md)."""
        return json.dumps(plain(self), indent=1, allow_nan=False)


def plain(value: Any) -> Any:
    """Dataclasses, mappings, sequences and dates as what JSON knows, which is no NaN and no infinity (null); a trailing
    underscore of a field is dropped."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        told = [one.name for one in dataclasses.fields(value) if one.metadata.get("json", True)]
        return {name.rstrip("_"): plain(getattr(value, name)) for name in told}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.isoformat() if isinstance(value, date) else value
