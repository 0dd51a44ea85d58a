"""Search again after some results were judged: towards the slides marked as relevant, without the irrelevant ones."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from histoseek.archive.folder import Archive
from histoseek.archive.fusion import distance_of
from histoseek.archive.stores.base import Store
from histoseek.mosaics.distances import DEFAULT_DISTANCE, Distance
from histoseek.mosaics.signature import Signature
from histoseek.progress import Reporter
from histoseek.search.filters.exclusion import SearchScope
from histoseek.search.options import SearchOptions
from histoseek.search.queries import Composed, PlainQuery, Refined, WordQuery
from histoseek.search.results import SearchResults
from histoseek.search.retrieve.candidates import Candidates, best, candidates
from histoseek.search.retrieve.composed import found_by_both
from histoseek.search.retrieve.fusion import Fused, Ranking
from histoseek.search.retrieve.image import REGION_DISTANCE, found_by_image
from histoseek.search.retrieve.ranking import distances_to
from histoseek.search.retrieve.retrieval import Found
from histoseek.search.retrieve.text import found_by_text
from histoseek.statistics.clustering import unit_rows

RELEVANT_WEIGHT = 2 / 3
"""How much the slides marked as relevant count; the query's own ways have the rest (benchmarks/feedback.py)."""

IRRELEVANT_WEIGHT = 1 / 2
"""How much is taken off for those marked as irrelevant; the other weights add up to 1."""


def search_refined(
    archive: Archive, query: Refined, options: SearchOptions, reporter: Reporter | None
) -> SearchResults:
    """The slides, or reports of slides, that a query leads to, ranked anew; see `search`.

    Those marked as relevant come first, as far as the filter lets them through; those marked as irrelevant are left
    out. Beside the query's own ways there is one more: the mean distance to the relevant slides, which reaches slides
    without a report as well. Slides that are near the irrelevant ones fall.
    """
    marked = {slide.record.slide_id: slide.signature for slide in archive.store.shown(query.marked)}
    found = _found(archive, query.query, options, reporter)
    found = replace(found, scope=found.scope.without(query.irrelevant))
    near = _Marked(found.store, _whole_slides(archive, options), found.scope, options.looked_at)
    rankings = [_without(ranking, query.irrelevant) for ranking in found.rankings]
    if query.relevant:
        like = near.ranking([marked[one] for one in query.relevant], query.relevant, RELEVANT_WEIGHT)
        rankings = [*_weighing(rankings, 1 - RELEVANT_WEIGHT), like]
    if query.irrelevant:
        unlike = near.ranking([marked[one] for one in query.irrelevant], (), -IRRELEVANT_WEIGHT)
        rankings = [*(rankings if query.relevant else _weighing(rankings, 1)), unlike]
    info = replace(found.info, relevant=query.relevant, irrelevant=query.irrelevant)
    found = replace(found, rankings=rankings, info=info)
    return found.shown(archive, _first(found.fused(), query.relevant), options)


def _found(archive: Archive, query: PlainQuery, options: SearchOptions, reporter: Reporter | None) -> Found:
    if isinstance(query, Composed):
        return found_by_both(archive, query, options, reporter)
    if isinstance(query, WordQuery):
        return found_by_text(archive, query, options)
    return found_by_image(archive, query, options, reporter)


def _whole_slides(archive: Archive, options: SearchOptions) -> Distance:
    """The distance asked for, where it compares whole slides: what was marked is one."""
    asked = None if options.distance == REGION_DISTANCE else options.distance
    return distance_of(archive, asked or DEFAULT_DISTANCE)


def _without(ranking: Ranking, slide_ids: Collection[str]) -> Ranking:
    """A ranking in which some slides were never found."""
    kept = [pair for pair in zip(ranking.slide_ids, ranking.scores, strict=True) if pair[0] not in slide_ids]
    return replace(ranking, slide_ids=tuple(one for one, _ in kept), scores=tuple(score for _, score in kept))


def _weighing(rankings: Sequence[Ranking], weight: float) -> list[Ranking]:
    """The rankings as they weigh now to each other, those of what is wanted together `weight`."""
    whole = sum(ranking.weight for ranking in rankings if ranking.weight > 0) or 1.0
    return [replace(ranking, weight=weight * ranking.weight / whole) for ranking in rankings]


@dataclass(frozen=True, slots=True)
class _Marked:
    """Where slides like marked ones are looked for: by which distance, among which slides, how many."""

    store: Store
    distance: Distance
    scope: SearchScope
    count: int

    def ranking(self, signatures: Sequence[Signature], slide_ids: Sequence[str], weight: float) -> Ranking:
        """The slides of least mean distance to some signatures; slide_ids: are among them in any case."""
        found = self._near(signatures, slide_ids)
        each = distances_to(self.store, signatures, self.distance, found)
        totals = np.mean([one.total for one in each], axis=0)
        order = best(found.slide_ids, totals, len(found))
        ids = tuple(str(one) for one in found.slide_ids[order])
        return Ranking("marked slides", ids, tuple((1 - totals[order]).tolist()), weight)

    def _near(self, signatures: Sequence[Signature], slide_ids: Sequence[str]) -> Candidates:
        """The slides whose global vectors are nearest to the mean of the signatures' (Rocchio 1971), and some more."""
        mean = unit_rows(np.mean([one.global_vector for one in signatures], axis=0, keepdims=True))[0]
        near = candidates(self.store, mean.astype(np.float32), self.count, self.scope)
        more = near.rows.places_of(slide_ids)
        allowed = self.scope.places(self.store)
        return Candidates.at(near.rows, np.union1d(near.places, more[np.isin(more, allowed)]))


def _first(fused: Sequence[Fused], slide_ids: Collection[str]) -> list[Fused]:
    """Some slides before all others."""
    return sorted(fused, key=lambda one: one.slide_id not in slide_ids)
