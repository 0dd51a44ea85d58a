"""Which slides are ranked for a query, and what ranking needs of them, from the rows that the store keeps at hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.stores.base import Store
from histoseek.mosaics.distances import SignatureBlock

Doubles = NDArray[np.float64]
Ids = NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Slides to be ranked, sorted by id, and their signatures in the same order."""

    slide_ids: Ids
    block: SignatureBlock

    def __len__(self) -> int:
        return len(self.slide_ids)


def candidates(store: Store, global_vector: NDArray[np.float32], count: int | None, where: str | None) -> Candidates:
    """The `count` slides of a filter whose global vectors are nearest by cosine, all of them for None.

    Every global vector of the filter is compared: no index stands between, so no neighbour is missed. Raises
    BadFilter.
    """
    rows = store.ranking_rows()
    places = store.ranking_places(where) if where is not None else np.arange(len(rows.slide_ids))
    if count is not None and len(places) > count:
        vectors = rows.global_vectors
        dense = len(places) * 4 > len(vectors)
        cosines = (vectors @ global_vector)[places] if dense else vectors[places] @ global_vector
        places = np.sort(places[np.argpartition(-cosines, count - 1)[:count]])
    if len(places) == len(rows.slide_ids):
        return Candidates(rows.slide_ids, rows.block)
    return Candidates(rows.slide_ids[places], rows.block.take(places))


def best(slide_ids: Ids, totals: Doubles, count: int) -> NDArray[np.int64]:
    """Places of the `count` least totals, ties by id."""
    few = np.arange(len(totals))
    if count < len(totals):
        few = np.flatnonzero(totals <= np.partition(totals, count - 1)[count - 1])
    return few[np.lexsort((slide_ids[few], totals[few]))][:count]
