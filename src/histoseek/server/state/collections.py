"""Collections: named lists of slides, each its owner's alone unless the owner shares it."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from histoseek.errors import InputError
from histoseek.server.clock import Clock, to_datetime
from histoseek.server.errors import Conflict, Forbidden, NotFound
from histoseek.server.state.clean_texts import clean_texts
from histoseek.server.state.collection_shares import (
    EVERYBODY,
    LEFT,
    Access,
    Sharing,
    leave,
    list_sharings,
    put_sharing,
    read_sharing,
    settle_access,
)
from histoseek.server.state.database import State
from histoseek.server.state.engine import Row, Transaction

MAX_COLLECTIONS = 200
MAX_ITEMS = 5000
MAX_NAME_LENGTH = 200
MAX_NOTE_LENGTH = 2000
MAX_SHARED_LISTED = 200
"""Collections of others that are listed, those changed last."""

_CURSOR = re.compile(r"([0-9]{1,15})\.([0-9]{1,15})")
"""The version of a collection and a place in it."""

_COLLECTIONS = (
    " FROM collections AS c"
    " LEFT JOIN collection_shares AS own ON own.collection_id = c.collection_id AND own.grantee = ?1"
    " LEFT JOIN collection_shares AS general ON general.collection_id = c.collection_id AND general.grantee = ?2"
)
"""With what is granted of them; ?1: the caller, ?2: EVERYBODY."""

_GRANTS = "c.*, own.access AS named, general.access AS general"

_HEADS = (
    f"SELECT {_GRANTS}, (SELECT count(*) FROM collection_items AS i WHERE i.collection_id = c.collection_id) AS slides"
    f"{_COLLECTIONS}"
)
"""Collections without their items."""


@dataclass(frozen=True, slots=True)
class NewItem:
    """A slide to be in a collection, with a note."""

    archive: str
    slide_id: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Item:
    """A slide in a collection; added: when it first came in."""

    archive: str
    slide_id: str
    note: str
    added: datetime


@dataclass(frozen=True, slots=True)
class CollectionHead:
    """A collection as one caller sees it, without its items.

    slides: how many are in it; version: goes up with each change of name or items; access: what the caller may do;
    sharing: with whom it is shared, None unless the caller owns it.
    """

    collection_id: str
    owner: str
    name: str
    slides: int
    version: int
    created: datetime
    updated: datetime
    access: Access
    sharing: Sharing | None


@dataclass(frozen=True, slots=True)
class StoredCollection(CollectionHead):
    """A collection with its items in their order."""

    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class ItemPage:
    """Some items of a collection in their order; next: where the next page begins, None at the end."""

    items: tuple[Item, ...]
    next: str | None


class CollectionStore:
    """Collections in the server's state. Owners and those they share with are names of tokens, so that a renewed token
    finds its lists."""

    def __init__(self, state: State, clock: Clock = time.time) -> None:
        self._state = state
        self._clock = clock

    def list(self, caller: str) -> tuple[CollectionHead, ...]:
        """All collections of a caller, the oldest first, then those that others share and the caller did not leave."""
        own = self._state.read(f"{_HEADS} WHERE c.owner = ?1 ORDER BY c.created, c.collection_id", (caller, EVERYBODY))
        shared = self._state.read(
            f"{_HEADS} WHERE c.owner <> ?1 AND c.collection_id IN"
            " (SELECT collection_id FROM collection_shares WHERE grantee IN (?1, ?2))"
            " AND coalesce(own.access, '') <> ?3 ORDER BY c.updated DESC, c.collection_id LIMIT ?4",
            (caller, EVERYBODY, LEFT, MAX_SHARED_LISTED),
        )
        sharings = list_sharings(self._state, caller)
        found = (_parse_head(caller, row, sharings.get(row["collection_id"], Sharing())) for row in (*own, *shared))
        return tuple(head for head in found if head is not None)

    def get_head(self, caller: str, collection_id: str) -> CollectionHead:
        """One collection without its items; raises NotFound as `get` does."""
        rows = self._state.read(f"{_HEADS} WHERE c.collection_id = ?3", (caller, EVERYBODY, collection_id))
        is_own = bool(rows) and rows[0]["owner"] == caller
        sharing = read_sharing(self._state, collection_id) if is_own else Sharing()
        head = _parse_head(caller, rows[0], sharing) if rows else None
        if head is None:
            raise _make_not_found()
        return head

    def read_items(self, caller: str, collection_id: str, limit: int, after: str | None = None) -> ItemPage:
        """A page of a collection's items, in their order; after: `next` of the page before.

        All pages are of one version: raises Conflict when the collection was changed since the first, NotFound.
        """
        head = self.get_head(caller, collection_id)
        version, place = (head.version, 0) if after is None else _parse_place(after)
        rows = self._state.read(
            "SELECT c.version, i.* FROM collections AS c LEFT JOIN collection_items AS i"
            " ON i.collection_id = c.collection_id AND i.place >= ?2 WHERE c.collection_id = ?1"
            " ORDER BY i.place LIMIT ?3",
            (collection_id, place, limit + 1),
        )
        if not rows:
            raise _make_not_found()
        now = rows[0]["version"]
        if after is not None and now != version:
            raise _make_conflict("Read it from its first page")
        items = _parse_items(rows)
        return ItemPage(items[:limit], f"{now}.{rows[limit]['place']}" if len(items) > limit else None)

    def get(self, caller: str, collection_id: str) -> StoredCollection:
        """One collection with its items; raises NotFound, also for another's that is not shared with the caller."""
        collection = self._find(caller, collection_id)
        if collection is None:
            raise _make_not_found()
        return collection

    def create(self, owner: str, name: str, items: Sequence[NewItem] = ()) -> StoredCollection:
        """Make a collection; raises InputError for what is too long, twice in it, or one too many."""
        _check_content(name, items)
        name, items = _remove_identifiers(name, items, {})
        collection_id, now = secrets.token_hex(16), self._clock()
        with self._state.open_transaction() as connection:
            (count,) = connection.execute("SELECT count(*) FROM collections WHERE owner = ?", (owner,)).fetchone()
            if count >= MAX_COLLECTIONS:
                raise InputError("collections", f"you have {count} already", "Delete some first")
            connection.execute(
                "INSERT INTO collections (collection_id, owner, name, version, created, updated)"
                " VALUES (?, ?, ?, 1, ?, ?)",
                (collection_id, owner, name, now, now),
            )
            _put_items(connection, collection_id, items, {}, now)
        return self.get(owner, collection_id)

    def replace(
        self, caller: str, collection_id: str, version: int, name: str, items: Sequence[NewItem]
    ) -> StoredCollection:
        """Give a collection a name and items in place of those it has at `version`.

        Raises NotFound, Forbidden without the right to edit, InputError as `create` does, and Conflict when it has been
        changed since that version.
        """
        _check_content(name, items)
        collection = self.get(caller, collection_id)
        if collection.access == "read":
            raise Forbidden("collection", "it is shared with you to read", "Ask its owner to let you edit it")
        present = {(item.archive, item.slide_id): item.note for item in collection.items}
        name, items = _remove_identifiers(name, items, present)
        now = self._clock()
        with self._state.open_transaction() as connection:
            _advance_version(connection, collection_id, version)
            connection.execute(
                "UPDATE collections SET name = ?, updated = ? WHERE collection_id = ?", (name, now, collection_id)
            )
            before = _read_times_added(connection, collection_id)
            connection.execute("DELETE FROM collection_items WHERE collection_id = ?", (collection_id,))
            _put_items(connection, collection_id, items, before, now)
        return self.get(caller, collection_id)

    def rename(self, caller: str, collection_id: str, version: int, name: str) -> StoredCollection:
        """Give a collection another name; raises as `replace` does."""
        collection = self.get(caller, collection_id)
        items = [NewItem(item.archive, item.slide_id, item.note) for item in collection.items]
        return self.replace(caller, collection_id, version, name, items)

    def share(self, caller: str, collection_id: str, sharing: Sharing) -> StoredCollection:
        """Share it with these and no others; raises NotFound, InputError, Forbidden for who does not own it."""
        self._require_owner(caller, collection_id)
        with self._state.open_transaction() as connection:
            put_sharing(connection, collection_id, caller, sharing)
        return self.get(caller, collection_id)

    def leave(self, caller: str, collection_id: str) -> None:
        """Take another's collection off the caller's list; raises NotFound, InputError for the caller's own."""
        if self.get_head(caller, collection_id).access == "own":
            raise InputError("collection", "is yours", "Delete it, or share it with nobody")
        with self._state.open_transaction() as connection:
            leave(connection, collection_id, caller)

    def delete(self, caller: str, collection_id: str) -> None:
        """Delete a collection; raises NotFound, Forbidden for who does not own it."""
        self._require_owner(caller, collection_id)
        with self._state.open_transaction() as connection:
            connection.execute("DELETE FROM collections WHERE collection_id = ?", (collection_id,))

    def list_slides(self, archive: str) -> frozenset[str]:
        """The slides of an archive that are in any collection."""
        rows = self._state.read("SELECT DISTINCT slide_id FROM collection_items WHERE archive = ?", (archive,))
        return frozenset(row["slide_id"] for row in rows)

    def forget_slide(self, archive: str, slide_id: str) -> int:
        """Take a slide out of all collections, with its notes; out of how many."""
        with self._state.open_transaction() as connection:
            connection.execute(
                "UPDATE collections SET version = version + 1, updated = ? WHERE collection_id IN"
                " (SELECT collection_id FROM collection_items WHERE archive = ? AND slide_id = ?)",
                (self._clock(), archive, slide_id),
            )
            return connection.execute(
                "DELETE FROM collection_items WHERE archive = ? AND slide_id = ?", (archive, slide_id)
            ).rowcount

    def _require_owner(self, caller: str, collection_id: str) -> None:
        if self.get_head(caller, collection_id).access != "own":
            raise Forbidden("collection", "only its owner may do this", "You can leave it")

    def _find(self, caller: str, collection_id: str) -> StoredCollection | None:
        """The collection in one read, so that its items are those of its version; None for what is not shared."""
        rows = self._state.read(
            f"SELECT {_GRANTS}, i.archive, i.slide_id, i.note, i.added{_COLLECTIONS}"
            " LEFT JOIN collection_items AS i ON i.collection_id = c.collection_id"
            " WHERE c.collection_id = ?3 ORDER BY i.place",
            (caller, EVERYBODY, collection_id),
        )
        if not rows:
            return None
        head = rows[0]
        access = settle_access(head["owner"] == caller, head["named"], head["general"])
        if access is None:
            return None
        sharing = read_sharing(self._state, collection_id) if access == "own" else None
        items = _parse_items(rows)
        return StoredCollection(*_parse_facts(head, len(items)), access, sharing, items)


