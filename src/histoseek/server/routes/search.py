"""Search, explanation, counts and the map."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import groupby
from typing import Annotated

from fastapi import APIRouter, Response
from fastapi import Query as Parameter
from pydantic import BaseModel

from histoseek.archive.stores.sql import both
from histoseek.rest import queries as rest
from histoseek.rest.archives import FacetField, Facets, FacetsRequest, FacetValue, FieldFilter, Map
from histoseek.rest.queries import ExplainRequest, SearchRequest
from histoseek.rest.results import ExplainResponse, SearchResponse
from histoseek.search.filters.facets import Facet
from histoseek.search.filters.fields import FieldFilter as SearchedField
from histoseek.search.filters.public import public_where
from histoseek.search.options import SearchOptions
from histoseek.search.queries import Query
from histoseek.server.archives.served import ServedArchive
from histoseek.server.context import Context
from histoseek.server.http.answers import explain_answer, search_answer
from histoseek.server.http.dependencies import InContext, Reader, Searcher, Served
from histoseek.server.http.questions import asked_slides, question
from histoseek.server.security.access import Identity

router = APIRouter(prefix="/archives/{archive}", tags=["search"])


@router.post("/search", response_model=SearchResponse)
async def search_archive(context: InContext, identity: Searcher, served: Served, request: SearchRequest) -> Response:
    """The slides, or reports of slides, that are most like what is asked with; its own patient is left out.

    Ask with a slide, regions, a picture, a case, a sentence, a report, or an image and words together.
    """
    began = time.perf_counter()
    query = await _query(context, identity, served, request.query, request.marks)
    answer = await context.searches.run(lambda: _json(_searched(context, served, query, request)))
    context.metrics.search(request.query.kind, time.perf_counter() - began)
    return answer


@router.post("/explain", response_model=ExplainResponse)
async def explain(context: InContext, identity: Searcher, served: Served, request: ExplainRequest) -> Response:
    """Why a slide of the archive does, or does not, fit a query, found or not, and where both slides' vectors look."""
    query = await _query(context, identity, served, request.query)
    options = SearchOptions(to=request.to, distance=request.distance)
    return await context.searches.run(
        lambda: _json(explain_answer(served.archive.explain(query, request.slide_id, options)))
    )


@router.post("/facets")
def count_values(identity: Reader, served: Served, request: FacetsRequest) -> Facets:
    """How many slides have which values, in metadata and in what reports state, with filters applied."""
    archive, filters = served.archive, _filters(request.filters)
    archive.refresh()
    where = _public(request.where)
    if archive.space is None:
        return Facets(slides=0, fields=())
    counted = archive.facets(where, request.fields, filters)
    condition = both(where, archive.condition(filters))
    return Facets(slides=archive.store.count(condition), fields=tuple(_fields(counted, request.most)))


@router.get("/map")
def get_map(
    context: InContext,
    identity: Searcher,
    served: Served,
    label: Annotated[str | None, Parameter(max_length=200, description="The column of labels.")] = None,
) -> Map:
    """A 2-d map of the archive's slides: near are slides that look alike as a whole."""
    return context.overviews.of(served, label)


async def _query(
    context: Context, identity: Identity, served: ServedArchive, asked: rest.Query, marks: rest.Marks | None = None
) -> Query:
    """What to search with; uploads may have to be encoded first, which holds up nobody else."""
    uploads = context.uploads.asked(served, identity.name)
    if any(slide.upload_id for slide in asked_slides(asked)):
        return await context.readings.run(lambda: question(asked, uploads, marks))
    return question(asked, uploads, marks)


def _json(answer: BaseModel) -> Response:
    """The answer as bytes, made where it was found: the event loop has others to serve."""
    return Response(answer.model_dump_json(by_alias=True), media_type="application/json")


def _searched(context: Context, served: ServedArchive, query: Query, request: SearchRequest) -> SearchResponse:
    results = served.archive.search(query, _options(served, request))
    key = context.feedback.query_key(request.query.model_dump(mode="json"))
    return search_answer(results, asked_slides(request.query), key, request.k)


def _options(served: ServedArchive, request: SearchRequest) -> SearchOptions:
    condition = None
    if request.filters:
        served.archive.refresh()
        condition = served.archive.condition(_filters(request.filters))
    return SearchOptions(
        k=request.k,
        offset=request.offset,
        to=request.to,
        where=both(_public(request.where), condition),
        same_patient=request.same_patient,
        distance=request.distance,
        exact=request.exact,
        by_case=request.by_case,
        min_probability=request.min_probability,
        vote=request.vote,
        expand=request.expand,
    )


def _public(where: str | None) -> str | None:
    return public_where(where) if where is not None else None


def _filters(given: Sequence[FieldFilter]) -> list[SearchedField]:
    return [SearchedField(one.source, one.field, one.values) for one in given]


def _fields(counted: Sequence[Facet], most: int) -> list[FacetField]:
    """The counts by field, of each the most frequent values."""
    found = []
    for (source, field), group in groupby(counted, key=lambda one: (one.source, one.field)):
        values = [FacetValue(value=one.value, count=one.count) for one in group]
        more = max(0, len(values) - most)
        found.append(FacetField(source=source, field=field, values=tuple(values[:most]), more=more))
    return found
