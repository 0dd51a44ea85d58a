"""Searches of several archives at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace

from fastapi import APIRouter, Response

from histoseek.errors import HistoseekError, InputError
from histoseek.rest import queries as rest
from histoseek.rest.base import Region
from histoseek.rest.results import FieldPair, Result
from histoseek.rest.several import (
    MOST_ARCHIVES,
    ArchiveOutcome,
    ArchiveResult,
    SeveralSearchRequest,
    SeveralSearchResponse,
)
from histoseek.search.options import SearchOptions
from histoseek.search.queries import Query
from histoseek.search.results import SearchResults
from histoseek.search.several import carry_query, merge_results
from histoseek.server.archives.registry import ArchiveEntry
from histoseek.server.context import Context
from histoseek.server.errors import format_detail
from histoseek.server.http.dependencies import InContext, Searcher
from histoseek.server.http.notes import to_notes
from histoseek.server.http.requests import list_query_slides
from histoseek.server.http.responses import to_result
from histoseek.server.http.search_requests import parse_search_query, to_options
from histoseek.server.security.access import Caller
from histoseek.server.security.limits import RequestKind

router = APIRouter(tags=["search"])


@router.post("/search", response_model=SeveralSearchResponse)
async def search_archives(context: InContext, caller: Searcher, request: SeveralSearchRequest) -> Response:
    """Search several archives, or all, at once: their results as one list, each with the name of its archive.

    Each archive counts as a search. What fails in one is said of it, and spoils no other.
    """
    began = time.perf_counter()
    entries = _list_entries(context, request)
    home = _find_home(context, request)
    for _ in entries[1:]:
        context.limiter.count_request(RequestKind.SEARCH, caller.token_id)
    answers = await asyncio.gather(*(_try_search(context, caller, entry, home, request) for entry in entries))
    failures = [answer for answer in answers if isinstance(answer, HistoseekError)]
    if len(failures) == len(answers):
        raise failures[0]
    response = await context.search_queue.run(lambda: _merge(entries, answers, request, began))
    context.metrics.count_search(request.query.kind, time.perf_counter() - began)
    return response


def _list_entries(context: Context, request: SeveralSearchRequest) -> list[ArchiveEntry]:
    """The archives that are meant; raises NotFound, InputError for too many."""
    if request.archives is not None:
        return [context.archives.get(name) for name in dict.fromkeys(request.archives)]
    entries = list(context.archives)
    if len(entries) > MOST_ARCHIVES:
        raise InputError("archives", f"{len(entries)} are too many at once", f"Name at most {MOST_ARCHIVES}")
    return entries


def _find_home(context: Context, request: SeveralSearchRequest) -> ArchiveEntry | None:
    """The archive that the query's slides are of; None where it names none. Raises NotFound, InputError."""
    if request.home is not None:
        return context.archives.get(request.home)
    if _names_archived(request.query):
        raise InputError("home", "is not given", "Name the archive that the query's slide, case or report is of")
    return None


def _names_archived(query: rest.Query) -> bool:
    """Whether a query names slides, a case or a report of an archive."""
    image = query.image if isinstance(query, rest.ComposedQuery) else query
    if isinstance(image, rest.CaseQuery) and image.case_id is not None:
        return True
    if isinstance(image, rest.ReportQuery):
        return image.slide_id is not None
    return any(slide.slide_id for slide in list_query_slides(image))


async def _try_search(
    context: Context,
    caller: Caller,
    entry: ArchiveEntry,
    home: ArchiveEntry | None,
    request: SeveralSearchRequest,
) -> SearchResults | HistoseekError:
    """What one archive answers, or why it does not."""
    try:
        query = await parse_search_query(context, caller, entry, request.query)
        return await context.search_queue.run(lambda: _search(entry, home, query, request))
    except HistoseekError as error:
        return error


def _search(
    entry: ArchiveEntry, home: ArchiveEntry | None, query: Query, request: SeveralSearchRequest
) -> SearchResults:
    carried = carry_query(home.archive, entry.archive, query) if home is not None and home is not entry else query
    return entry.archive.search(carried, _to_options(entry, request))


def _to_options(entry: ArchiveEntry, request: SeveralSearchRequest) -> SearchOptions:
    options = to_options(entry, request)
    has_column = options.vote is None or options.vote in entry.archive.store.metadata_types()
    return replace(options, k=options.k + options.offset, offset=0, vote=options.vote if has_column else None)


def _merge(
    entries: Sequence[ArchiveEntry],
    answers: Sequence[SearchResults | HistoseekError],
    request: SeveralSearchRequest,
    began: float,
) -> Response:
    found = {
        entry.name: answer for entry, answer in zip(entries, answers, strict=True) if isinstance(answer, SearchResults)
    }
    merged = merge_results(found, request.k, request.offset)
    sizes_um = {name: answer.field_um for name, answer in found.items() if answer.field_um}
    widest_um = max(sizes_um.values(), default=None)
    widen = {name: (widest_um or 1.0) / size_um for name, size_um in sizes_um.items()}
    last = request.offset + request.k
    response = SeveralSearchResponse(
        merged_by=merged.by,
        elapsed_ms=round((time.perf_counter() - began) * 1000, 3),
        results=tuple(
            ArchiveResult(
                archive=one.archive, rank=rank, result=_widen_fields(to_result(one.result), widen.get(one.archive, 1.0))
            )
            for rank, one in enumerate(merged.results, request.offset + 1)
        ),
        archives=tuple(_describe(entry, answer) for entry, answer in zip(entries, answers, strict=True)),
        next_offset=last if sum(len(answer) for answer in found.values()) > last else None,
        field_um=widest_um,
    )
    return Response(response.model_dump_json(by_alias=True), media_type="application/json")


def _widen_fields(result: Result, factor: float) -> Result:
    """The same result with fields so many times as wide around their middles: archives choose sizes by themselves."""
    further = tuple(
        FieldPair(field=_widen(pair.field, factor), query_field=pair.query_field and _widen(pair.query_field, factor))
        for pair in result.further_fields
    )
    field = result.field and _widen(result.field, factor)
    query_field = result.query_field and _widen(result.query_field, factor)
    return result.model_copy(update={"field": field, "query_field": query_field, "further_fields": further})


def _widen(region: Region, factor: float) -> Region:
    edge = round(region.width * factor)
    x, y = (round(start + (region.width - edge) / 2) for start in (region.x, region.y))
    return Region(x=x, y=y, width=edge, height=edge)


def _describe(entry: ArchiveEntry, answer: SearchResults | HistoseekError) -> ArchiveOutcome:
    if isinstance(answer, HistoseekError):
        return ArchiveOutcome(name=entry.name, error=format_detail(answer))
    return ArchiveOutcome(
        name=entry.name,
        error=None,
        results=len(answer),
        calibrated_for=answer.calibrated_for,
        unlike=answer.is_novel,
        nothing_fits=answer.nothing_fits,
        warnings=to_notes(answer.warnings),
    )