def _advance_version(connection: Transaction, collection_id: str, version: int) -> None:
    row = connection.execute("SELECT version FROM collections WHERE collection_id = ?", (collection_id,)).fetchone()
    if row is None:
        raise _make_not_found()
    if row["version"] != version:
        raise _make_conflict("Load it again, and repeat your change")
    connection.execute("UPDATE collections SET version = version + 1 WHERE collection_id = ?", (collection_id,))


def _put_items(
    connection: Transaction,
    collection_id: str,
    items: Sequence[NewItem],
    before: dict[tuple[str, str], float],
    now: float,
) -> None:
    connection.executemany(
        "INSERT INTO collection_items VALUES (?, ?, ?, ?, ?, ?)",
        (
            (
                collection_id,
                place,
                item.archive,
                item.slide_id,
                item.note,
                before.get((item.archive, item.slide_id), now),
            )
            for place, item in enumerate(items)
        ),
    )


def _read_times_added(connection: Transaction, collection_id: str) -> dict[tuple[str, str], float]:
    """When each slide came into the collection."""
    rows = connection.execute(
        "SELECT archive, slide_id, added FROM collection_items WHERE collection_id = ?", (collection_id,)
    )
    return {(row["archive"], row["slide_id"]): row["added"] for row in rows.fetchall()}


