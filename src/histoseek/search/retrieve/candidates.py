"""Which slides are ranked for a query, and what ranking needs of them, from the rows that the store keeps at hand."""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.stores.remote_slides import RemoteSlides
from histoseek.archive.stores.rows import RankingRows, quantise
from histoseek.archive.stores.slides import SlideTable
from histoseek.deadline import check_deadline
from histoseek.mosaics.distances import Distances, SignatureBlock, mix_cosines
from histoseek.mosaics.late_interaction import split_runs
from histoseek.search.options import CandidateCount
from histoseek.search.scope.exclusion import SearchScope, leave_out

Doubles = NDArray[np.float64]
Ids = NDArray[np.str_]
Places = NDArray[np.int64]

_SCREENED_PER_CANDIDATE = 4
"""Slides, for each candidate wanted, that a look in eight bits leaves; those are compared in full of which it does not
tell whether they are among the nearest."""

_ERRORS = 5
"""Standard deviations of the error of a product in eight bits that it may be off by."""

_FIRST = 32_000
_FIRST_PER_CANDIDATE = 16
_LEAST_SHARE = 128
"""Of a large store so many slides at least, so many for each candidate wanted, and one of so many are looked at in
eight bits: those that are nearest in one bit a number."""

_SHARE_OF_MEMORY = 1 / 3
"""Of the machine's: arrays that are larger are taken to be on the disk."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Slides to be ranked: some places of the rows that the store keeps at hand, int64 [n], ascending."""

    rows: RankingRows
    places: Places

    @classmethod
    def at(cls, rows: RankingRows, places: Places) -> Candidates:
        """Those at some places."""
        return cls(rows, places)

    @property
    def slide_ids(self) -> Ids:
        """Their ids, in the order of their places."""
        return self.rows.slide_ids if self._all else self.rows.slide_ids[self.places]

    def list_ids(self, rows: Places) -> list[str]:
        """The ids of some of them, by where they stand among these."""
        ids: list[str] = self.rows.slide_ids[self.places[rows]].tolist()
        return ids

    def find(self, slide_id: str) -> int:
        """Where one of them stands among these."""
        return int(np.searchsorted(self.places, self.rows.places_of([slide_id])[0]))

    def best(self, totals: Doubles, count: int) -> Places:
        """Where those with the `count` least totals stand among these, ties by id."""
        few = _least(totals, count)
        return few[np.lexsort((self.rows.slide_ids[self.places[few]], totals[few]))][:count]

    def __len__(self) -> int:
        return len(self.places)

    def parts(self, vectors: int) -> Iterator[Candidates]:
        """The same slides, some at a time: so many that they have at most this many mosaic vectors, or one slide."""
        counts = self.rows.offsets[self.places + 1] - self.rows.offsets[self.places] - 1
        for first, last in split_runs(np.concatenate([[0], np.cumsum(counts)]), vectors):
            check_deadline()
            yield Candidates(self.rows, self.places[first:last])

    @property
    def block(self) -> SignatureBlock:
        """Their signatures, copied unless these are all rows."""
        if self._all:
            return self.rows.block
        offsets, last = self.rows.offsets, self.places + 1
        _read_ahead(self.rows.barcodes, offsets[self.places], offsets[last])
        _read_ahead(self.rows.global_vectors, self.places, last)
        return self.rows.block.take(self.places)

    def distances(self, *measures: Callable[[SignatureBlock], Distances]) -> list[Distances]:
        """Their distances by each of some measures of blocks. Where they are most of the rows, all rows are measured:
        that is cheaper than copying them."""
        if self._all or len(self) * 2 < len(self.rows):
            block = self.block
            return list(_measure(block, measures))
        every = list(_measure(self.rows.block, measures))
        return [Distances(one.total[self.places], one.local[self.places], one.global_[self.places]) for one in every]

    @property
    def _all(self) -> bool:
        return len(self.places) == len(self.rows)


def _measure(block: SignatureBlock, measures: Iterable[Callable[[SignatureBlock], Distances]]) -> Iterator[Distances]:
    for measure in measures:
        check_deadline()
        yield measure(block)


def candidates(
    store: SlideTable,
    global_vector: NDArray[np.float32],
    count: CandidateCount | int | None,
    scope: SearchScope,
    context: NDArray[np.float32] | None = None,
    also: Sequence[str] = (),
) -> Candidates:
    """The `count` slides of a scope whose global vectors, and contexts, are nearest by cosine, all of them for None.

    Every global vector of the scope is looked at in eight bits, of a large store in one bit first, and the nearest of
    those in full: no index stands between, but for archives on servers that are too large for this machine, where a
    count does not grow. also: slides that are among them in any case, where the scope has them. Raises BadFilter.
    """
    check_deadline()
    wanted = count if count is None or isinstance(count, CandidateCount) else CandidateCount(count)
    server = store.server_candidates if wanted is not None and isinstance(store, RemoteSlides) else None
    if server is not None and wanted is not None:
        rows = server.find_near(global_vector, wanted.least, scope.condition, context, also)
        places, left_out = np.arange(len(rows)), np.empty(0, np.int64)
    else:
        rows, (places, left_out) = store.ranking_rows(), scope.split(store)
    if wanted is None or len(places) <= wanted.least:
        return Candidates.at(rows, leave_out(places, left_out))
    near = _nearest(rows, global_vector, places, left_out, wanted.among(len(places)), context)
    more = leave_out(_select_among(np.sort(rows.places_of(also)), places), left_out)
    return Candidates.at(rows, np.union1d(near, more) if len(more) else near)


