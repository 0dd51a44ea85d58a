"""What a query found, before a page of it is shown: so that other ways can be laid beside its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from histoseek.archive.folder import Archive
from histoseek.archive.schema import SlideRecord
from histoseek.archive.stores.base import Store
from histoseek.mosaics.distances import Distance
from histoseek.mosaics.signature import Signature
from histoseek.search.encode.image import PreparedImage
from histoseek.search.explain.matches import TextRegions, explained
from histoseek.search.filters.exclusion import SearchScope
from histoseek.search.options import SearchOptions
from histoseek.search.results import QueryInfo, SearchResult, SearchResults
from histoseek.search.retrieve.fusion import Fused, Ranking, Vector, fuse, without_report
from histoseek.search.retrieve.paging import Place, page
from histoseek.search.retrieve.ranking import Ranked


@dataclass(frozen=True, slots=True)
class Words:
    """A text that results are told about: which phrases of their reports fit it; vector: as its encoder gives it."""

    text: str
    vector: Vector | None


@dataclass(frozen=True, slots=True)
class Found:
    """The slides that a query's ways lead to.

    started: when the search began, by time.perf_counter; store: as it stood then; scope: which slides may be
    found; compare: what results are told of slides; novelty: the query's, None where not known.
    """

    started: float
    store: Store
    scope: SearchScope
    rankings: Sequence[Ranking]
    info: QueryInfo
    warnings: tuple[str, ...]
    compare: Compare | None = None
    words: Words | None = None
    novelty: float | None = None

    def fused(self) -> list[Fused]:
        """All slides, best first."""
        return fuse(self.rankings, without_report(self.store, self.rankings))

    def shown(self, archive: Archive, fused: Sequence[Fused], options: SearchOptions) -> SearchResults:
        """A page of some slides, best first."""
        results = fused_results(self.store, fused, options, self.scope.condition, self.compare)
        if self.words:
            from histoseek.search.explain.phrases import with_phrases

            results = with_phrases(archive, results, self.words.text, self.words.vector)
        return SearchResults(
            query=self.info,
            mode="fused",
            elapsed_ms=elapsed_ms(self.started),
            results=results,
            warnings=(*self.warnings, *too_few(options, len(results))),
            novelty=self.novelty,
        )


@dataclass(frozen=True, slots=True)
class Compared:
    """Says of results what the image has in common with them, where it led to them, and where they fit the words."""

    prepared: PreparedImage
    ranked: Ranked
    distance: Distance
    regions: TextRegions | None = None

    def __call__(self, result: SearchResult, signature: Signature) -> SearchResult:
        """The result with its parts, its explanation, and its regions near the words."""
        result = self.regions(result, signature) if self.regions else result
        if "similar slides" not in {way.name for way in result.ways}:
            return result
        row = self.ranked.place(result.slide_id)
        own = int(self.ranked.nearest[row])
        compared = replace(
            result,
            local=float(self.ranked.distances.local[row]),
            global_=float(self.ranked.distances.global_[row]),
            query_slide=own,
        )
        return explained(compared, self.prepared.signatures[own], signature, self.distance)


Compare = Callable[[SearchResult, Signature], SearchResult]
"""Adds to a result what an image or a text has in common with its signature."""


def fused_results(
    store: Store,
    found: Sequence[Fused],
    options: SearchOptions,
    where: str | None,
    compare: Compare | None = None,
) -> tuple[SearchResult, ...]:
    """A page of slides that several ways led to."""
    by_id = {one.slide_id: one for one in found}
    ids = list(by_id)
    places = page(store, lambda count: ids[:count], options, where)
    stored = store.shown([place.slide_id for place in places]) if places else []
    results = [_result(place, by_id[place.slide_id], slide.record) for place, slide in zip(places, stored, strict=True)]
    if compare is None:
        return tuple(results)
    return tuple(compare(result, slide.signature) for result, slide in zip(results, stored, strict=True))


def _result(place: Place, found: Fused, record: SlideRecord) -> SearchResult:
    return SearchResult(
        rank=place.rank,
        slide_id=place.slide_id,
        case_id=record.case_id,
        score=found.score,
        probability=None,
        local=None,
        global_=None,
        matches=(),
        ways=found.ways,
        record=record,
        also=place.also,
    )


def elapsed_ms(started: float) -> float:
    """Milliseconds since `time.perf_counter()` said `started`."""
    return round((time.perf_counter() - started) * 1000, 3)


def too_few(options: SearchOptions, found: int) -> tuple[str, ...]:
    """What to say when there are fewer results than were asked for."""
    what = f"cases with {options.to}" if options.by_case else options.to
    beyond = f" beyond the first {options.offset}" if options.offset else ""
    return (f"only {found} {what} fit the query and the filter{beyond}",) if found < options.k else ()
