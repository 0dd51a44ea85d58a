"""The neighbour graph of an archive: each slide with the slides of others that are nearest to it, kept exactly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.equality import EqualByContent
from histoseek.errors import ConfigurationError

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

NOBODY = -1
"""In place of a neighbour where there are fewer than the graph has room for."""

SPARE_NEIGHBOURS = 8
"""How many more neighbours than are used a slide has, so that the slides of a query's owner can be passed over."""

_MOST_CELLS = 2**24
_PAIRS_AT_ONCE = 2048
_ROUGHNESS = np.float32(1e-5)
"""By how much a cosine from a product of matrices may be off for vectors of length one, and more."""


@dataclass(frozen=True, slots=True, eq=False)
class NeighbourGraph(EqualByContent):
    """S slides, each with its K nearest by cosine among the slides of other owners.

    nearest: int32 [S, K], places of slides, nearest first, ties by place, NOBODY where there are fewer; cosines:
    float32 [S, K], minus infinity there. A cosine is the same from both sides, and does not depend on what else there
    is: a graph that was brought up to date is equal to one that is built anew.
    """

    nearest: NDArray[np.int32]
    cosines: Floats

    def __len__(self) -> int:
        return len(self.nearest)

    @property
    def bytes(self) -> int:
        """What the arrays take."""
        return self.nearest.nbytes + self.cosines.nbytes

    @classmethod
    def build(cls, vectors: Floats, owners: Ints, neighbours: int) -> NeighbourGraph:
        """The graph of vectors [S, D], of length one or zero, with codes of their owners, int64 [S].

        Every pair is looked at, in blocks that bound memory. Raises ConfigurationError for less than one neighbour.
        """
        if neighbours < 1:
            raise ConfigurationError("neighbours", f"{neighbours} are too few for a graph", "Give at least 1")
        return cls(*_search(np.arange(len(vectors)), vectors, owners, neighbours))

    def update(self, moved: Ints, vectors: Floats, owners: Ints) -> NeighbourGraph:
        """The graph after slides have come, gone or changed, as `build` would give it.

        moved: int64 [S of before], ascending where each slide stands among vectors [S of now, D] and owners, NOBODY for
        one that is gone, or whose vector or owner is another. The nearest of new slides are searched, and those of
        slides that have lost one of a full list; new slides are put into the lists of the others.
        """
        size = self.nearest.shape[1]
        stayed = np.flatnonzero(moved != NOBODY)
        nearest, is_short = _rename(self.nearest[stayed], moved)
        places = moved[stayed]
        searched = np.setdiff1d(np.arange(len(vectors)), places[~is_short])
        if 2 * len(searched) > len(vectors):
            return NeighbourGraph.build(vectors, owners, size)
        new = np.setdiff1d(searched, places)
        lists = _make_lists(len(vectors), size)
        for array, kept, found in zip(
            lists,
            _close_ranks(nearest, self.cosines[stayed]),
            _search(searched, vectors, owners, size),
            strict=True,
        ):
            array[places] = kept
            array[searched] = found
        _insert(lists, places[~is_short], new, vectors, owners)
        return NeighbourGraph(*lists)


def compute_cosines(vectors: Floats, first: Ints, others: Floats, second: Ints) -> Floats:
    """The cosines of pairs of vectors [N, D] and others [M, D] of length one, by their places, float32 [P].

    Each is summed on its own in float64, so that it is the same from both sides and in any company.
    """
    cosines = np.empty(len(first), np.float32)
    for start in range(0, len(first), _PAIRS_AT_ONCE):
        some = slice(start, start + _PAIRS_AT_ONCE)
        cosines[some] = (vectors[first[some]].astype(np.float64) * others[second[some]]).sum(axis=1)
    return cosines


def _make_lists(slides: int, size: int) -> tuple[NDArray[np.int32], Floats]:
    return np.full((slides, size), NOBODY, np.int32), np.full((slides, size), -np.inf, np.float32)


