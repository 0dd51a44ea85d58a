"""Saved searches: questions and conditions that tell of new slides."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import ValidationError

from histoseek.archive.filters.expression import compare
from histoseek.errors import HistoseekError, InputError
from histoseek.reports.privacy.deidentify import deidentify
from histoseek.reports.privacy.identifiers.identifier_kinds import IdentifierKind
from histoseek.rest import queries as rest
from histoseek.rest.queries import SearchRequest
from histoseek.rest.saved_searches import (
    NewSlide,
    NewsSeen,
    SavedSearch,
    SavedSearchContent,
    SavedSearchName,
    SearchNews,
    SlideCondition,
)
from histoseek.search.news import LastLook, News, count_news, find_news, list_news
from histoseek.server.archives.registry import ArchiveEntry
from histoseek.server.context import Context
from histoseek.server.http.dependencies import InContext, Reader, Searcher
from histoseek.server.http.requests import list_query_slides
from histoseek.server.http.responses import to_slide
from histoseek.server.http.search_requests import parse_search_query, to_options, to_where
from histoseek.server.state.clean_texts import require_few
from histoseek.server.state.feedback import remove_identifiers
from histoseek.server.state.saved_searches import MAX_SHOWN, StoredSearch
from histoseek.server.state.slide_traces import Json

router = APIRouter(prefix="/saved-searches", tags=["saved searches"])

SearchId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
MOST_LISTED = 100


@router.get("")
def list_saved_searches(context: InContext, caller: Reader) -> tuple[SavedSearch, ...]:
    """Your saved searches, the latest first; how many slides are new for conditions, which is quickly counted."""
    return tuple(_to_saved(context, stored) for stored in context.saved_searches.list(caller.name))


@router.post("", status_code=201)
def save_search(context: InContext, caller: Reader, content: SavedSearchContent) -> SavedSearch:
    """Save a question with its settings, or a condition; slides that come from now on are its news."""
    entry = context.archives.get(content.archive)
    question = _clean_question(entry, content)
    return _to_saved(context, context.saved_searches.save(caller.name, entry.name, content.name, question))


@router.get("/{search_id}")
def get_saved_search(context: InContext, caller: Reader, search_id: SearchId) -> SavedSearch:
    """One of your saved searches."""
    return _to_saved(context, context.saved_searches.get(caller.name, search_id))


@router.patch("/{search_id}")
def rename_saved_search(
    context: InContext, caller: Reader, search_id: SearchId, change: SavedSearchName
) -> SavedSearch:
    """Give a saved search another name."""
    return _to_saved(context, context.saved_searches.rename(caller.name, search_id, change.name))


@router.delete("/{search_id}", status_code=204)
def delete_saved_search(context: InContext, caller: Reader, search_id: SearchId) -> None:
    """Delete a saved search."""
    context.saved_searches.delete(caller.name, search_id)


@router.get("/{search_id}/news")
async def get_news(context: InContext, caller: Searcher, search_id: SearchId) -> SearchNews:
    """What of a saved search was added to the archive, or changed, since you looked last.

    Of a question those among its first k results; of a condition all that satisfy it, of which some are listed.
    """
    stored = context.saved_searches.get(caller.name, search_id)
    entry, as_of = context.archives.get(stored.archive), datetime.now(UTC)
    request, look = _parse_question(stored), _to_look(stored)
    if isinstance(request, SlideCondition):
        where = to_where(entry, request.where, request.filters)
        news = await context.search_queue.run(lambda: list_news(entry.archive, where, look, MAX_SHOWN))
    else:
        query = await parse_search_query(context, caller, entry, request.query, request.marks)
        options = to_options(entry, request)
        news = await context.search_queue.run(lambda: find_news(entry.archive, query, options, look))
    return await context.search_queue.run(lambda: _to_news(stored, news, as_of))


@router.post("/{search_id}/seen")
def mark_news_seen(context: InContext, caller: Reader, search_id: SearchId, seen: NewsSeen) -> SavedSearch:
    """Say that you have seen news, which are none any more."""
    return _to_saved(context, context.saved_searches.mark_seen(caller.name, search_id, seen.as_of, seen.slide_ids))


def _clean_question(entry: ArchiveEntry, content: SavedSearchContent) -> dict[str, Json]:
    """The question as it is stored; raises InputError for what can't be stored, or can't be asked of the archive."""
    request = content.search or content.browse or SlideCondition()
    _refuse_names(request.where, *(str(value) for chosen in request.filters for value in chosen.values))
    to_where(entry, request.where, request.filters)
    if isinstance(request, SlideCondition):
        return {"browse": request.model_dump(mode="json")}
    if any(slide.upload_id for slide in list_query_slides(request.query)):
        what = "asks with an upload, which will be deleted"
        raise InputError("saved search", what, "Add the slide to the archive, and save the search with it")
    clean = {**request.model_dump(mode="json"), "query": _clean_query(entry, request.query), "offset": 0}
    try:
        return {"search": SearchRequest.model_validate(clean).model_dump(mode="json")}
    except ValidationError as error:
        raise InputError("saved search", "its text is too long", "Shorten it") from error


def _clean_query(entry: ArchiveEntry, query: rest.Query) -> Json:
    """The query without identifiers; a patient that the archive knows, by its own pseudonym, is still left out."""
    clean = remove_identifiers(query.model_dump(mode="json"))
    patient = getattr(query, "patient_id", None)
    if isinstance(clean, Mapping) and patient and entry.archive.records(compare("patient_id", "=", patient), limit=1):
        return {**clean, "patient_id": patient}
    return clean


def _refuse_names(*texts: str | None) -> None:
    written = require_few({text for text in texts if text}, "saved search")
    spans = [span for text in written for span in deidentify(text).spans]
    if any(span.kind == IdentifierKind.NAME for span in spans):
        raise InputError("saved search", "its filter names a person", "Filter by pseudonyms")


def _parse_question(stored: StoredSearch) -> SearchRequest | SlideCondition:
    if "search" in stored.question:
        return SearchRequest.model_validate(stored.question["search"])
    return SlideCondition.model_validate(stored.question["browse"])


def _to_look(stored: StoredSearch) -> LastLook:
    return LastLook(stored.seen, stored.since, stored.shown)


def _to_saved(context: Context, stored: StoredSearch) -> SavedSearch:
    return SavedSearch.model_validate(
        {
            "search_id": stored.search_id,
            "archive": stored.archive,
            "name": stored.name,
            "search": stored.question.get("search"),
            "browse": stored.question.get("browse"),
            "created": stored.created,
            "seen": stored.seen,
            "new": _count_new(context, stored),
        }
    )


def _count_new(context: Context, stored: StoredSearch) -> int | None:
    """How many slides are new for a condition; None for a question, and where that can't be counted any more."""
    request = _parse_question(stored)
    if not isinstance(request, SlideCondition):
        return None
    try:
        entry = context.archives.get(stored.archive)
        return count_news(entry.archive, to_where(entry, request.where, request.filters), _to_look(stored))
    except HistoseekError:
        return None


def _to_news(stored: StoredSearch, news: News, as_of: datetime) -> SearchNews:
    slides = tuple(
        NewSlide(**to_slide(record).model_dump(), added=record.created > stored.since)
        for record in news.records[:MOST_LISTED]
    )
    seen = tuple(record.slide_id for record in news.records[:MAX_SHOWN])
    return SearchNews(search_id=stored.search_id, slides=slides, slide_ids=seen, count=news.count, as_of=as_of)
