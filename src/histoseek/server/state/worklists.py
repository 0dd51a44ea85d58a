"""Worklists as the state keeps them: the slides of each with what was found, for their owner, for some days."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from histoseek.errors import InputError
from histoseek.search.worklist import NearestSlide, WorklistRow
from histoseek.server.clock import Clock
from histoseek.server.errors import NotFound
from histoseek.server.state.database import State
from histoseek.server.state.engine import Row, Transaction
from histoseek.server.state.slide_traces import SlideTraces, list_condition_names

MAX_WORKLISTS = 20
"""Of one owner; the oldest makes room for another."""

KEPT_S = 7 * 24 * 3600.0


@dataclass(frozen=True, slots=True)
class ListedSlide:
    """A slide of a worklist, of the archive or an upload; row: what was found, None while it waits."""

    slide_id: str | None
    upload_id: str | None
    row: WorklistRow | None = None


@dataclass(frozen=True, slots=True)
class WorklistTask:
    """What to say of each slide, as `WorklistOptions` has it; where: a filter as text."""

    k: int
    label: str
    phrases: int
    where: str | None


@dataclass(frozen=True, slots=True)
class StoredWorklist:
    """A worklist; times in seconds since 1970."""

    worklist_id: str
    owner: str
    archive: str
    name: str
    job_id: str
    task: WorklistTask
    created: float
    expires: float


class WorklistStore:
    """Worklists in the server's state, each its owner's alone."""

    def __init__(self, state: State, clock: Clock = time.time) -> None:
        self._state = state
        self._clock = clock

    def list(self, owner: str) -> tuple[StoredWorklist, ...]:
        """All of an owner that have not expired, the latest first."""
        statement = "SELECT * FROM worklists WHERE owner = ? AND expires > ? ORDER BY created DESC, worklist_id"
        return tuple(map(_parse_worklist, self._state.read(statement, (owner, self._clock()))))

    def get(self, owner: str, worklist_id: str) -> StoredWorklist:
        """One of an owner; raises NotFound."""
        return self._find("owner = ? AND worklist_id = ?", owner, worklist_id)

    def get_of_job(self, job_id: str) -> StoredWorklist:
        """The one that a job works on; raises NotFound when it was deleted."""
        return self._find("job_id = ?", job_id)

    def add(
        self, owner: str, archive: str, name: str, job_id: str, task: WorklistTask, slides: Sequence[ListedSlide]
    ) -> StoredWorklist:
        """Keep a worklist that a job is to work on; what has expired goes, and the oldest where there are too many."""
        from histoseek.reports.privacy.deidentify import deidentify

        if not name.strip():
            raise InputError("worklist", "has no name", "Give it one")
        worklist_id, now = secrets.token_hex(16), self._clock()
        with self._state.open_transaction() as connection:
            self._make_room(connection, owner, now)
            connection.execute(
                "INSERT INTO worklists (worklist_id, owner, archive, name, job_id, task, created, expires)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    worklist_id,
                    owner,
                    archive,
                    deidentify(name.strip()).text,
                    job_id,
                    json.dumps(asdict(task)),
                    now,
                    now + KEPT_S,
                ),
            )
            connection.executemany(
                "INSERT INTO worklist_slides (worklist_id, place, slide_id, upload_id) VALUES (?, ?, ?, ?)",
                [(worklist_id, place, slide.slide_id, slide.upload_id) for place, slide in enumerate(slides)],
            )
        return self.get(owner, worklist_id)

    def read_slides(self, worklist_id: str) -> tuple[tuple[int, ListedSlide], ...]:
        """The slides with their places, in order."""
        rows = self._state.read(
            "SELECT place, slide_id, upload_id, found FROM worklist_slides WHERE worklist_id = ? ORDER BY place",
            (worklist_id,),
        )
        return tuple(
            (row["place"], ListedSlide(row["slide_id"], row["upload_id"], _parse_found(row["found"]))) for row in rows
        )

    def count(self, worklist_id: str) -> tuple[int, int]:
        """How many slides are done, and how many there are."""
        (row,) = self._state.read(
            "SELECT count(found) AS done, count(*) AS total FROM worklist_slides WHERE worklist_id = ?", (worklist_id,)
        )
        return row["done"], row["total"]

    def put_row(self, worklist_id: str, place: int, row: WorklistRow) -> None:
        """Keep what was found of a slide, unless that was removed meanwhile."""
        with self._state.open_transaction() as connection:
            connection.execute(
                "UPDATE worklist_slides SET found = ? WHERE worklist_id = ? AND place = ?",
                (json.dumps(asdict(row)), worklist_id, place),
            )

    def delete(self, owner: str, worklist_id: str) -> None:
        """Delete a worklist; raises NotFound."""
        with self._state.open_transaction() as connection:
            statement = "DELETE FROM worklists WHERE owner = ? AND worklist_id = ?"
            if not connection.execute(statement, (owner, worklist_id)).rowcount:
                raise _make_not_found()

    def list_slides(self, archive: str) -> frozenset[str]:
        """The slides of an archive that worklists name."""
        rows = self._read_of_archive(archive)
        found = [row for each in rows if (row := _parse_found(each["found"]))]
        near = (slide.slide_id for row in found for slide in row.nearest)
        tasks = self._state.read("SELECT task FROM worklists WHERE archive = ?", (archive,))
        named = (name for task in tasks for name in list_condition_names(json.loads(task["task"])))
        return frozenset([*(row["slide_id"] for row in rows if row["slide_id"]), *near, *named])

    def forget_slide(self, archive: str, traces: SlideTraces) -> None:
        """Take a slide out of all worklists of its archive: its own rows, and as what was near others. Worklists whose
        filter names it go."""
        slide_id = traces.slide_id
        with self._state.open_transaction() as connection:
            statement = "SELECT worklist_id, task FROM worklists WHERE archive = ?"
            for each in connection.execute(statement, (archive,)).fetchall():
                if traces.are_in(json.loads(each["task"])):
                    connection.execute("DELETE FROM worklists WHERE worklist_id = ?", (each["worklist_id"],))
            for each in self._read_of_archive(archive):
                key = (each["worklist_id"], each["place"])
                if each["slide_id"] == slide_id:
                    connection.execute("DELETE FROM worklist_slides WHERE worklist_id = ? AND place = ?", key)
                    continue
                found = json.loads(each["found"] or "{}")
                rest = [near for near in found.get("nearest", ()) if near["slide_id"] != slide_id]
                if len(rest) < len(found.get("nearest", ())):
                    content = json.dumps({**found, "nearest": rest})
                    statement = "UPDATE worklist_slides SET found = ? WHERE worklist_id = ? AND place = ?"
                    connection.execute(statement, (content, *key))

    def forget_upload(self, upload_id: str) -> None:
        """Take an upload out of all worklists, with the name of its file."""
        with self._state.open_transaction() as connection:
            connection.execute("DELETE FROM worklist_slides WHERE upload_id = ?", (upload_id,))

    def _find(self, condition: str, *values: str) -> StoredWorklist:
        rows = self._state.read(f"SELECT * FROM worklists WHERE {condition} AND expires > ?", (*values, self._clock()))
        if not rows:
            raise _make_not_found()
        return _parse_worklist(rows[0])

    def _read_of_archive(self, archive: str) -> Sequence[Row]:
        return self._state.read(
            "SELECT s.* FROM worklist_slides AS s JOIN worklists AS w ON w.worklist_id = s.worklist_id"
            " WHERE w.archive = ?",
            (archive,),
        )

    def _make_room(self, connection: Transaction, owner: str, now: float) -> None:
        connection.execute("DELETE FROM worklists WHERE expires <= ?", (now,))
        connection.execute(
            "DELETE FROM worklists WHERE owner = ?1 AND worklist_id NOT IN"
            " (SELECT worklist_id FROM worklists WHERE owner = ?1 ORDER BY created DESC LIMIT ?2)",
            (owner, MAX_WORKLISTS - 1),
        )


def _parse_worklist(row: Row) -> StoredWorklist:
    task = WorklistTask(**json.loads(row["task"]))
    fields = {name: row[name] for name in StoredWorklist.__slots__ if name != "task"}
    return StoredWorklist(**fields, task=task)


def _parse_found(text: str | None) -> WorklistRow | None:
    if text is None:
        return None
    found = json.loads(text)
    nearest = tuple(NearestSlide(**near) for near in found.pop("nearest"))
    return WorklistRow(**{**found, "nearest": nearest, "phrases": tuple(found["phrases"])})


def _make_not_found() -> NotFound:
    return NotFound("worklist", "there is none of this id", "GET /api/v1/worklists lists yours")