def _rename(nearest: NDArray[np.int32], moved: Ints) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Lists by the places of now, and which of them lack a neighbour that can't be told from what is left."""
    there = nearest != NOBODY
    renamed = np.where(there, moved[nearest], NOBODY).astype(np.int32)
    return renamed, there[:, -1] & (there & (renamed == NOBODY)).any(axis=1)


def _close_ranks(nearest: NDArray[np.int32], cosines: Floats) -> tuple[NDArray[np.int32], Floats]:
    """Lists with those that are gone behind the others."""
    gone = nearest == NOBODY
    order = np.argsort(gone, axis=1, kind="stable")
    kept = np.where(gone, np.float32(-np.inf), cosines)
    return np.take_along_axis(nearest, order, 1), np.take_along_axis(kept, order, 1)


def _search(places: Ints, vectors: Floats, owners: Ints, size: int) -> tuple[NDArray[np.int32], Floats]:
    """The nearest of some slides among all, int32 and float32 [P, K].

    Whoever may be among them by a product of matrices is compared once more, so that blocks make no difference.
    """
    nearest, cosines = _make_lists(len(places), size)
    for some in _split(len(places), len(vectors)):
        block = places[some]
        rough = vectors[block] @ vectors.T
        rough[owners[block][:, None] == owners] = -np.inf
        least = _find_kth_largest(rough, size)
        rows, columns = np.nonzero((rough >= least[:, None] - _ROUGHNESS) & (rough > -np.inf))
        exact = compute_cosines(vectors, block[rows], vectors, columns)
        _fill(nearest[some], cosines[some], rows, columns, exact)
    return nearest, cosines


def _split(rows: int, columns: int) -> Iterator[slice]:
    """Blocks of rows whose products with all columns stay small."""
    at_once = max(1, _MOST_CELLS // max(1, columns))
    for start in range(0, rows, at_once):
        yield slice(start, start + at_once)


def _find_kth_largest(rough: Floats, size: int) -> Floats:
    columns = rough.shape[1]
    if columns <= size:
        return np.full(len(rough), -np.inf, np.float32)
    return np.partition(rough, columns - size, axis=1)[:, columns - size]


def _fill(nearest: NDArray[np.int32], cosines: Floats, rows: Ints, columns: Ints, values: Floats) -> None:
    """Put pairs of a row and a place into the rows' lists: the largest values first, ties by place."""
    order = np.lexsort((columns, -values, rows))
    rows, columns, values = rows[order], columns[order], values[order]
    ranks = np.arange(len(rows)) - np.searchsorted(rows, rows)
    first = ranks < nearest.shape[1]
    nearest[rows[first], ranks[first]] = columns[first]
    cosines[rows[first], ranks[first]] = values[first]


def _insert(lists: tuple[NDArray[np.int32], Floats], kept: Ints, new: Ints, vectors: Floats, owners: Ints) -> None:
    """Put new slides into the lists of those that were there, in place."""
    nearest, cosines = lists
    for some in _split(len(kept), len(new)):
        block = kept[some]
        near = vectors[block] @ vectors[new].T >= cosines[block, -1][:, None] - _ROUGHNESS
        rows, columns = np.nonzero(near & (owners[block][:, None] != owners[new]))
        changed, rows = np.unique(rows, return_inverse=True)
        own_rows, ranks = np.nonzero(nearest[block[changed]] != NOBODY)
        own = nearest[block[changed]][own_rows, ranks], cosines[block[changed]][own_rows, ranks]
        values = compute_cosines(vectors, block[changed][rows], vectors, new[columns])
        merged = _make_lists(len(changed), nearest.shape[1])
        _fill(
            *merged,
            np.concatenate([own_rows, rows]),
            np.concatenate([own[0], new[columns]]),
            np.concatenate([own[1], values]),
        )
        nearest[block[changed]], cosines[block[changed]] = merged