def gather(store: SlideTable, slide_ids: Sequence[str]) -> Candidates:
    """Some slides, those that there are."""
    server = store.server_candidates if isinstance(store, RemoteSlides) else None
    if server is not None:
        rows = server.read(slide_ids)
        return Candidates.at(rows, np.arange(len(rows)))
    rows = store.ranking_rows()
    return Candidates.at(rows, np.sort(rows.places_of(slide_ids)))


def best(slide_ids: Ids, totals: Doubles, count: int) -> Places:
    """Places of the `count` least totals, ties by id."""
    few = _least(totals, count)
    return few[np.lexsort((slide_ids[few], totals[few]))][:count]


def _least(totals: Doubles, count: int) -> Places:
    """Where the `count` least totals are, and those that are equal to the last of them, ascending."""
    if count >= len(totals):
        return np.arange(len(totals))
    return np.flatnonzero(totals <= np.partition(totals, count - 1)[count - 1])


def _nearest(
    rows: RankingRows,
    vector: NDArray[np.float32],
    places: Places,
    left_out: Places,
    count: int,
    context: NDArray[np.float32] | None,
) -> Places:
    """The places among these but for some whose vectors have the largest inner products with one, ascending."""
    from histoseek.search.retrieve.scan import inner, products, screen

    coarse = rows.contexts @ context if context is not None and rows.contexts.shape[1] else None
    if coarse is None and rows.signs.shape[1]:
        wanted = max(_FIRST, count * _FIRST_PER_CANDIDATE, len(places) // _LEAST_SHARE)
        places = screen(rows.signs, vector, places, wanted + len(left_out))
    places = leave_out(places, left_out)
    if len(places) <= count:
        return places
    codes, scales = quantise(vector[None])
    rough = products(rows.codes, codes[0], places) * (rows.scales[places] * scales[0])
    mixed = mix_cosines(rough, None if coarse is None else coarse[places])
    few = _largest(mixed, count * _SCREENED_PER_CANDIDATE)
    near, mixed = places[few], mixed[few]
    errors = _bound_errors(rows.scales[near], rows.squares[near], scales[0], vector)
    is_sure, is_open = _decide(mixed - errors, mixed + errors, count)
    sure, in_doubt = near[is_sure], near[is_open]
    _read_ahead(rows.global_vectors, in_doubt, in_doubt + 1)
    exact = mix_cosines(inner(rows.global_vectors, vector, in_doubt), None if coarse is None else coarse[in_doubt])
    return np.sort(np.concatenate([sure, in_doubt[_largest(exact, count - len(sure))]]))


def _bound_errors(
    scales: NDArray[np.float32], squares: Doubles, scale: np.float32, vector: NDArray[np.float32]
) -> Doubles:
    """How far products of codes may be off, float64 [n]: each number of either is rounded by up to half its scale."""
    return _ERRORS * np.sqrt(
        (scales.astype(np.float64) ** 2 * float(vector @ vector) + float(scale) ** 2 * squares) / 12
    )


def _decide(least: Doubles, most: Doubles, count: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Of more than `count` values that lie between bounds, bool [n] each: which are among the `count` largest in any
    case, and which others may be."""
    # More than `count` may reach what is no larger than this; so many are no smaller than that.
    reached, passed = np.partition(most, -count - 1)[-count - 1], np.partition(least, -count)[-count]
    is_sure = least > reached
    return is_sure, ~is_sure & (most >= passed)


def _select_among(places: Places, others: Places) -> Places:
    """The places that are among some others, ascending as these are."""
    ranks = np.minimum(np.searchsorted(others, places), len(others) - 1)
    return places[others[ranks] == places]


def _largest(values: NDArray[np.float32], count: int) -> Places:
    """Where the `count` largest values are, ascending."""
    if count >= len(values):
        return np.arange(len(values))
    if not count:
        return np.empty(0, np.int64)
    return np.sort(np.argpartition(-values, count - 1)[:count])


def _read_ahead(array: NDArray[Any], starts: Places, ends: Places) -> None:
    """Ask the system for rows, from each start to its end, of an array mapped from a file that is too large to be in
    memory: all at once, as one after the other each is waited for, and brings 128 KB of others with it."""
    if sys.platform != "linux" or array.nbytes < _count_memory() * _SHARE_OF_MEMORY or not len(starts):
        return
    row = array.strides[0]
    begins = (array.ctypes.data + starts * row) // mmap.PAGESIZE * mmap.PAGESIZE
    sizes = array.ctypes.data + ends * row - begins
    advise = _load_advice()
    for begin, size in zip(begins.tolist(), sizes.tolist(), strict=True):
        advise(begin, size, mmap.MADV_WILLNEED)


@lru_cache(maxsize=1)
def _count_memory() -> int:
    """Bytes of the machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@lru_cache(maxsize=1)
def _load_advice() -> Callable[[int, int, int], int]:
    """madvise of the C library."""
    advise = ctypes.CDLL(None).madvise
    advise.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    return cast("Callable[[int, int, int], int]", advise)
