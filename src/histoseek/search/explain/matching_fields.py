"""Which field of a slide shows what it has in common with a query: squares of one size on tissue, best first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Self

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.schema import SlideRecord
from histoseek.encoders.bag import UNKNOWN_POSITION
from histoseek.geometry import Rect, Size
from histoseek.mosaics.signature import Signature
from histoseek.search.results import MatchingField, QuerySlide, SearchResult

SIZES_UM = (100, 200, 500, 1000, 2000, 5000, 10_000)
"""Edges of fields; those of one list are all the same."""

MOST_SHARE = 0.8
"""How much of a field's edge its region takes at most, so that some tissue around it is seen."""

FIELDS_SHOWN = 3
_WORTH_MOVING = 0.05
"""Share of a field that must be tissue beyond what a centred one has for it to be moved."""

_STEPS = np.array(sorted(product((-1.0, 0.0, 1.0), repeat=2), key=lambda step: abs(step[0]) + abs(step[1])))
"""Where a field may lie around its region, in parts of its slack; the first one is centred."""

Corners = NDArray[np.int64]

_Pair = tuple[Rect, Rect | None]
"""A region of a slide, and the query's that it matches."""


@dataclass(frozen=True, slots=True)
class TissueTiles:
    """A slide as far as its row tells where tissue is: the tiles that carry its vectors.

    corners: int64 [T, 2] of tiles of tissue, in level-0 px; edge: theirs, 0 where places are not known; spacing in
    um/px, 0 where it is not known; size: of the slide, None where it is not known; telling: the tile with the largest
    attention, None where its place is not known.
    """

    corners: Corners
    edge: int
    spacing_um_per_px: float
    size: Size | None = None
    telling: Rect | None = None

    @classmethod
    def from_signature(cls, signature: Signature, spacing_um_per_px: float, size: Size | None = None) -> Self:
        """By the tiles of a slide's mosaic vectors, each once."""
        edge = signature.tile_size_level0
        corners = np.concatenate([part.coords for part in signature.mosaic_tiles]).astype(np.int64)
        placed = corners[(corners != UNKNOWN_POSITION).all(axis=1)] if edge else corners[:0]
        keys = np.unique(placed[:, 0] << 32 | placed[:, 1])
        x, y = signature.mosaic_tiles[int(signature.shares.argmax())].coords[0].tolist()
        telling = Rect(x, y, edge, edge) if edge and UNKNOWN_POSITION not in (x, y) else None
        return cls(np.stack([keys >> 32, keys & 0xFFFFFFFF], axis=1), edge, spacing_um_per_px, size, telling)

    @classmethod
    def without_tiles(cls, spacing_um_per_px: float, size: Size | None) -> Self:
        """A slide of which no tile is known."""
        return cls(np.empty((0, 2), np.int64), 0, spacing_um_per_px, size)

    def measure_tissue(self, corners: Corners, edge: int) -> NDArray[np.float64]:
        """The share of squares [N, 2] of this edge that known tiles cover, float64 [N]."""
        covered = [self._overlap(corners[:, axis], edge, axis) for axis in (0, 1)]
        areas = np.einsum("nt,nt->n", *covered)
        return np.asarray(np.minimum(1.0, areas / edge**2), np.float64)

    def _overlap(self, starts: Corners, edge: int, axis: int) -> Corners:
        """The lengths that squares and tiles share along an axis, [N, T]."""
        own = self.corners[:, axis]
        shared = np.minimum(starts[:, None] + edge, own + self.edge) - np.maximum(starts[:, None], own)
        return np.maximum(shared, 0, out=shared)

    def place_fields(self, regions: Sequence[Rect], field_um: float) -> list[Rect]:
        """A square of this edge for each region: around its middle, or moved to where more is tissue while the region
        stays in it; within the slide where it is large enough."""
        if not regions:
            return []
        edge = max(1, round(field_um / self.spacing_um_per_px))
        sides = np.array([[region.width, region.height] for region in regions])
        centred = np.array([[region.x, region.y] for region in regions]) - (edge - sides) / 2
        slack = np.clip((edge - sides) / 2, 0, None)
        moved = (centred[:, None] + slack[:, None] * _STEPS).round().astype(np.int64)
        placed = self._keep_inside(moved, edge)
        shares = self.measure_tissue(placed.reshape(-1, 2), edge).reshape(len(regions), -1)
        best = shares.argmax(axis=1)
        best[shares.max(axis=1) < shares[:, 0] + _WORTH_MOVING] = 0
        return [Rect(x, y, edge, edge) for x, y in placed[np.arange(len(regions)), best].tolist()]

    def _keep_inside(self, corners: Corners, edge: int) -> Corners:
        """Squares moved onto the slide, or around its middle where it is smaller."""
        if self.size is None:
            return np.maximum(corners, 0)
        room = np.array([self.size.width, self.size.height]) - edge
        return np.where(room < 0, room // 2, np.clip(corners, 0, np.maximum(room, 0)))


def add_fields(
    results: Sequence[SearchResult],
    signatures: Sequence[Signature | None],
    query: Sequence[tuple[QuerySlide, Signature]] = (),
) -> tuple[tuple[SearchResult, ...], float | None]:
    """The results with their fields, best first, and the edge of all fields in um, None where no result has any.

    A field shows the region that was found, else what matches the image, else what fits the words, else the tile with
    the largest attention. signatures: of the results' slides, None where they are not at hand; query: its slides. Only
    rows are read, no bag and no picture.
    """
    queried = [TissueTiles.from_signature(signature, slide.spacing_um_per_px) for slide, signature in query]
    slides = [_make_tiles(result.record, signature) for result, signature in zip(results, signatures, strict=True)]
    matched = [
        _Matched(tiles, queried[result.query_slide] if queried else None, list(_list_pairs(result)))
        for result, tiles in zip(results, slides, strict=True)
    ]
    longest_um = max((length for one in matched for length in one.list_lengths_um()), default=0.0)
    if not longest_um:
        return tuple(results), None
    field_um = choose_size_um(longest_um)
    counterparts = _Counterparts(float(field_um), {})
    return (
        tuple(
            replace(result, fields=tuple(one.make_fields(field_um, counterparts)))
            for result, one in zip(results, matched, strict=True)
        ),
        float(field_um),
    )


def choose_size_um(longest_um: float) -> int:
    """The smallest of SIZES_UM in which a region of this length has room."""
    return next((size for size in SIZES_UM if size * MOST_SHARE >= longest_um), SIZES_UM[-1])


@dataclass(frozen=True, slots=True)
class _Counterparts:
    """Fields of the query's slides, each placed once: results share them."""

    field_um: float
    placed: dict[tuple[int, Rect], Rect]

    def find(self, query: TissueTiles, matched: Rect | None) -> Rect | None:
        """Around the region that was matched; where words led to the slide, around what tells most of the query."""
        region = matched or query.telling
        if region is None or not query.spacing_um_per_px:
            return None
        key = id(query), region
        if key not in self.placed:
            [self.placed[key]] = query.place_fields([region], self.field_um)
        return self.placed[key]


@dataclass(frozen=True, slots=True)
class _Matched:
    """What a slide and a query have in common: regions of the two, best first."""

    slide: TissueTiles
    query: TissueTiles | None
    pairs: list[_Pair]

    @property
    def telling_pairs(self) -> list[_Pair]:
        """Without any that match, the tiles with the largest attention."""
        return self.pairs if self.pairs or self.slide.telling is None else [(self.slide.telling, None)]

    def list_lengths_um(self) -> Iterator[float]:
        for region, _ in self.telling_pairs:
            yield max(region.width, region.height) * self.slide.spacing_um_per_px

    def make_fields(self, field_um: float, counterparts: _Counterparts) -> Iterator[MatchingField]:
        """At most FIELDS_SHOWN, none in the midst of another; none where the slide's spacing is not known."""
        if not self.slide.spacing_um_per_px:
            return
        fields: list[Rect] = []
        placed = self.slide.place_fields([region for region, _ in self.telling_pairs], field_um)
        for field, (region, query_region) in zip(placed, self.telling_pairs, strict=True):
            if any(_holds_middle(other, region) for other in fields) or len(fields) == FIELDS_SHOWN:
                continue
            fields.append(field)
            yield MatchingField(field, counterparts.find(self.query, query_region) if self.query else None)


def _make_tiles(record: SlideRecord, signature: Signature | None) -> TissueTiles:
    size = Size(record.width, record.height) if record.width and record.height else None
    if signature is None:
        return TissueTiles.without_tiles(record.spacing_um_per_px, size)
    return TissueTiles.from_signature(signature, record.spacing_um_per_px, size)


def _list_pairs(result: SearchResult) -> Iterator[_Pair]:
    """The regions that led to a result, with the query's: what was found, else what matched, else what fits words."""
    if result.region is not None:
        yield result.region, None
        return
    matched = [match for match in result.matches if match.result_region is not None]
    for match in matched:
        if match.result_region is not None and (match is matched[0] or (match.contribution or 0) >= 0):
            yield match.result_region, match.query_region
    if matched:
        return
    for near in result.text_regions:
        if near.region is not None and (near.contribution is None or near.contribution > 0):
            yield near.region, None


def _holds_middle(field: Rect, region: Rect) -> bool:
    x, y = region.x + region.width / 2, region.y + region.height / 2
    return field.x <= x < field.right and field.y <= y < field.bottom
