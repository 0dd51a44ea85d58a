"""Durable files: atomic writes, JSON with its checksum, fsync of what others wrote, disk errors turned into ours."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from histoseek.errors import ArchiveReadOnly, DiskFull

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}
_FULL_TEXT = ("No space left on device", "os error 28", "Disk quota exceeded", "File too large", "os error 27")
_READ_ONLY_TEXT = ("Read-only file system", "Permission denied", "os error 30", "os error 13")

_CHECKSUM = "checksum"
_FILE_DIGITS, _LINE_DIGITS = 64, 20
_FILE_END, _LINE_END = '"\n}', '"}'

FileState = tuple[int, ...]


def read_file_state(path: Path) -> FileState:
    """What tells one state of a file that is replaced atomically from the next; raises OSError."""
    state = path.stat()
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file so that it holds, even after a power cut, either its old content or all of the new."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    fsync_path(path.parent)


def write_checked_json(path: Path, content: Mapping[str, object]) -> None:
    """Write an object as JSON that ends with the SHA-256 of all before it, as `write_atomic` does."""
    write_atomic(path, format_checked_json(content))


def format_checked_json(content: Mapping[str, object]) -> bytes:
    """The bytes that `write_checked_json` writes."""
    return _seal(json.dumps({**content, _CHECKSUM: ""}, indent=1), _FILE_END, _FILE_DIGITS)


def read_checked_json(path: Path) -> dict[str, Any]:
    """Read an object that was written so; files of older versions, which state no checksum, are read as they are.

    Raises OSError, and ValueError where a byte of it is not what was written.
    """
    return parse_checked_json(path.read_bytes())


def parse_checked_json(data: bytes) -> dict[str, Any]:
    """The object in the bytes of such a file; raises ValueError."""
    return _unseal(data, _FILE_END, _FILE_DIGITS)


def format_checked_line(content: Mapping[str, object]) -> str:
    """An object as one line of JSON, without its end, that closes with a checksum of the line: for logs."""
    return _seal(json.dumps({**content, _CHECKSUM: ""}), _LINE_END, _LINE_DIGITS).decode()


def parse_checked_line(line: bytes) -> dict[str, Any]:
    """The object in such a line, without its end; lines of older versions, which state none, are read as they are.

    Raises ValueError where a byte of it is not what was written.
    """
    return _unseal(line, _LINE_END, _LINE_DIGITS)


def _seal(text: str, end: str, digits: int) -> bytes:
    head = text.removesuffix(end).encode()
    return head + _sum(head, digits) + end.encode()


def _unseal(data: bytes, end: str, digits: int) -> dict[str, Any]:
    size = digits + len(end)
    if data[-size:] != _sum(data[:-size], digits) + end.encode() and _states_sum(data, end, digits):
        raise ValueError("its checksum differs")
    content = json.loads(data)
    if not isinstance(content, dict):
        raise ValueError("it holds no object")
    content.pop(_CHECKSUM, None)
    return content


def _states_sum(data: bytes, end: str, digits: int) -> bool:
    """Whether it ends with a checksum, be it that one byte of that is another: of its name or of its digits."""
    name = f'"{_CHECKSUM}": "'
    tail = data[-len(name) - digits - len(end) :]
    return name.encode() in tail or re.search(rb"[0-9a-f]{%d}.{%d}\Z" % (digits, len(end)), tail, re.DOTALL) is not None


def _sum(head: bytes, digits: int) -> bytes:
    return hashlib.sha256(head).hexdigest()[:digits].encode()


def make_folder(path: Path) -> None:
    """Make a folder and those above it, durably."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in missing:
        fsync_path(folder.parent)


def append_durably(path: Path, lines: bytes) -> None:
    """Add whole lines to a file, on the disk when it returns; a line before them that a crash cut off is ended."""
    is_new = not path.exists()
    with path.open("ab+") as file:
        if file.tell() and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n":
            lines = b"\n" + lines
        file.write(lines)
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        fsync_path(path.parent)


def unlink_durably(paths: Iterable[Path]) -> None:
    """Remove files, those that are there, so that they stay removed after a power cut."""
    there = [path for path in paths if path.exists()]
    for path in there:
        path.unlink(missing_ok=True)
    for folder in {path.parent for path in there}:
        fsync_path(folder)


def fsync_path(path: Path) -> None:
    """Flush one file or folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def as_archive_errors(root: Path) -> Iterator[None]:
    """Turn a full or read-only disk, however it is reported, into DiskFull or ArchiveReadOnly on `root`."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        number, text = getattr(error, "errno", None), str(error)
        if number in _FULL or any(part in text for part in _FULL_TEXT):
            raise DiskFull(root) from error
        if number in _READ_ONLY or any(part in text for part in _READ_ONLY_TEXT):
            raise ArchiveReadOnly(root) from error
        raise
