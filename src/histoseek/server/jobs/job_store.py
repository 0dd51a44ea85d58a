"""Jobs as the state keeps them: who works on one reports progress here, and learns here that it is cancelled."""

from __future__ import annotations

import json
import re
import secrets
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

from histoseek.server.errors import Conflict, NotFound
from histoseek.server.jobs.job_spec import EMPTY, clean_spec
from histoseek.server.state.database import State
from histoseek.server.state.engine import Row

JobKind = Literal["index", "encode", "erase", "worklist"]
JobState = Literal["waiting", "running", "done", "failed", "cancelled"]
ENDED: tuple[JobState, ...] = ("done", "failed", "cancelled")

_MAX_OPEN = 50
_MAX_STORED = 500
_STALE_S = 60.0


@dataclass(frozen=True, slots=True)
class StoredRefusal:
    """A slide that was not taken in, by its name; file: its name below the import folder, if it lies there."""

    name: str
    error: str
    reason: str
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an indexing job did; passed_over: how many files and folders were, by reason."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    refused: tuple[StoredRefusal, ...] = ()
    warnings: tuple[str, ...] = ()
    passed_over: Mapping[str, int] = field(default_factory=dict)


def add_outcomes(outcomes: Sequence[Outcome]) -> Outcome:
    """What several runs did together."""
    passed_over: Counter[str] = Counter()
    for outcome in outcomes:
        passed_over.update(outcome.passed_over)
    return Outcome(
        added=sum(outcome.added for outcome in outcomes),
        updated=sum(outcome.updated for outcome in outcomes),
        unchanged=sum(outcome.unchanged for outcome in outcomes),
        refused=tuple(one for outcome in outcomes for one in outcome.refused),
        warnings=tuple(dict.fromkeys(text for outcome in outcomes for text in outcome.warnings)),
        passed_over=dict(passed_over),
    )


