"""Saved searches: questions and conditions of an owner, kept without the persons that their texts may name."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from histoseek.errors import InputError
from histoseek.server.clock import Clock, to_datetime
from histoseek.server.errors import NotFound
from histoseek.server.state.database import State
from histoseek.server.state.engine import Row, Transaction
from histoseek.server.state.slide_traces import Json, SlideTraces, list_question_slides

MAX_SAVED = 100
MAX_NAME_LENGTH = 200
MAX_SHOWN = 1000

COMMIT_LAG_S = 600.0
"""How long a slide may be on its way into an archive after the time that it bears: while it is read and committed."""

_MARKS = ("relevant", "irrelevant")


@dataclass(frozen=True, slots=True)
class StoredSearch:
    """A saved search; question: as requests have it, under "search" or "browse".

    seen: when its owner looked at its news last; since: slides that bear a later time are news, but for `shown`, the
    ids of those that were seen already.
    """

    search_id: str
    owner: str
    archive: str
    name: str
    question: Mapping[str, Json]
    created: datetime
    seen: datetime
    since: datetime
    shown: frozenset[str]


class SavedSearchStore:
    """Saved searches in the server's state, each its owner's alone; an owner is the name of a token."""

    def __init__(self, state: State, clock: Clock = time.time) -> None:
        self._state = state
        self._clock = clock

    def list(self, owner: str) -> tuple[StoredSearch, ...]:
        """All of an owner, the latest first."""
        rows = self._state.read(
            "SELECT * FROM saved_searches WHERE owner = ? ORDER BY created DESC, search_id", (owner,)
        )
        return tuple(map(_parse_search, rows))

    def get(self, owner: str, search_id: str) -> StoredSearch:
        """One of an owner; raises NotFound."""
        rows = self._state.read("SELECT * FROM saved_searches WHERE owner = ? AND search_id = ?", (owner, search_id))
        if not rows:
            raise _make_not_found()
        return _parse_search(rows[0])

    def save(self, owner: str, archive: str, name: str, question: Mapping[str, Json]) -> StoredSearch:
        """Keep a search, without identifiers already; raises InputError for a bad name, or one search too many."""
        clean_name, search_id, now = _clean_name(name), secrets.token_hex(16), self._clock()
        with self._state.open_transaction() as connection:
            (count,) = connection.execute("SELECT count(*) FROM saved_searches WHERE owner = ?", (owner,)).fetchone()
            if count >= MAX_SAVED:
                raise InputError("saved searches", f"you have {count} already", "Delete some first")
            connection.execute(
                "INSERT INTO saved_searches (search_id, owner, archive, name, question, created, seen, since, shown)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, '[]')",
                (search_id, owner, archive, clean_name, json.dumps(question), now, now, now),
            )
        return self.get(owner, search_id)

    def rename(self, owner: str, search_id: str, name: str) -> StoredSearch:
        """Give a search another name; raises NotFound, InputError."""
        clean_name = _clean_name(name)
        with self._state.open_transaction() as connection:
            connection.execute(
                "UPDATE saved_searches SET name = ? WHERE owner = ? AND search_id = ?", (clean_name, owner, search_id)
            )
        return self.get(owner, search_id)

    def mark_seen(self, owner: str, search_id: str, as_of: datetime, shown: Collection[str]) -> StoredSearch:
        """Let what comes after a time be news; shown: ids that were seen, of which no news come again.

        What bears a time shortly before may still be on its way, and is news when it comes. Raises NotFound.
        """
        stored = self.get(owner, search_id)
        seen = max(stored.seen.timestamp(), min(as_of.timestamp(), self._clock()))
        since = max(stored.since.timestamp(), seen - COMMIT_LAG_S)
        known = list(dict.fromkeys([*shown, *sorted(stored.shown)]))[:MAX_SHOWN]
        with self._state.open_transaction() as connection:
            connection.execute(
                "UPDATE saved_searches SET seen = ?, since = ?, shown = ? WHERE owner = ? AND search_id = ?",
                (seen, since, json.dumps(known), owner, search_id),
            )
        return self.get(owner, search_id)

    def delete(self, owner: str, search_id: str) -> None:
        """Delete a search; raises NotFound."""
        with self._state.open_transaction() as connection:
            statement = "DELETE FROM saved_searches WHERE owner = ? AND search_id = ?"
            if not connection.execute(statement, (owner, search_id)).rowcount:
                raise _make_not_found()

    def list_slides(self, archive: str) -> frozenset[str]:
        """The slides of an archive that saved searches name."""
        rows = self._state.read("SELECT question, shown FROM saved_searches WHERE archive = ?", (archive,))
        return frozenset(slide_id for row in rows for slide_id in _list_named(row))

    def forget_slide(self, archive: str, traces: SlideTraces) -> None:
        """Delete the searches that tell of a slide, and take it out of what others judged or have seen."""
        with self._state.open_transaction() as connection:
            statement = "SELECT search_id, question, shown FROM saved_searches WHERE archive = ?"
            for row in connection.execute(statement, (archive,)).fetchall():
                _forget(connection, row, traces)


def _forget(connection: Transaction, row: Row, traces: SlideTraces) -> None:
    question, shown, slide_id = json.loads(row["question"]), json.loads(row["shown"]), traces.slide_id
    if traces.are_in(question):
        connection.execute("DELETE FROM saved_searches WHERE search_id = ?", (row["search_id"],))
        return
    marks = (question.get("search") or {}).get("marks") or {}
    if slide_id not in shown and not any(slide_id in marks.get(name, ()) for name in _MARKS):
        return
    for name in _MARKS:
        marks[name] = [each for each in marks.get(name, ()) if each != slide_id]
    connection.execute(
        "UPDATE saved_searches SET question = ?, shown = ? WHERE search_id = ?",
        (json.dumps(question), json.dumps([each for each in shown if each != slide_id]), row["search_id"]),
    )


def _list_named(row: Row) -> Iterator[str]:
    question = json.loads(row["question"])
    yield from list_question_slides(question)
    yield from json.loads(row["shown"])
    marks = (question.get("search") or {}).get("marks") or {}
    for name in _MARKS:
        yield from marks.get(name, ())


def _clean_name(name: str) -> str:
    from histoseek.reports.privacy.deidentify import deidentify

    if not 0 < len(name.strip()) <= MAX_NAME_LENGTH:
        raise InputError("name", f"empty, or longer than {MAX_NAME_LENGTH} characters", "Choose another")
    return deidentify(name.strip()).text


def _parse_search(row: Row) -> StoredSearch:
    return StoredSearch(
        row["search_id"],
        row["owner"],
        row["archive"],
        row["name"],
        json.loads(row["question"]),
        to_datetime(row["created"]),
        to_datetime(row["seen"]),
        to_datetime(row["since"]),
        frozenset(json.loads(row["shown"])),
    )


def _make_not_found() -> NotFound:
    return NotFound("saved search", "there is none of this id", "GET /api/v1/saved-searches lists yours")
