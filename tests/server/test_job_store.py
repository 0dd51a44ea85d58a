"""Jobs in the state: what they are to do is clean, and gone from all bytes when they have ended."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from histoseek.server.jobs.job_spec import NewSlide, dump_spec, parse_spec
from histoseek.server.jobs.job_store import JobState, JobStore, Outcome, StoredRefusal
from histoseek.server.state.database import MIGRATIONS, State
from tests.server.leftovers import METADATA, NAME, RAW, REPORT, WORD, find_leftovers

SLIDE = NewSlide(Path("/import/uploaded") / ("0" * 32) / f"{NAME}.svs", f"{NAME}.svs", METADATA, REPORT * 50)
OF_JOB = {**RAW, WORD: WORD.encode()}


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path / "state")


@pytest.mark.parametrize("end", ["done", "failed", "cancelled"])
def test_nothing_of_a_job_stays_in_any_file_when_it_has_ended(state: State, end: JobState) -> None:
    jobs = JobStore(state)
    added = [jobs.add("index", "work", "ann", dump_spec([SLIDE])) for _ in range(5)]
    assert find_leftovers([state.folder], OF_JOB)
    for job in added:
        jobs.cancel(job.job_id) if end == "cancelled" else jobs.end(job.job_id, end)
    assert find_leftovers([state.folder], OF_JOB) == []
    assert jobs.list_open_specs() == ()


def test_what_older_versions_kept_raw_is_cleaned_at_the_start(tmp_path: Path) -> None:
    older = JobStore(State(tmp_path / "state", MIGRATIONS[:3]))
    ended, waiting = (older.add("index", "work", "ann", dump_spec([SLIDE])) for _ in range(2))
    with sqlite3.connect(tmp_path / "state" / "state.sqlite") as connection:
        connection.execute("UPDATE jobs SET state = 'done', ended = 1 WHERE job_id = ?", (ended.job_id,))
    connection.close()
    newer = State(tmp_path / "state")
    jobs = JobStore(newer)
    jobs.clean_specs()
    newer.erase_deleted()
    raw = {name: part for name, part in RAW.items() if name != "Schmidt"}
    assert find_leftovers([newer.folder], raw) == []
    (slide,) = parse_spec(jobs.get(waiting.job_id).spec)
    assert (slide.file, slide.name) == (SLIDE.file, "[NAME].svs")
    assert WORD in (slide.report or "")


def test_nobody_waits_behind_all_that_somebody_else_has_begun(state: State) -> None:
    clock = iter(range(1, 1000))
    jobs = JobStore(state, lambda: float(next(clock)))
    for name in ("ann 1", "ann 2", "ann 3", "ben 1", "ann 4", "ben 2"):
        jobs.add("worklist", name, name[:3])
    order = []
    for _ in range(6):
        job = jobs.claim("worklist")
        assert job
        order.append(job.archive)
    assert order == ["ann 1", "ben 1", "ann 2", "ben 2", "ann 3", "ann 4"]


def test_of_a_removed_slide_jobs_say_nothing_any_more(state: State) -> None:
    jobs = JobStore(state)
    job = jobs.add("index", "work", "ann")
    refused = (StoredRefusal("s-1.svs", "UnreadableSlide", "s-1.svs: torn"), StoredRefusal("s-10.svs", "A", "b"))
    jobs.end(job.job_id, "done", Outcome(refused=refused, warnings=("row of s-1 is there twice", "all is well")))
    jobs.forget_slide("other", {"s-1", "s-1.svs"})
    assert len(jobs.get(job.job_id).outcome.refused) == 2
    jobs.forget_slide("work", {"s-1", "s-1.svs"})
    outcome = jobs.get(job.job_id).outcome
    assert ([one.name for one in outcome.refused], outcome.warnings) == (["s-10.svs"], ("all is well",))


def test_an_owner_s_erasures_wait_as_one(state: State) -> None:
    jobs = JobStore(state)
    first, second = (jobs.add_erasure("work", "ann") for _ in range(2))
    assert first == second
    assert jobs.add_erasure("work", "bob") != first
    jobs.add("index", "work", "ann")
    assert jobs.claim("erase") is not None
    assert jobs.claim("index") is None
