"""Who does the jobs: those of this process begin at once."""

from __future__ import annotations

from pathlib import Path
from queue import Queue
from threading import Event

import pytest

from histoseek.server.jobs import supervisor
from histoseek.server.jobs.job_store import JobKind, JobStore, StoredJob
from histoseek.server.jobs.supervisor import Supervisor
from histoseek.server.state.database import State
from tests.waiting import HANG_S


class _WatchedJobs(JobStore):
    """Tells when somebody has looked for a job and found none."""

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.looked = Event()

    def claim(self, kind: JobKind) -> StoredJob | None:
        found = super().claim(kind)
        if kind == "encode" and found is None:
            self.looked.set()
        return found


def test_a_job_begins_when_it_is_added_and_the_end_waits_for_no_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_POLL_S", 2 * HANG_S)
    jobs, done = _WatchedJobs(State(tmp_path / "state")), Queue[str]()
    working = Supervisor(jobs, {"encode": lambda job, _: done.put(job.job_id)}, lambda _: None, tmp_path / "temporary")
    working.start()
    assert jobs.looked.wait(HANG_S)
    job = jobs.add("encode", "archive", "owner")
    assert done.get(timeout=HANG_S) == job.job_id
    working.close()
    assert jobs.get(job.job_id).state == "done"
