"""Collections: named lists of slides, each its owner's alone."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response

from histoseek.errors import UnknownSlide
from histoseek.rest.work import Collection, CollectionContent
from histoseek.server.context import Context
from histoseek.server.errors import NotThere
from histoseek.server.http.dependencies import InContext, Reader
from histoseek.server.http.tables import Cell, file_name, to_csv, to_json
from histoseek.server.state.collections import Item, NewItem, StoredCollection

router = APIRouter(prefix="/collections", tags=["collections"])

CollectionId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
_FILES: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {}, "application/json": {}}}}
_COLUMNS = ("archive", "slide_id", "case_id", "patient_id", "diagnosis", "organ", "stain", "site", "note", "added")


@router.get("")
def list_collections(context: InContext, identity: Reader) -> tuple[Collection, ...]:
    """The asker's collections, the oldest first."""
    return tuple(_answer(one) for one in context.collections.list(identity.name))


@router.post("", status_code=201)
def create_collection(context: InContext, identity: Reader, content: CollectionContent) -> Collection:
    """Make a collection."""
    return _answer(context.collections.create(identity.name, content.name, _items(content)))


@router.get("/{collection_id}")
def get_collection(context: InContext, identity: Reader, collection_id: CollectionId) -> Collection:
    """One collection."""
    return _answer(context.collections.get(identity.name, collection_id))


@router.put("/{collection_id}")
def replace_collection(
    context: InContext, identity: Reader, collection_id: CollectionId, content: CollectionContent
) -> Collection:
    """Put other content in the place of that of a version; a conflict when it has been changed since."""
    store = context.collections
    return _answer(store.replace(identity.name, collection_id, content.version, content.name, _items(content)))


@router.delete("/{collection_id}", status_code=204)
def delete_collection(context: InContext, identity: Reader, collection_id: CollectionId) -> None:
    """Delete a collection; the slides stay in their archives."""
    context.collections.delete(identity.name, collection_id)


@router.get("/{collection_id}/export", response_class=Response, responses=_FILES)
def export_collection(
    context: InContext,
    identity: Reader,
    collection_id: CollectionId,
    as_: Annotated[Literal["csv", "json"], Query(alias="format")] = "csv",
) -> Response:
    """A collection with its slides' metadata, to take away."""
    found = context.collections.get(identity.name, collection_id)
    rows = [_row(context, item) for item in found.items]
    headers = {"Content-Disposition": f'attachment; filename="{file_name("collection", found.name, as_)}"'}
    if as_ == "csv":
        # Without a byte order mark spreadsheets take the file for text of an older encoding.
        return Response(to_csv(_COLUMNS, rows).encode("utf-8-sig"), media_type="text/csv", headers=headers)
    return Response(to_json(_COLUMNS, rows), media_type="application/json", headers=headers)


def _items(content: CollectionContent) -> list[NewItem]:
    return [NewItem(item.archive, item.slide_id, item.note) for item in content.items]


def _answer(stored: StoredCollection) -> Collection:
    return Collection.model_validate(stored)


def _row(context: Context, item: Item) -> tuple[Cell, ...]:
    """What is known of a slide now; a slide that is no longer there keeps its row."""
    known: tuple[Cell, ...] = (None,) * 6
    try:
        record = context.archives.get(item.archive).record(item.slide_id)
        known = (record.case_id, record.patient_id, record.diagnosis, record.organ, record.stain, record.site)
    except (UnknownSlide, NotThere):
        pass
    return (item.archive, item.slide_id, *known, item.note, item.added.isoformat(timespec="seconds"))
