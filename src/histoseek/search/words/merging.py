"""Neighbouring tiles that fit words become one region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.encoders.bag import are_placed
from histoseek.geometry import Rect

MOST_PER_SLIDE = 3
"""Regions of one slide: a slide that is full of what is wanted leaves room for others."""

_REACH = 3
"""Tiles to each side of the best of a region: where all of a slide fits, its best part is shown."""

_APART = 1.5
"""Edges of tiles up to which two corners are those of neighbours: tiles may lie on no common grid."""


@dataclass(frozen=True, slots=True)
class ScoredRegion:
    """A part of a slide that fits: its score, of tiles that lie together that of the best; region: in level-0 px, None
    where places are not known; tiles: how many; outline: corners of a convex polygon that the region is the box of,
    None where it is no other than the region."""

    score: float
    region: Rect | None
    tiles: int
    outline: tuple[tuple[int, int], ...] | None = None

    @property
    def corner(self) -> tuple[int, int]:
        """Top-left, for an order of regions that fit the same."""
        return (self.region.x, self.region.y) if self.region else (0, 0)


def merge_tiles(
    scores: NDArray[np.float64], coords: NDArray[np.int32], edge: int, zero: float, most: int
) -> Sequence[ScoredRegion]:
    """The best regions of a slide, at most so many, best first.

    scores [N] and corners [N, 2] of its tiles, their edge in level-0 px (0 where places are not known). A region grows
    from the best tile that is left over neighbours that are at least half-way from chance (`zero`) to it.
    """
    if not are_placed(coords, edge):
        return [ScoredRegion(float(scores.max()), None, 1)]
    left = np.ones(len(scores), np.bool_)
    regions: list[ScoredRegion] = []
    boxes: list[Rect] = []
    while left.any() and len(regions) < most:
        peak = int(np.flatnonzero(left)[np.argmax(scores[left])])
        usable = left & (scores >= min(scores[peak], (scores[peak] + zero) / 2))
        for box in boxes:
            usable &= _stay_beside(box, peak, coords, edge)
        members = _grow(peak, coords, edge, usable)
        corners = coords[members]
        low, high = corners.min(axis=0), corners.max(axis=0) + edge
        region = Rect.span(*low.tolist(), *high.tolist())
        regions.append(ScoredRegion(float(scores[peak]), region, len(members)))
        boxes.append(region)
        # What surrounds a region is no other one.
        left &= (np.abs(coords - coords[peak]) > _REACH * edge).any(axis=1)
        left &= np.stack(_find_sides(region, coords, edge)).any(axis=0)
        left[members] = False
    return regions


def _find_sides(box: Rect, coords: NDArray[np.int32], edge: int) -> tuple[NDArray[np.bool_], ...]:
    """Which tiles lie wholly to the left, to the right, above and below a box, bool [N] each."""
    x, y = coords.T
    return x + edge <= box.x, x >= box.right, y + edge <= box.y, y >= box.bottom


def _stay_beside(box: Rect, peak: int, coords: NDArray[np.int32], edge: int) -> NDArray[np.bool_]:
    """The tiles on one side of an earlier region, that on which most of them are of those that the peak is on: boxes of
    regions never overlap."""
    near = (np.abs(coords - coords[peak]) <= _REACH * edge).all(axis=1)
    return max((side for side in _find_sides(box, coords, edge) if side[peak]), key=lambda side: int(side[near].sum()))


def _grow(peak: int, coords: NDArray[np.int32], edge: int, usable: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The usable tiles that are connected with the best one by neighbours, within reach."""
    near = np.flatnonzero(usable & (np.abs(coords - coords[peak]) <= _REACH * edge).all(axis=1))
    places = coords[near].astype(np.int64)
    member = near == peak
    while True:
        grown = member | (np.abs(places[:, None] - places[member][None]) <= _APART * edge).all(-1).any(1)
        if (grown == member).all():
            return near[member]
        member = grown
