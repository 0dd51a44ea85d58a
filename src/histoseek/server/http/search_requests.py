"""From the fields of a request to what an archive is asked: its query, its filter, its options."""

from __future__ import annotations

from collections.abc import Sequence

from histoseek.archive.filters.expression import Expression, Where, all_of
from histoseek.rest import queries as rest
from histoseek.rest.archives import FieldFilter, ListRequest
from histoseek.rest.queries import SearchRequest
from histoseek.search.options import SearchOptions
from histoseek.search.queries import Query
from histoseek.search.scope.fields import FieldFilter as SearchedField
from histoseek.search.scope.listing import ListOptions
from histoseek.search.scope.public import parse_public_filter
from histoseek.server.archives.registry import ArchiveEntry
from histoseek.server.context import Context
from histoseek.server.http.requests import list_query_slides, parse_query
from histoseek.server.security.access import Caller


async def parse_search_query(
    context: Context, caller: Caller, entry: ArchiveEntry, rest_query: rest.Query, marks: rest.Marks | None = None
) -> Query:
    """The query; uploads may have to be encoded first, which holds up nobody else."""
    uploads = context.uploads.create_queries(entry, caller.name)
    if any(slide.upload_id for slide in list_query_slides(rest_query)):
        return await context.upload_queue.run(lambda: parse_query(rest_query, uploads, marks))
    return parse_query(rest_query, uploads, marks)


def to_where(entry: ArchiveEntry, where: str | None, filters: Sequence[FieldFilter]) -> Where:
    """A condition and chosen values as one filter."""
    condition = check_where(where)
    if not filters:
        return where
    return all_of(condition, entry.archive.condition(to_filters(filters)))


def to_options(entry: ArchiveEntry, request: SearchRequest) -> SearchOptions:
    """How to search; raises BadFilter, InputError for filters."""
    return SearchOptions(
        k=request.k,
        offset=request.offset,
        to=request.to,
        where=to_where(entry, request.where, request.filters),
        same_patient=request.same_patient,
        distance=request.distance,
        exact=request.exact,
        by_case=request.by_case,
        min_probability=request.min_probability,
        vote=request.vote,
        expand=request.expand,
        verbatim=request.verbatim,
    )


def check_where(where: str | None) -> Expression | None:
    """A condition from the network; raises BadFilter."""
    return parse_public_filter(where) if where is not None else None


def to_filters(filters: Sequence[FieldFilter]) -> list[SearchedField]:
    """Chosen values and ranges as the search takes them."""
    return [
        SearchedField(choice.source, choice.field, choice.values, choice.minimum, choice.maximum) for choice in filters
    ]


def to_list_options(request: ListRequest) -> ListOptions:
    """Which slides are listed, and how; raises BadFilter."""
    return ListOptions(
        where=check_where(request.where),
        filters=tuple(to_filters(request.filters)),
        name=request.name,
        sort=request.sort,
        descending=request.descending,
        limit=request.limit,
        after=request.after or "",
    )
