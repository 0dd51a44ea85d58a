"""The archive's own bytes of a removed slide: erased at once, or by a job, as the server says."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from histoseek.progress import SilentReporter
from histoseek.server import slide_removal
from histoseek.server.context import Context
from histoseek.server.jobs import runner
from histoseek.server.settings import ServerSettings
from histoseek.settings import Settings

SLIDE = "SIM-0001-00"


@pytest.fixture
def context(indexed: Path, tmp_path: Path) -> Context:
    copy = shutil.copytree(indexed, tmp_path / "work.archive")
    return Context.from_settings(ServerSettings({"work": Path(copy)}, tmp_path / "state", write=True))


def test_small_archives_are_erased_at_once(context: Context) -> None:
    entry = context.archives.get("work")
    assert context.removal.erase(entry, "ann") is None
    context.removal.remove(entry, SLIDE)
    assert entry.archive.pending_erasure
    assert context.removal.erase(entry, "ann") is None
    assert entry.archive.pending_erasure is None


def test_large_archives_are_erased_by_a_job(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slide_removal, "_MAX_ERASED_AT_ONCE", 0)
    entry = context.archives.get("work")
    context.removal.remove(entry, SLIDE)
    job = context.removal.erase(entry, "ann")
    assert job
    assert (job.kind, job.archive, job.owner) == ("erase", "work", "ann")
    assert entry.archive.pending_erasure
    runner.erase(context.settings, job, SilentReporter())
    assert entry.archive.pending_erasure is None


def test_an_archive_that_is_being_written_to_is_erased_later(context: Context) -> None:
    entry = context.archives.get("work")
    context.removal.remove(entry, SLIDE)
    with entry.archive.writing():
        job = context.removal.erase(entry, "ann")
    assert job
    assert job.state == "waiting"


def test_what_is_due_is_erased_by_the_sweep(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("histoseek.archive.erasure.pending.get_settings", lambda: Settings(history_minutes=0))
    entry = context.archives.get("work")
    context.removal.remove(entry, SLIDE)
    context.removal.sweep()
    assert entry.archive.pending_erasure is None
