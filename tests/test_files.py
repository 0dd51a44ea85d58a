"""Durable files and disk errors."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from histoseek.errors import ArchiveReadOnly, DiskFull
from histoseek.files import TreeSync, as_archive_errors, write_atomic


def test_a_failed_write_leaves_the_old_content_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_atomic(tmp_path / "a.json", b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomic(tmp_path / "a.json", b"new")
    assert (tmp_path / "a.json").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (OSError(errno.ENOSPC, "x"), DiskFull),
        (OSError(errno.EDQUOT, "x"), DiskFull),
        (RuntimeError("lance error: LanceError(IO): No space left on device (os error 28)"), DiskFull),
        (OSError(errno.EROFS, "x"), ArchiveReadOnly),
        (PermissionError(errno.EACCES, "x"), ArchiveReadOnly),
        (RuntimeError("Generic LocalFileSystem error: Permission denied (os error 13)"), ArchiveReadOnly),
        (OSError(errno.EIO, "x"), OSError),
        (RuntimeError("something else"), RuntimeError),
    ],
)
def test_disk_errors_become_ours(tmp_path: Path, raised: Exception, expected: type[Exception]) -> None:
    with pytest.raises(expected) as caught, as_archive_errors(tmp_path):
        raise raised
    if expected in (DiskFull, ArchiveReadOnly):
        assert str(tmp_path) in str(caught.value)


def test_every_file_is_flushed_once_also_those_of_a_killed_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    monkeypatch.setattr("histoseek.files.fsync_path", lambda path: flushed.append(path.name))
    (tmp_path / "old").touch()
    tree = TreeSync(tmp_path)
    tree.sync()
    assert "old" in flushed
    flushed.clear()
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "new").touch()
    tree.sync()
    assert "new" in flushed
    assert "deep" in flushed
    assert "old" not in flushed
    flushed.clear()
    tree.sync()
    assert flushed == [tmp_path.name]
