"""Durable files and disk errors."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from histoseek.errors import ArchiveReadOnly, DiskFull
from histoseek.files import (
    append_durably,
    as_archive_errors,
    format_checked_json,
    format_checked_line,
    parse_checked_line,
    read_checked_json,
    write_atomic,
    write_checked_json,
)


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
        (OSError(errno.EFBIG, "x"), DiskFull),
        (RuntimeError("lance error: LanceError(IO): File too large (os error 27)"), DiskFull),
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


def test_a_line_that_a_crash_cut_off_does_not_spoil_the_next(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"one\ntw")
    append_durably(tmp_path / "log", b"three\n")
    assert (tmp_path / "log").read_bytes().split(b"\n") == [b"one", b"tw", b"three", b""]


CONTENT = {"name": "lung \u00e4", "shares": [0.1, 1e-300, 3], "inner": {"none": None, "empty": {}}}


def test_checked_json_is_json_and_reads_back(tmp_path: Path) -> None:
    for content in (CONTENT, {}):
        write_checked_json(tmp_path / "a.json", content)
        assert read_checked_json(tmp_path / "a.json") == content
        assert json.loads((tmp_path / "a.json").read_bytes()).items() >= content.items()


def test_no_byte_of_checked_json_changes_unnoticed(tmp_path: Path) -> None:
    data = format_checked_json(CONTENT)
    for place in range(len(data)):
        for bit in range(8):
            altered = bytearray(data)
            altered[place] ^= 1 << bit
            (tmp_path / "a.json").write_bytes(altered)
            with pytest.raises(ValueError, match=r"\w"):
                read_checked_json(tmp_path / "a.json")


def test_cut_checked_json_is_no_older_one(tmp_path: Path) -> None:
    data = format_checked_json(CONTENT)
    for size in range(len(data)):
        (tmp_path / "a.json").write_bytes(data[:size])
        with pytest.raises(ValueError, match=r"\w"):
            read_checked_json(tmp_path / "a.json")


def test_json_of_older_versions_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(CONTENT, indent=1))
    assert read_checked_json(tmp_path / "a.json") == CONTENT
    switched = {"event": "switched", "space": "0123456789abcdef"}
    assert parse_checked_line(json.dumps(switched).encode()) == switched


def test_no_byte_of_a_checked_line_changes_unnoticed() -> None:
    line = format_checked_line(CONTENT).encode()
    assert b"\n" not in line
    assert parse_checked_line(line) == CONTENT
    for place in range(len(line)):
        altered = bytearray(line)
        altered[place] ^= 1
        with pytest.raises(ValueError, match=r"\w"):
            parse_checked_line(bytes(altered))
