"""Durable files: atomic writes, fsync of what others wrote, disk errors turned into ours."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from histoseek.errors import ArchiveReadOnly, DiskFull

_FULL = {errno.ENOSPC, errno.EDQUOT}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}
_FULL_TEXT = ("No space left on device", "os error 28", "Disk quota exceeded")
_READ_ONLY_TEXT = ("Read-only file system", "Permission denied", "os error 30", "os error 13")


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


def make_folder(path: Path) -> None:
    """Make a folder and those above it, durably."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in missing:
        fsync_path(folder.parent)


def fsync_path(path: Path) -> None:
    """Flush one file or folder to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class TreeSync:
    """Flushes the files of a folder that it has not flushed yet; files in it are never changed in place.

    The first call flushes all of them: a process that was killed may have left some behind.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._synced: set[str] = set()

    def sync(self) -> None:
        """Flush new files, then the folders that hold them."""
        new = [path for path in self._root.rglob("*") if str(path) not in self._synced]
        folders = {self._root}
        for path in new:
            with suppress(FileNotFoundError):
                fsync_path(path)
                folders.add(path.parent)
                self._synced.add(str(path))
        for folder in folders:
            fsync_path(folder)


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
