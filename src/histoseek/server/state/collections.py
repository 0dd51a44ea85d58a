"""Collections: named lists of slides, each its owner's alone."""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from histoseek.errors import InputError
from histoseek.server.clock import Clock, moment
from histoseek.server.errors import Conflict, NotThere
from histoseek.server.state.database import State

MOST_COLLECTIONS = 200
MOST_ITEMS = 5000
LONGEST_NAME = 200
LONGEST_NOTE = 2000


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
class StoredCollection:
    """A collection with its items in their order; version: goes up with each change."""

    collection_id: str
    owner: str
    name: str
    items: tuple[Item, ...]
    version: int
    created: datetime
    updated: datetime


class CollectionStore:
    """Collections in the server's state. An owner is the name of a token, so that a renewed token finds its lists."""

    def __init__(self, state: State, clock: Clock = time.time) -> None:
        self._state = state
        self._clock = clock

    def list(self, owner: str) -> tuple[StoredCollection, ...]:
        """All collections of an owner, the oldest first."""
        rows = self._state.read(
            "SELECT collection_id FROM collections WHERE owner = ? ORDER BY created, collection_id", (owner,)
        )
        found = (self._found(owner, row["collection_id"]) for row in rows)
        return tuple(one for one in found if one is not None)

    def get(self, owner: str, collection_id: str) -> StoredCollection:
        """One collection; raises NotThere, also for another's."""
        found = self._found(owner, collection_id)
        if found is None:
            raise _not_there()
        return found

    def create(self, owner: str, name: str, items: Sequence[NewItem] = ()) -> StoredCollection:
        """Make a collection; raises InputError for what is too long, twice in it, or one too many."""
        _check(name, items)
        collection_id, now = secrets.token_hex(16), self._clock()
        with self._state.writing() as connection:
            (count,) = connection.execute("SELECT count(*) FROM collections WHERE owner = ?", (owner,)).fetchone()
            if count >= MOST_COLLECTIONS:
                raise InputError("collections", f"there are {count} already", "Delete some first")
            connection.execute(
                "INSERT INTO collections (collection_id, owner, name, version, created, updated)"
                " VALUES (?, ?, ?, 1, ?, ?)",
                (collection_id, owner, name, now, now),
            )
            _put_items(connection, collection_id, items, {}, now)
        return self.get(owner, collection_id)

    def replace(
        self, owner: str, collection_id: str, version: int, name: str, items: Sequence[NewItem]
    ) -> StoredCollection:
        """Give a collection a name and items in place of those it has at `version`.

        Raises NotThere, InputError as `create` does, and Conflict when it has been changed since that version.
        """
        _check(name, items)
        now = self._clock()
        with self._state.writing() as connection:
            self._next_version(connection, owner, collection_id, version)
            connection.execute(
                "UPDATE collections SET name = ?, updated = ? WHERE collection_id = ?", (name, now, collection_id)
            )
            before = _added(connection, collection_id)
            connection.execute("DELETE FROM collection_items WHERE collection_id = ?", (collection_id,))
            _put_items(connection, collection_id, items, before, now)
        return self.get(owner, collection_id)

    def rename(self, owner: str, collection_id: str, version: int, name: str) -> StoredCollection:
        """Give a collection another name; raises as `replace` does."""
        there = self.get(owner, collection_id)
        items = [NewItem(item.archive, item.slide_id, item.note) for item in there.items]
        return self.replace(owner, collection_id, version, name, items)

    def delete(self, owner: str, collection_id: str) -> None:
        """Delete a collection; raises NotThere."""
        with self._state.writing() as connection:
            gone = connection.execute(
                "DELETE FROM collections WHERE owner = ? AND collection_id = ?", (owner, collection_id)
            )
            if not gone.rowcount:
                raise _not_there()

    def _found(self, owner: str, collection_id: str) -> StoredCollection | None:
        """The collection in one read, so that its items are those of its version."""
        rows = self._state.read(
            "SELECT c.*, i.archive, i.slide_id, i.note, i.added FROM collections AS c"
            " LEFT JOIN collection_items AS i USING (collection_id)"
            " WHERE c.owner = ? AND c.collection_id = ? ORDER BY i.place",
            (owner, collection_id),
        )
        return _collection(rows) if rows else None

    def _next_version(self, connection: sqlite3.Connection, owner: str, collection_id: str, version: int) -> None:
        row = connection.execute(
            "SELECT version FROM collections WHERE owner = ? AND collection_id = ?", (owner, collection_id)
        ).fetchone()
        if row is None:
            raise _not_there()
        if row["version"] != version:
            raise Conflict("collection", "it has been changed meanwhile", "Read it again, and repeat your change")
        connection.execute("UPDATE collections SET version = version + 1 WHERE collection_id = ?", (collection_id,))


def _put_items(
    connection: sqlite3.Connection,
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


def _added(connection: sqlite3.Connection, collection_id: str) -> dict[tuple[str, str], float]:
    """When each slide came into the collection."""
    rows = connection.execute(
        "SELECT archive, slide_id, added FROM collection_items WHERE collection_id = ?", (collection_id,)
    )
    return {(row["archive"], row["slide_id"]): row["added"] for row in rows}


def _collection(rows: list[sqlite3.Row]) -> StoredCollection:
    head = rows[0]
    items = (
        Item(row["archive"], row["slide_id"], row["note"], moment(row["added"]))
        for row in rows
        if row["slide_id"] is not None
    )
    created, updated = moment(head["created"]), moment(head["updated"])
    return StoredCollection(
        head["collection_id"], head["owner"], head["name"], tuple(items), head["version"], created, updated
    )


def _check(name: str, items: Sequence[NewItem]) -> None:
    if not 0 < len(name.strip()) <= LONGEST_NAME:
        raise InputError("name", f"empty, or longer than {LONGEST_NAME} letters", "Give another")
    if len(items) > MOST_ITEMS:
        raise InputError("items", f"{len(items)} are too many", f"Put at most {MOST_ITEMS} into a collection")
    if any(len(item.note) > LONGEST_NOTE for item in items):
        raise InputError("note", f"longer than {LONGEST_NOTE} letters", "Shorten it")
    if len({(item.archive, item.slide_id) for item in items}) < len(items):
        raise InputError("items", "a slide stands in them twice", "Name each once")


def _not_there() -> NotThere:
    return NotThere("collection", "there is none of this id", "GET /api/v1/collections lists yours")
