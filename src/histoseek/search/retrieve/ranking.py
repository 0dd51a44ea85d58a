"""Slides ranked exactly by their distance to the signatures of a query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.ranking_method import RankingMethod
from histoseek.archive.stores.slides import SlideTable
from histoseek.mosaics.distances import Distance, Distances
from histoseek.mosaics.signature import Signature
from histoseek.search.options import CandidateCount
from histoseek.search.retrieve.candidates import Candidates, Ids, candidates
from histoseek.search.retrieve.channels import Channel, Scale
from histoseek.search.retrieve.rank_fusion import Hit
from histoseek.search.retrieve.witnesses import Witnesses
from histoseek.search.scope.exclusion import SearchScope

_VECTORS_AT_ONCE = 32_000
"""Mosaic vectors that are in memory at the same time: 50 MB of 768 float16, or 2,000 slides of 16."""


@dataclass(frozen=True, slots=True)
class RankedSlides:
    """S slides with their distances to the nearest of the query's signatures, and which that is, int64 [S]."""

    slides: Candidates
    distances: Distances
    nearest: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.slides)

    @property
    def slide_ids(self) -> Ids:
        """The ids of all of them."""
        return self.slides.slide_ids

    def row(self, slide_id: str) -> int:
        """Where a slide stands in the arrays."""
        return self.slides.find(slide_id)

    def hits(self, count: int) -> list[Hit]:
        """The nearest slides, ties by id."""
        return [Hit(slide_id, 1 - total) for slide_id, total in self.list_nearest(count)]

    def list_nearest(self, count: int) -> list[tuple[str, float]]:
        """The nearest slides with their distances, nearest first, ties by id."""
        order = self._order(count)
        return list(zip(self.slides.list_ids(order), self.distances.total[order].tolist(), strict=True))

    def channel(self, weight: float = 1.0) -> Channel:
        """All slides, nearest first, to be fused with other channels: the same slide is all alike, a typical half."""
        order = self._order(len(self))
        scores = (1 - self.distances.total[order]).tolist()
        return Channel("similar slides", tuple(self.slides.list_ids(order)), tuple(scores), weight, Scale(zero=-1))

    def _order(self, count: int) -> NDArray[np.int64]:
        return self.slides.best(self.distances.total, count)


def rerank(
    store: SlideTable,
    signatures: Sequence[Signature],
    method: RankingMethod,
    count: CandidateCount | int | None,
    scope: SearchScope,
    witnesses: Witnesses | None = None,
    slides: Candidates | None = None,
) -> RankedSlides:
    """The `count` nearest candidates in the order of their distances, all of the scope for None or several signatures;
    and the slides of the scope that the witnesses lead to.

    store: as the method views it; signatures: as it maps them; slides: the candidates where they were found before.
    Raises BadFilter.
    """
    if slides is None:
        slides = find_candidates(store, signatures, count, scope)
    if witnesses:
        slides = witnesses.add_candidates(slides, scope.places(store))
    each = measure_distances(store, signatures, method.distance, slides, witnesses)
    if len(each) == 1:
        return RankedSlides(slides, each[0], np.zeros(len(slides), np.int64))
    totals = np.stack([distances.total for distances in each])
    nearest = totals.argmin(axis=0)
    rows = np.arange(len(slides))
    local, apart = (np.stack([getattr(d, part) for d in each])[nearest, rows] for part in ("local", "global_"))
    said = [distances.neighbours for distances in each if distances.neighbours is not None]
    neighbours = np.stack(said)[nearest, rows] if said else None
    return RankedSlides(slides, Distances(totals[nearest, rows], local, apart, neighbours), nearest)


def find_candidates(
    store: SlideTable, signatures: Sequence[Signature], count: CandidateCount | int | None, scope: SearchScope
) -> Candidates:
    """The `count` nearest slides of a scope, all of them for None or several signatures; raises BadFilter."""
    first = signatures[0]
    return candidates(store, first.global_vector, count if len(signatures) == 1 else None, scope, first.context)


def measure_distances(
    store: SlideTable,
    signatures: Sequence[Signature],
    distance: Distance,
    slides: Candidates,
    witnesses: Witnesses | None = None,
) -> list[Distances]:
    """The distances of some slides to each of several signatures; witnesses: where neighbours have a say."""
    each = _measure_directly(store, signatures, distance, slides)
    return witnesses.testify(each, slides) if witnesses else each


def _measure_directly(
    store: SlideTable, signatures: Sequence[Signature], distance: Distance, slides: Candidates
) -> list[Distances]:
    if not len(slides):
        return [Distances(np.empty(0), np.empty(0), np.empty(0))] * len(signatures)
    measures = [partial(distance, signature) for signature in signatures]
    if not distance.needs_mosaics:
        return slides.distances(*measures)
    parts = []
    for some in slides.parts(_VECTORS_AT_ONCE):
        block = replace(some.block, mosaics=store.mosaics(some.slide_ids.tolist()))
        parts.append([measure(block) for measure in measures])
    return [_concatenate(chunks) for chunks in zip(*parts, strict=True)]


def _concatenate(parts: Sequence[Distances]) -> Distances:
    return Distances(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("total", "local", "global_"))
    )
