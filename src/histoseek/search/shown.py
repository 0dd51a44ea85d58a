"""What all searches have in common when they show results."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from histoseek.archive.schema import SlideRecord
from histoseek.archive.stores.base import Store
from histoseek.mosaics.signature import Signature
from histoseek.search.options import SearchOptions
from histoseek.search.paging import Place, page
from histoseek.search.results import SearchResult
from histoseek.search.ways import Fused

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
