"""Search again after some results were judged: towards the slides marked as relevant, without the irrelevant ones."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.archive import Archive
from histoseek.archive.fusion import distance_of
from histoseek.archive.stores.base import Store
from histoseek.clustering import unit_rows
from histoseek.mosaics.distances import DEFAULT_DISTANCE, Distance
from histoseek.mosaics.signature import Signature
from histoseek.progress import Reporter
from histoseek.search.by_image import REGION_DISTANCE, found_by_image
from histoseek.search.by_text import found_by_text
from histoseek.search.candidates import Candidates, best, candidates
from histoseek.search.composed import found_by_both
from histoseek.search.filters import Searchable
from histoseek.search.found import Found
from histoseek.search.options import SearchOptions
from histoseek.search.queries import Composed, PlainQuery, Refined, WordQuery
from histoseek.search.ranked import distances_to
from histoseek.search.results import SearchResults
from histoseek.search.ways import Fused, Ranking

MARKED_WEIGHT = 0.7
"""How much the marked slides count beside the query's own ways (benchmarks/feedback.py)."""


def search_refined(
    archive: Archive, query: Refined, options: SearchOptions, reporter: Reporter | None
) -> SearchResults:
    """The slides, or reports of slides, that a query leads to, ranked anew; see `search`.

    Those marked as relevant come first, as far as the filter lets them through; those marked as irrelevant are left
    out. Beside the query's own ways there is one more: the mean distance to the relevant slides, which reaches slides
    without a report as well.
    """
    relevant = [stored.signature for stored in archive.store.shown(query.relevant)]
    archive.store.shown(query.irrelevant)
    found = _found(archive, query.query, options, reporter)
    distance = _whole_slides(archive, options)
    rankings = [_without(ranking, query.irrelevant) for ranking in found.rankings]
    if relevant:
        searchable = _leaving_out(found.searchable, query.irrelevant)
        marked = _like(found.store, relevant, query.relevant, distance, searchable, options.looked_at)
        rankings = [*_weighing(rankings, 1 - MARKED_WEIGHT), marked]
    info = replace(found.info, relevant=query.relevant, irrelevant=query.irrelevant)
    found = replace(found, rankings=rankings, info=info, searchable=_leaving_out(found.searchable, query.irrelevant))
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


def _leaving_out(searchable: Searchable, slide_ids: Sequence[str]) -> Searchable:
    own = searchable.own
    return replace(searchable, own=replace(own, slide_ids=(*own.slide_ids, *slide_ids)))


def _without(ranking: Ranking, slide_ids: Collection[str]) -> Ranking:
    """A ranking in which some slides were never found."""
    kept = [pair for pair in zip(ranking.slide_ids, ranking.scores, strict=True) if pair[0] not in slide_ids]
    return replace(ranking, slide_ids=tuple(one for one, _ in kept), scores=tuple(score for _, score in kept))


def _weighing(rankings: Sequence[Ranking], weight: float) -> list[Ranking]:
    """The rankings as they weigh now to each other, those of what is wanted together `weight`."""
    whole = sum(ranking.weight for ranking in rankings if ranking.weight > 0) or 1.0
    return [replace(ranking, weight=weight * ranking.weight / whole) for ranking in rankings]


def _like(
    store: Store,
    signatures: Sequence[Signature],
    slide_ids: Sequence[str],
    distance: Distance,
    searchable: Searchable,
    count: int,
) -> Ranking:
    """The slides of least mean distance to some signatures, with these slides themselves."""
    found = _near(store, signatures, slide_ids, searchable, count)
    each = [distances_to(store, signature, distance, found).total for signature in signatures]
    totals = np.mean(each, axis=0) if len(found) else np.empty(0)
    order = best(found.slide_ids, totals, len(found))
    ids = tuple(str(one) for one in found.slide_ids[order])
    return Ranking("marked slides", ids, tuple((1 - totals[order]).tolist()), MARKED_WEIGHT)


def _near(
    store: Store, signatures: Sequence[Signature], slide_ids: Sequence[str], searchable: Searchable, count: int
) -> Candidates:
    """Those marked, and the slides whose global vectors are nearest to the mean of theirs (Rocchio 1971)."""
    mean = unit_rows(np.mean([one.global_vector for one in signatures], axis=0, keepdims=True))[0]
    near = candidates(store, mean.astype(np.float32), count, searchable.where, searchable.own)
    allowed = candidates(store, mean.astype(np.float32), None, searchable.where, searchable.own)
    own: NDArray[np.int64] = np.intersect1d(near.rows.places_of(slide_ids), allowed.places)
    return Candidates.at(near.rows, np.union1d(near.places, own))


def _first(fused: Sequence[Fused], slide_ids: Collection[str]) -> list[Fused]:
    """Some slides before all others."""
    return sorted(fused, key=lambda one: one.slide_id not in slide_ids)
