"""Anchors: the tissue cut into regions at several scales, the same whatever the order of its tiles.

At each scale recursive bisection cuts the occupied cells of the tile grid: across the longer axis, between two columns
or rows, so that the cells on both sides are as the numbers of regions that they will hold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.encoders.slide.fgcr.architecture import FgcrArchitecture
from histoseek.equality import EqualByContent

Ints = NDArray[np.int64]

_STEPS = 50
"""Halvings of the interval in which the stretch of the scales is sought."""


@dataclass(frozen=True, slots=True, eq=False)
class Anchors(EqualByContent):
    """The anchors of N tiles, scale after scale from the finest.

    positions: float64 [A, 2], the means of the regions' occupied cells, column and row; sides: float64 [A], the roots
    of the areas of the regions' rectangles, in tiles; scales: int64 [A], places in the architecture's scales; members:
    int64 [S, N], the anchor of each tile at each of the S scales that are in use.
    """

    positions: NDArray[np.float64]
    sides: NDArray[np.float64]
    scales: Ints
    members: Ints

    def __len__(self) -> int:
        return len(self.scales)


def place_anchors(cells: Ints, architecture: FgcrArchitecture) -> Anchors:
    """The anchors of tiles at cells int64 [N, 2] (column, row), N >= 1; at most the architecture's mosaic_size.

    Tiles of one cell count as one. Every scale in use has all tiles, each in one region; a scale with as many regions
    as a finer one would be cut like it, and is left out.
    """
    distinct, which = list_distinct(cells)
    positions, sides, scales, members, total = [], [], [], [], 0
    for scale, count in count_regions(len(distinct), architecture.scales, architecture.mosaic_size).items():
        labels = bisect(distinct, count)
        sums = np.stack([np.bincount(labels, axis) for axis in distinct.T.astype(np.float64)], axis=1)
        positions.append(sums / np.bincount(labels)[:, None])
        sides.append(np.sqrt(_measure_areas(distinct, labels, count)))
        scales.append(np.full(count, scale))
        members.append(labels[which] + total)
        total += count
    return Anchors(np.concatenate(positions), np.concatenate(sides), np.concatenate(scales), np.stack(members))


def count_regions(cells: int, scales: tuple[int, ...], most: int) -> dict[int, int]:
    """How many regions each scale in use cuts this many cells into, by its place in `scales` (cells of a region).

    All scales are stretched by the same factor, the least of at least 1 with which the counts sum up to `most` or
    less.
    """
    low, high = 1.0, float(max(2, cells))
    counts = _count(cells, scales, low)
    if sum(counts) > most:
        for _ in range(_STEPS):
            middle = (low * high) ** 0.5
            low, high = (low, middle) if sum(_count(cells, scales, middle)) <= most else (middle, high)
        counts = _count(cells, scales, high)
    return {scale: count for scale, count in enumerate(counts) if count not in counts[:scale]}


def _count(cells: int, scales: tuple[int, ...], stretch: float) -> list[int]:
    return [min(cells, max(1, int(cells / (scale * stretch) + 0.5))) for scale in scales]


def bisect(cells: Ints, count: int) -> Ints:
    """Labels int64 [C] from 0 to count - 1 of distinct cells int64 [C, 2], C >= count >= 1, in `count` rectangles that
    share no cell; neighbours in number are neighbours in place."""
    labels = np.zeros(len(cells), np.int64)
    pending, label = [(np.arange(len(cells)), count)], 0
    while pending:
        places, parts = pending.pop()
        if parts == 1:
            labels[places] = label
            label += 1
            continue
        is_first, first_parts = _halve(cells[places], parts)
        pending += [(places[~is_first], parts - first_parts), (places[is_first], first_parts)]
    return labels


def _halve(cells: Ints, parts: int) -> tuple[NDArray[np.bool_], int]:
    """Which cells lie on the first side of the cut, and how many of the parts they will be cut into."""
    width, height = np.ptp(cells, axis=0)
    values = cells[:, int(height > width)]
    ordered = np.sort(values)
    ends = np.flatnonzero(ordered[1:] > ordered[:-1]) + 1
    count = int(ends[np.abs(ends - len(cells) * (parts // 2) / parts).argmin()])
    first_parts = int(parts * count / len(cells) + 0.5)
    first_parts = min(max(first_parts, 1, parts - len(cells) + count), parts - 1, count)
    return values < ordered[count], first_parts


def list_distinct(cells: Ints) -> tuple[Ints, Ints]:
    """The distinct cells [C, 2], ordered by row and column, and which of them each cell is [N]."""
    order = np.lexsort(cells.T)
    ordered = cells[order]
    is_new = np.concatenate([[True], (ordered[1:] != ordered[:-1]).any(axis=1)])
    which = np.empty(len(cells), np.int64)
    which[order] = np.cumsum(is_new) - 1
    return ordered[is_new], which


def _measure_areas(cells: Ints, labels: Ints, count: int) -> NDArray[np.float64]:
    """The areas [count] of the rectangles around the cells of each label, in cells."""
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], np.arange(count))
    ordered = cells[order]
    extents = np.maximum.reduceat(ordered, starts) - np.minimum.reduceat(ordered, starts) + 1
    return extents.astype(np.float64).prod(axis=1)
