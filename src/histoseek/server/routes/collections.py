"""Collections: named lists of slides, each its owner's alone unless the owner shares it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from histoseek.errors import UnknownSlide
from histoseek.rest.base import Page
from histoseek.rest.workspace import Collection, CollectionContent, CollectionSharing, CollectionSlide
from histoseek.server.context import Context
from histoseek.server.errors import NotFound
from histoseek.server.http.dependencies import InContext, Reader
from histoseek.server.http.downloads import TABLE_FILES, TableFormat, respond_with_table
from histoseek.server.state.collection_shares import Share, Sharing
from histoseek.server.state.collections import CollectionHead, Item, NewItem
from histoseek.tables import Cell

router = APIRouter(prefix="/collections", tags=["collections"])

CollectionId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
_COLUMNS = ("archive", "slide_id", "case_id", "patient_id", "diagnosis", "organ", "stain", "site", "note", "added")


@router.get("")
def list_collections(context: InContext, caller: Reader) -> tuple[Collection, ...]:
    """Your collections, the oldest first, then those that others share with you, the last changed first."""
    return tuple(_to_collection(collection) for collection in context.collections.list(caller.name))


@router.post("", status_code=201)
def create_collection(context: InContext, caller: Reader, content: CollectionContent) -> Collection:
    """Create a collection."""
    return _to_collection(context.collections.create(caller.name, content.name, _to_items(content)))


@router.get("/{collection_id}")
def get_collection(context: InContext, caller: Reader, collection_id: CollectionId) -> Collection:
    """One collection."""
    return _to_collection(context.collections.get_head(caller.name, collection_id))


@router.get("/{collection_id}/slides")
def list_collection_slides(
    context: InContext,
    caller: Reader,
    collection_id: CollectionId,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[str | None, Query(max_length=40, description="`next` of the previous page.")] = None,
) -> Page[CollectionSlide]:
    """Slides of a collection in their order, page by page; a conflict if it was changed since the first page."""
    return Page[CollectionSlide].model_validate(
        context.collections.read_items(caller.name, collection_id, limit, after)
    )


@router.put("/{collection_id}")
def replace_collection(
    context: InContext, caller: Reader, collection_id: CollectionId, content: CollectionContent
) -> Collection:
    """Replace the content of a collection; a conflict if it was changed after the version named."""
    store = context.collections
    return _to_collection(store.replace(caller.name, collection_id, content.version, content.name, _to_items(content)))


@router.delete("/{collection_id}", status_code=204)
def delete_collection(context: InContext, caller: Reader, collection_id: CollectionId) -> None:
    """Delete a collection; the slides stay in their archives."""
    context.collections.delete(caller.name, collection_id)


@router.put("/{collection_id}/sharing")
def share_collection(
    context: InContext, caller: Reader, collection_id: CollectionId, sharing: CollectionSharing
) -> Collection:
    """Share a collection of yours with colleagues of this server, or all of them, and with nobody else."""
    people = tuple(Share(person.name.strip(), person.access) for person in sharing.people)
    shared = context.collections.share(caller.name, collection_id, Sharing(people, sharing.everybody))
    return _to_collection(shared)


@router.delete("/{collection_id}/membership", status_code=204)
def leave_collection(context: InContext, caller: Reader, collection_id: CollectionId) -> None:
    """Take a collection that somebody shares off your list."""
    context.collections.leave(caller.name, collection_id)


@router.get("/{collection_id}/export", response_class=Response, responses=TABLE_FILES)
def export_collection(
    context: InContext,
    caller: Reader,
    collection_id: CollectionId,
    as_: TableFormat = "csv",
) -> Response:
    """Download a collection with its slides' metadata."""
    collection = context.collections.get(caller.name, collection_id)
    rows = [_make_row(context, item) for item in collection.items]
    return respond_with_table("collection", collection.name, as_, _COLUMNS, rows)


def _to_items(content: CollectionContent) -> list[NewItem]:
    return [NewItem(item.archive, item.slide_id, item.note) for item in content.items]


def _to_collection(stored: CollectionHead) -> Collection:
    return Collection.model_validate(stored)


def _make_row(context: Context, item: Item) -> tuple[Cell, ...]:
    """The slide's metadata as it is now; a slide that is no longer in the archive keeps its row."""
    metadata: tuple[Cell, ...] = (None,) * 6
    try:
        record = context.archives.get(item.archive).get_record(item.slide_id)
        metadata = (record.case_id, record.patient_id, record.diagnosis, record.organ, record.stain, record.site)
    except (UnknownSlide, NotFound):
        pass
    return (item.archive, item.slide_id, *metadata, item.note, item.added.isoformat(timespec="seconds"))
