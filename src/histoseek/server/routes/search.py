"""Search, explanation and counts."""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter

from fastapi import APIRouter

from histoseek.archive.stores.sql import both
from histoseek.rest.archives import FacetField, Facets, FacetsRequest, FacetValue, FieldFilter, Map
from histoseek.rest.queries import ExplainRequest, SearchRequest
from histoseek.rest.results import ExplainResponse, SearchResponse
from histoseek.search.fields import condition_of, facet_counts, public_where
from histoseek.search.fields import FieldFilter as SearchedField
from histoseek.search.options import SearchOptions
from histoseek.search.pair import explain_pair
from histoseek.search.search import search
from histoseek.server.answers import explain_answer, search_answer
from histoseek.server.archives import ServedArchive
from histoseek.server.context import Context
from histoseek.server.dependencies import InContext, Reader, Served
from histoseek.server.questions import asked_slides, question
from histoseek.server.security.access import Identity

router = APIRouter(prefix="/archives/{archive}", tags=["search"])


@router.post("/search")
def search_archive(context: InContext, identity: Reader, served: Served, request: SearchRequest) -> SearchResponse:
    """The slides, or reports of slides, that are most like a slide, regions, a case, a sentence, a report, or several
    of these; the query's own patient is left out."""
    query = question(request.query, context.uploads_of(identity, served), request.marks)
    options = _options(served, request)
    with context.archives.turn():
        results = search(served.archive, query, options)
    key = context.feedback.query_key(request.query.model_dump(mode="json"))
    return search_answer(results, asked_slides(request.query), key, request.k)


@router.post("/explain")
def explain(context: InContext, identity: Reader, served: Served, request: ExplainRequest) -> ExplainResponse:
    """Why one slide of the archive does, or does not, fit a query, found or not, and where both slides' vectors look."""
    query = question(request.query, context.uploads_of(identity, served))
    options = SearchOptions(to=request.to, distance=request.distance)
    with context.archives.turn():
        return explain_answer(explain_pair(served.archive, query, request.slide_id, options))


@router.post("/facets")
def count_values(context: InContext, identity: Reader, served: Served, request: FacetsRequest) -> Facets:
    """How many slides have which values, in metadata and in what reports state, with filters applied."""
    return _facets(served, request)