@dataclass(frozen=True, slots=True)
class StoredJob:
    """A job; times in seconds since 1970; spec: what is to be done, as JSON."""

    job_id: str
    kind: JobKind
    archive: str
    owner: str
    upload_id: str | None
    spec: str
    state: JobState
    created: float
    started: float | None
    ended: float | None
    done: int
    total: int | None
    part: str | None
    outcome: Outcome
    error: str | None

    def measure_rate(self, now: float) -> float | None:
        """Items a second since it was begun; None before the first one is done."""
        seconds = (self.ended or now) - self.started if self.started else 0.0
        return self.done / seconds if seconds > 0 and self.done else None

    @property
    def has_ended(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ENDED


def make_job_id() -> str:
    """An id for a new job."""
    return secrets.token_hex(8)


class JobStore:
    """All jobs of a server."""

    def __init__(self, state: State, clock: Callable[[], float] | None = None) -> None:
        """clock: None for the one that all servers of the state share."""
        self._state = state
        self._clock = clock or state.now
        self._on_addition: Callable[[JobKind], None] | None = None

    def watch_additions(self, on_addition: Callable[[JobKind], None]) -> None:
        """Be told the kind of each job that this process adds: others' are only found by `claim`."""
        self._on_addition = on_addition

    def add(
        self,
        kind: JobKind,
        archive: str,
        owner: str,
        spec: str = EMPTY,
        upload_id: str | None = None,
        job_id: str | None = None,
    ) -> StoredJob:
        """Put a job into the queue; job_id: one from `make_job_id`, where something has to know it before.

        Raises Conflict when its owner has too many open ones.
        """
        job_id = job_id or make_job_id()
        with self._state.open_transaction() as connection:
            row = connection.execute("SELECT count(*) FROM jobs WHERE owner = ? AND ended IS NULL", (owner,)).fetchone()
            if row[0] >= _MAX_OPEN:
                raise Conflict("jobs", f"you have {row[0]} unfinished jobs", "Wait for them, or cancel some")
            connection.execute(
                "INSERT INTO jobs (job_id, kind, archive, owner, upload_id, spec, state, created, done)"
                " VALUES (?, ?, ?, ?, ?, ?, 'waiting', ?, 0)",
                (job_id, kind, archive, owner, upload_id, spec, self._clock()),
            )
            connection.execute(
                "DELETE FROM jobs WHERE ended IS NOT NULL AND job_id NOT IN"
                " (SELECT job_id FROM jobs ORDER BY created DESC LIMIT ?)",
                (_MAX_STORED,),
            )
        if self._on_addition:
            self._on_addition(kind)
        return self.get(job_id)

    def add_erasure(self, archive: str, owner: str) -> StoredJob:
        """Put the erasure of what was removed into the queue, unless its owner has one waiting there."""
        rows = self._state.read(
            "SELECT * FROM jobs WHERE kind = 'erase' AND state = 'waiting' AND archive = ? AND owner = ?",
            (archive, owner),
        )
        return _parse_job(rows[0]) if rows else self.add("erase", archive, owner)

    @property
    def now(self) -> float:
        """The time of the clock that jobs are timed by, in s since 1970."""
        return self._clock()

    def find_refused_files(self, archive: str, owner: str) -> Mapping[str, str]:
        """Why files of the import folder were not taken in by the last of an owner's jobs that tried, by name."""
        reasons: dict[str, str] = {}
        for job in reversed(self.list(owner)):
            if job.kind == "index" and job.archive == archive:
                reasons |= {one.file: one.reason for one in job.outcome.refused if one.file}
        return reasons

    def get(self, job_id: str, owner: str | None = None) -> StoredJob:
        """One job, of this owner (None: of anybody); raises NotFound."""
        rows = self._state.read("SELECT * FROM jobs WHERE job_id = ? AND owner = coalesce(?, owner)", (job_id, owner))
        if not rows:
            raise NotFound("job", "there is no job of this id", "GET /api/v1/jobs lists yours")
        return _parse_job(rows[0])

    def list(self, owner: str | None = None, limit: int = 100) -> Sequence[StoredJob]:
        """The newest jobs first."""
        rows = self._state.read(
            "SELECT * FROM jobs WHERE owner = coalesce(?, owner) ORDER BY created DESC LIMIT ?", (owner, limit)
        )
        return [_parse_job(row) for row in rows]

    def claim(self, kind: JobKind) -> StoredJob | None:
        """Take a waiting job for this process, of those that write to an archive one at a time: the oldest of the owner
        whose turn was longest ago, so that nobody waits behind all that somebody else has begun.

        Jobs that nobody has worked on for a minute are waiting again.
        """
        now = self._clock()
        with self._state.open_transaction() as connection:
            connection.execute(
                "UPDATE jobs SET state = 'waiting' WHERE state = 'running' AND beat < ?", (now - _STALE_S,)
            )
            row = connection.execute(
                "SELECT job_id FROM jobs AS one WHERE state = 'waiting' AND kind = ? AND NOT EXISTS"
                " (SELECT 1 FROM jobs AS other WHERE other.state = 'running' AND other.kind IN ('index', 'erase')"
                " AND other.archive = one.archive AND one.kind IN ('index', 'erase'))"
                " ORDER BY coalesce((SELECT max(begun.started) FROM jobs AS begun"
                " WHERE begun.owner = one.owner AND begun.kind = one.kind), 0), created LIMIT 1",
                (kind,),
            ).fetchone()
            if row is None:
                return None
            connection.execute(
                "UPDATE jobs SET state = 'running', started = coalesce(started, ?), beat = ?, done = 0"
                " WHERE job_id = ?",
                (now, now, row["job_id"]),
            )
        return self.get(row["job_id"])

    def beat(self, job_id: str) -> bool:
        """Say that a job is being worked on; whether it is still wanted."""
        with self._state.open_transaction() as connection:
            connection.execute("UPDATE jobs SET beat = ? WHERE job_id = ?", (self._clock(), job_id))
            return bool(connection.execute("SELECT cancel = 0 FROM jobs WHERE job_id = ?", (job_id,)).fetchone()[0])

    def report_progress(self, job_id: str, done: int, total: int | None, part: str | None) -> bool:
        """Say how far a job is; whether it is still wanted."""
        with self._state.open_transaction() as connection:
            connection.execute(
                "UPDATE jobs SET done = ?, total = ?, part = ?, beat = ? WHERE job_id = ?",
                (done, total, part, self._clock(), job_id),
            )
            return bool(connection.execute("SELECT cancel = 0 FROM jobs WHERE job_id = ?", (job_id,)).fetchone()[0])

    def end(self, job_id: str, state: JobState, outcome: Outcome | None = None, error: str | None = None) -> None:
        """Say how a job ended; the first to say so is right."""
        with self._state.open_transaction() as connection:
            row = connection.execute("SELECT spec FROM jobs WHERE job_id = ?", (job_id,)).fetchone()
            connection.execute(
                "UPDATE jobs SET state = ?, ended = ?, outcome = ?, error = ?, part = NULL, spec = ?"
                " WHERE job_id = ? AND ended IS NULL",
                (state, self._clock(), json.dumps(asdict(outcome or Outcome())), error, EMPTY, job_id),
            )
        if row["spec"] != EMPTY:
            self._state.erase_deleted()

    def release(self, job_id: str) -> None:
        """Let a job that this process can't go on with wait for another one."""
        with self._state.open_transaction() as connection:
            connection.execute("UPDATE jobs SET state = 'waiting' WHERE job_id = ? AND ended IS NULL", (job_id,))

    def cancel(self, job_id: str) -> None:
        """Ask for an end: at once for a waiting job, soon for a running one."""
        with self._state.open_transaction() as connection:
            connection.execute("UPDATE jobs SET cancel = 1 WHERE job_id = ?", (job_id,))
            connection.execute(
                "UPDATE jobs SET state = 'cancelled', ended = ?, spec = ? WHERE job_id = ? AND state = 'waiting'",
                (self._clock(), EMPTY, job_id),
            )
        self._state.erase_deleted()

    def list_open_specs(self) -> tuple[str, ...]:
        """What the jobs are to do that have not ended."""
        rows = self._state.read("SELECT spec FROM jobs WHERE ended IS NULL AND spec <> ?", (EMPTY,))
        return tuple(row["spec"] for row in rows)

    def list_running(self) -> frozenset[str]:
        """The jobs that a process works on, or did a minute ago."""
        rows = self._state.read(
            "SELECT job_id FROM jobs WHERE state = 'running' AND beat >= ?", (self._clock() - _STALE_S,)
        )
        return frozenset(row["job_id"] for row in rows)

    def clean_specs(self) -> None:
        """Take identifiers out of what an older version left in jobs that have not ended, and all from others."""
        with self._state.open_transaction() as connection:
            connection.execute("UPDATE jobs SET spec = ? WHERE ended IS NOT NULL AND spec <> ?", (EMPTY, EMPTY))
            rows = connection.execute("SELECT job_id, spec FROM jobs WHERE ended IS NULL AND spec <> ?", (EMPTY,))
            for row in rows.fetchall():
                connection.execute(
                    "UPDATE jobs SET spec = ? WHERE job_id = ?", (clean_spec(row["spec"]), row["job_id"])
                )

    def forget_slide(self, archive: str, names: Collection[str]) -> None:
        """Take out of what jobs of an archive came to whatever names a slide by its id or the name of its file."""
        with self._state.open_transaction() as connection:
            rows = connection.execute(
                "SELECT job_id, outcome, error FROM jobs WHERE archive = ? AND ended IS NOT NULL", (archive,)
            ).fetchall()
            for row in rows:
                outcome, error = _parse_outcome(row["outcome"]), row["error"]
                rest = _leave_out(outcome, names)
                kept_error = None if error and _mentions(error, names) else error
                if (rest, kept_error) != (outcome, error):
                    connection.execute(
                        "UPDATE jobs SET outcome = ?, error = ? WHERE job_id = ?",
                        (json.dumps(asdict(rest)), kept_error, row["job_id"]),
                    )


def _parse_job(row: Row) -> StoredJob:
    fields = {name: row[name] for name in StoredJob.__slots__ if name != "outcome"}
    return StoredJob(**fields, outcome=_parse_outcome(row["outcome"]))


def _parse_outcome(text: str | None) -> Outcome:
    outcome = json.loads(text) if text else {}
    refused = tuple(StoredRefusal(**refusal) for refusal in outcome.pop("refused", ()))
    return Outcome(**{**outcome, "refused": refused, "warnings": tuple(outcome.get("warnings", ()))})


def _leave_out(outcome: Outcome, names: Collection[str]) -> Outcome:
    """An outcome without refusals and warnings that mention a slide."""
    refused = tuple(one for one in outcome.refused if not _mentions(f"{one.name} {one.reason}", names))
    warnings = tuple(text for text in outcome.warnings if not _mentions(text, names))
    return replace(outcome, refused=refused, warnings=warnings)


def _mentions(text: str, names: Collection[str]) -> bool:
    return any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) for name in names)
