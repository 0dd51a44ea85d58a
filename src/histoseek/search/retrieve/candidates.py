"""Which slides are ranked for a query, and what ranking needs of them, from the rows that the store keeps at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.stores.remote_slides import RemoteSlides
from histoseek.archive.stores.rows import RankingRows, quantise
from histoseek.archive.stores.slides import SlideTable
from histoseek.deadline import check_deadline
from histoseek.mosaics.distances import Distances, SignatureBlock, mix_cosines
from histoseek.mosaics.late_interaction import split_runs
from histoseek.search.options import CandidateCount
from histoseek.search.scope.exclusion import SearchScope

Doubles = NDArray[np.float64]
Ids = NDArray[np.str_]
Places = NDArray[np.int64]

_SCREENED_PER_CANDIDATE = 4
"""Slides whose vectors are compared in full, for each candidate wanted, after a first look in eight bits."""

_FIRST_PER_CANDIDATE = 64
_LEAST_SHARE = 24
"""Of a large store, as many slides for each candidate wanted, and at least one of so many, are looked at in eight bits:
those that are nearest in one bit a number."""


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
        return self.rows.block if self._all else self.rows.block.take(self.places)

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
        places = np.arange(len(rows))
    else:
        rows, places = store.ranking_rows(), scope.places(store)
    if wanted is None or len(places) <= wanted.least:
        return Candidates.at(rows, places)
    more = rows.places_of(also)
    near = _nearest(rows, global_vector, places, wanted.among(len(places)), context)
    return Candidates.at(rows, np.union1d(near, more[np.isin(more, places)]) if len(more) else near)


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
    rows: RankingRows, vector: NDArray[np.float32], places: Places, count: int, context: NDArray[np.float32] | None
) -> Places:
    """The places among these whose vectors have the largest inner products with one, ascending."""
    from histoseek.search.retrieve.scan import inner, products, screen

    codes, scales = quantise(vector[None])
    coarse = rows.contexts @ context if context is not None and rows.contexts.shape[1] else None
    if coarse is None and rows.signs.shape[1]:
        wanted = max(count * _FIRST_PER_CANDIDATE, len(places) // _LEAST_SHARE)
        places = screen(rows.signs, vector, places, wanted)
    rough = products(rows.codes, codes[0], places) * (rows.scales[places] * scales[0])
    mixed = mix_cosines(rough, None if coarse is None else coarse[places])
    near = places[_largest(mixed, count * _SCREENED_PER_CANDIDATE)]
    exact = inner(rows.global_vectors, vector, near)
    return near[_largest(mix_cosines(exact, None if coarse is None else coarse[near]), count)]


def _largest(values: NDArray[np.float32], count: int) -> Places:
    """Where the `count` largest values are, ascending."""
    if count >= len(values):
        return np.arange(len(values))
    return np.sort(np.argpartition(-values, count - 1)[:count])
