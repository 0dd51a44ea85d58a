"""Slides ranked by their distance to the signatures of a query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.stores.base import Store
from histoseek.mosaics.distances import Distance, Distances
from histoseek.mosaics.signature import Signature
from histoseek.search.filters.exclusion import SearchScope
from histoseek.search.retrieve.candidates import Candidates, Ids, best, candidates
from histoseek.search.retrieve.fusion import Ranking

_MOSAICS_AT_ONCE = 2000
"""Slides whose mosaics are in memory at the same time: 50 MB of 16 vectors of 768 float16."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """S slides, sorted by id, with their distances to the nearest of the query's signatures, and which that is,
    int64 [S]."""

    slide_ids: Ids
    distances: Distances
    nearest: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.slide_ids)

    @property
    def nearest_distance(self) -> float | None:
        """The least distance, None without slides."""
        return float(self.distances.total.min()) if len(self) else None

    def first(self, count: int) -> Sequence[str]:
        """Ids of the nearest slides, ties by id."""
        return [str(self.slide_ids[i]) for i in best(self.slide_ids, self.distances.total, count)]

    def place(self, slide_id: str) -> int:
        """Where a slide stands in the arrays."""
        return int(np.searchsorted(self.slide_ids, slide_id))

    def ranking(self, weight: float = 1.0, most: int | None = None) -> Ranking:
        """The `most` nearest slides, or all, as one way to be fused with others."""
        order = best(self.slide_ids, self.distances.total, len(self) if most is None else most)
        scores = (1 - self.distances.total[order]).tolist()
        return Ranking("similar slides", tuple(str(one) for one in self.slide_ids[order]), tuple(scores), weight)


def rank(
    store: Store, signatures: Sequence[Signature], distance: Distance, count: int | None, scope: SearchScope
) -> Ranked:
    """Rank the `count` nearest candidates, all that may be found for None or for several signatures.

    Raises BadFilter.
    """
    vector = signatures[0].global_vector
    count = count if len(signatures) == 1 else None
    found = candidates(store, vector, count, scope)
    each = distances_to(store, signatures, distance, found)
    totals = np.stack([one.total for one in each])
    nearest = totals.argmin(axis=0)
    rows = np.arange(len(found))
    local, apart = (np.stack([getattr(one, part) for one in each])[nearest, rows] for part in ("local", "global_"))
    return Ranked(found.slide_ids, Distances(totals[nearest, rows], local, apart), nearest)


def distances_to(
    store: Store, signatures: Sequence[Signature], distance: Distance, found: Candidates
) -> list[Distances]:
    """The distances of some slides to each of several signatures."""
    if not len(found):
        return [Distances(np.empty(0), np.empty(0), np.empty(0))] * len(signatures)
    measures = [partial(distance, signature) for signature in signatures]
    if not distance.needs_mosaics:
        return found.distances(*measures)
    parts = []
    for some in found.parts(_MOSAICS_AT_ONCE):
        block = replace(some.block, mosaics=store.mosaics([str(one) for one in some.slide_ids]))
        parts.append([measure(block) for measure in measures])
    return [_joined(own) for own in zip(*parts, strict=True)]


def _joined(parts: Sequence[Distances]) -> Distances:
    return Distances(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("total", "local", "global_"))
    )
