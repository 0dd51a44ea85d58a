"""Archives are copied to and from every engine, against public interfaces alone.

A file of tests of an engine imports all of this, and has the fixture `address`, of a place where no archive is yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from histoseek.api import Archive
from histoseek.errors import ArchiveError, ArchiveNotFound
from histoseek.progress import Reporter, SilentReporter
from histoseek.settings import get_settings
from tests.archive.test_moving import archive, describe, features, require_same  # noqa: F401


@pytest.fixture(autouse=True)
def cache_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HISTOSEEK_CACHE_DIR", str(tmp_path / "cache"))
    get_settings.cache_clear()


class Stopped(Exception):
    """What ends a copy here, as a kill would."""


class Stopping(SilentReporter):
    """Stops a copy after some items."""

    def __init__(self, after: int) -> None:
        self.left = after

    def advance(self, items: int = 1) -> None:
        self.left -= items
        if self.left < 0:
            raise Stopped

    @contextmanager
    def part(self, title: str, total: int) -> Iterator[Reporter]:
        yield self


@pytest.fixture
def stops() -> tuple[int, ...]:
    """After how many rows, features and comparisons a copy is stopped."""
    return 10, 30, 50


def test_an_archive_moves_to_the_engine_and_back(
    archive: Archive,  # noqa: F811
    features: Path,  # noqa: F811
    address: str,
    stops: tuple[int, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("histoseek.archive.moving.rows._ROWS_AT_ONCE", 8)
    for after in stops:
        with pytest.raises(Stopped):
            archive.copy_to(address, Stopping(after))
        with pytest.raises(ArchiveNotFound):
            Archive.open(address)
    report = archive.copy_to(address)
    assert (report.slides, report.continued, report.notes) == (19, True, ())
    moved = Archive.open(address)
    require_same(archive, moved)
    with pytest.raises(ArchiveError, match="exists already"):
        archive.copy_to(address)
    moved.index([features / "slide-20.h5"], [describe("slide-20")])
    moved.remove(["slide-07"])
    moved.copy_to(tmp_path / "back")
    back = Archive.open(tmp_path / "back")
    require_same(moved, back)
    assert "slide-20" in back
    assert "slide-07" not in back
