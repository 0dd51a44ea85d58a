"""Why one slide of the archive does, or does not, fit a query."""

from __future__ import annotations

from dataclasses import replace

from histoseek.archive.archive import Archive
from histoseek.archive.stores.sql import in_list
from histoseek.errors import InputError
from histoseek.progress import Reporter
from histoseek.search.options import SearchOptions
from histoseek.search.queries import Query, Refined
from histoseek.search.results import SearchResult
from histoseek.search.search import search


def explain_pair(
    archive: Archive,
    query: Query,
    slide_id: str,
    options: SearchOptions | None = None,
    reporter: Reporter | None = None,
) -> SearchResult:
    """The result that a slide of the archive is for a query, with its explanation, whether search would show it or not.

    Of the options distance, to and workers count. Ranks are 1: the slide is alone; so is the fused score of words,
    where `ways` tell how near it is. Raises what `search` raises, UnknownSlide, and InputError for the query's own
    slide and for a slide that has nothing to be compared with the query.
    """
    archive.get(slide_id)
    query = query.unmarked(slide_id) if isinstance(query, Refined) and slide_id in query.irrelevant else query
    alone = replace(
        options or SearchOptions(),
        k=1,
        offset=0,
        where=in_list("slide_id", [slide_id]),
        same_patient=True,
        by_case=False,
        exact=True,
        min_probability=None,
        vote=None,
    )
    results = search(archive, query, alone, reporter)
    if results.results:
        return results.results[0]
    if slide_id in {slide.slide_id for slide in results.query.slides}:
        raise InputError(slide_id, "is the query's own slide", "Compare it with another")
    raise InputError(slide_id, "has no report that could be compared with the query", "Index its report (--reports)")