def _parse_items(rows: Sequence[Row]) -> tuple[Item, ...]:
    return tuple(
        Item(row["archive"], row["slide_id"], row["note"], to_datetime(row["added"]))
        for row in rows
        if row["slide_id"] is not None
    )


def _parse_facts(row: Row, slides: int) -> tuple[str, str, str, int, int, datetime, datetime]:
    """What a head begins with."""
    created, updated = to_datetime(row["created"]), to_datetime(row["updated"])
    return row["collection_id"], row["owner"], row["name"], slides, row["version"], created, updated


def _parse_head(caller: str, row: Row, sharing: Sharing) -> CollectionHead | None:
    access = settle_access(row["owner"] == caller, row["named"], row["general"])
    if access is None:
        return None
    return CollectionHead(*_parse_facts(row, row["slides"]), access, sharing if access == "own" else None)


def _parse_place(after: str) -> tuple[int, int]:
    """The version and the place of a cursor; raises InputError."""
    found = _CURSOR.fullmatch(after)
    if found is None:
        raise InputError("after", "is no cursor of a collection", "Give `next` of the page before")
    return int(found[1]), int(found[2])


def _check_content(name: str, items: Sequence[NewItem]) -> None:
    if not 0 < len(name.strip()) <= MAX_NAME_LENGTH:
        raise InputError("name", f"empty, or longer than {MAX_NAME_LENGTH} characters", "Choose another")
    if len(items) > MAX_ITEMS:
        raise InputError("items", f"{len(items)} are too many", f"Put at most {MAX_ITEMS} into a collection")
    if any(len(item.note) > MAX_NOTE_LENGTH for item in items):
        raise InputError("note", f"longer than {MAX_NOTE_LENGTH} characters", "Shorten it")
    if len({(item.archive, item.slide_id) for item in items}) < len(items):
        raise InputError("items", "a slide is in the list twice", "List each slide once")


def _remove_identifiers(
    name: str, items: Sequence[NewItem], present: Mapping[tuple[str, str], str]
) -> tuple[str, list[NewItem]]:
    """Name and items with placeholders for persons in what was written; present: notes that are stored already."""
    new = {item: item.note != present.get((item.archive, item.slide_id)) for item in items}
    clean = clean_texts([name, *(item.note for item, is_new in new.items() if is_new)], "collection")
    return clean[name], [replace(item, note=clean[item.note]) if is_new else item for item, is_new in new.items()]


def _make_conflict(advice: str) -> Conflict:
    return Conflict("collection", "it was changed in the meantime", advice)


def _make_not_found() -> NotFound:
    return NotFound("collection", "it belongs to somebody else, or was deleted", "Ask its owner to share it with you")
