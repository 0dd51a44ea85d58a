"""Search, explanation, counts and the map."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Response
from fastapi import Query as Parameter
from pydantic import BaseModel

from histoseek.api import Archive
from histoseek.archive.filters.expression import all_of
from histoseek.rest.archives import Facets, FacetsRequest, Map
from histoseek.rest.queries import DifferentialRequest, ExplainRequest, PhrasesRequest, SearchRequest
from histoseek.rest.results import DifferentialResponse, ExplainResponse, PhrasesResponse, SearchResponse
from histoseek.search.options import DifferentialOptions, PhraseOptions, SearchOptions
from histoseek.search.queries import Query
from histoseek.server.archives.registry import ArchiveEntry
from histoseek.server.context import Context
from histoseek.server.http.dependencies import EntryInPath, InContext, Reader, Searcher
from histoseek.server.http.requests import list_query_slides
from histoseek.server.http.responses import (
    to_differential_response,
    to_explain_response,
    to_facet_field,
    to_phrases_response,
    to_search_response,
)
from histoseek.server.http.search_requests import check_where, parse_search_query, to_filters, to_options, to_where
from histoseek.server.security.access import Caller

router = APIRouter(prefix="/archives/{archive}", tags=["search"])


@router.post("/search", response_model=SearchResponse)
async def search_archive(context: InContext, caller: Searcher, entry: EntryInPath, request: SearchRequest) -> Response:
    """The slides, or reports, that are most similar to the query; those of the query's own patient are left out.

    Search with a slide, regions, a picture, a case, text, a report, or an image and text together.
    """
    began = time.perf_counter()
    answer = await _answer(context, caller, entry, request, lambda query: _search(context, entry, query, request))
    context.metrics.count_search(request.query.kind, time.perf_counter() - began)
    return answer


@router.post("/phrases", response_model=PhrasesResponse)
async def find_phrases(context: InContext, caller: Searcher, entry: EntryInPath, request: PhrasesRequest) -> Response:
    """What a report would say of a region, a picture, a slide or a case: phrases with calibrated probabilities.

    Reports of the query's own patient do not count.
    """
    began = time.perf_counter()
    answer = await _answer(context, caller, entry, request, lambda query: _find_phrases(entry, query, request))
    context.metrics.count_search(request.query.kind, time.perf_counter() - began)
    return answer


@router.post("/differential", response_model=DifferentialResponse)
async def build_differential(
    context: InContext, caller: Searcher, entry: EntryInPath, request: DifferentialRequest
) -> Response:
    """Two to four diagnoses side by side: the nearest cases of each, what it is mistaken for, and the terms that its
    cases' reports state more often than the others'."""
    began = time.perf_counter()
    answer = await _answer(context, caller, entry, request, lambda query: _build_differential(entry, query, request))
    context.metrics.count_search(request.query.kind, time.perf_counter() - began)
    return answer


@router.post("/explain", response_model=ExplainResponse)
async def explain(context: InContext, caller: Searcher, entry: EntryInPath, request: ExplainRequest) -> Response:
    """Why a slide of the archive does, or does not, match a query, with attention maps of both slides."""
    options = SearchOptions(to=request.to, distance=request.distance)
    return await _answer(
        context,
        caller,
        entry,
        request,
        lambda query: to_explain_response(entry.archive.explain(query, request.slide_id, options)),
    )


@router.post("/facets")
def count_values(caller: Reader, entry: EntryInPath, request: FacetsRequest) -> Facets:
    """How many slides have which values, in metadata and in facts from reports, with filters applied."""
    filters, where = to_filters(request.filters), check_where(request.where)

    def count(archive: Archive) -> Facets:
        if archive.space is None:
            return Facets(slides=0, fields=())
        counts = archive.count_fields(where, request.fields, filters)
        condition = all_of(where, archive.condition(filters))
        fields = tuple(to_facet_field(field, request.most) for field in counts)
        return Facets(slides=archive.store.count(condition), fields=fields)

    return entry.archive.read(count)


@router.get("/map")
def get_map(
    context: InContext,
    caller: Searcher,
    entry: EntryInPath,
    label: Annotated[
        str | None, Parameter(max_length=200, description="The metadata column to label slides by.")
    ] = None,
) -> Map:
    """A 2-d map of the archive's slides: those that look alike as a whole are near each other."""
    return context.maps.get(entry, label)


async def _answer(
    context: Context,
    caller: Caller,
    entry: ArchiveEntry,
    request: SearchRequest | PhrasesRequest | DifferentialRequest | ExplainRequest,
    find: Callable[[Query], BaseModel],
) -> Response:
    """What a query finds, as JSON that is made in the thread of the search: the event loop has others to serve.

    Uploads are their owners', and may be gone before their time: what they find is nobody else's.
    """
    marks = request.marks if isinstance(request, SearchRequest) else None

    await context.tiles_first.wait()

    async def make() -> bytes:
        query = await parse_search_query(context, caller, entry, request.query, marks)
        return await context.search_queue.run(lambda: find(query).model_dump_json(by_alias=True).encode())

    is_public = not any(slide.upload_id for slide in list_query_slides(request.query))
    asked = f"{type(request).__name__} {request.model_dump_json()}"
    return Response(await context.answer(entry, asked, make, is_public), media_type="application/json")


def _search(context: Context, entry: ArchiveEntry, query: Query, request: SearchRequest) -> SearchResponse:
    results = entry.archive.search(query, to_options(entry, request))
    key = context.feedback.compute_query_key(request.query.model_dump(mode="json"))
    return to_search_response(results, list_query_slides(request.query), key, request.k)


def _find_phrases(entry: ArchiveEntry, query: Query, request: PhrasesRequest) -> PhrasesResponse:
    options = PhraseOptions(
        k=request.k,
        examples=request.examples,
        where=to_where(entry, request.where, request.filters),
        same_patient=request.same_patient,
    )
    return to_phrases_response(entry.archive.phrases(query, options), list_query_slides(request.query))


def _build_differential(entry: ArchiveEntry, query: Query, request: DifferentialRequest) -> DifferentialResponse:
    options = DifferentialOptions(
        labels=request.labels,
        column=request.column,
        cases=request.cases,
        patients=request.patients,
        terms=request.terms,
        where=to_where(entry, request.where, request.filters),
        same_patient=request.same_patient,
    )
    return to_differential_response(entry.archive.differential(query, options), list_query_slides(request.query))
