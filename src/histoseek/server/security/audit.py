"""The audit log: who asked for which slide of which archive when, and nothing about patients, queries or addresses."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import hashlib
import json
import logging
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from histoseek.server.rounds import OnceARound
from histoseek.server.security.errors import AuditUnavailable

_FILE = "audit.jsonl"
_LOCK = "audit.lock"
_MAX_BYTES = 16 * 2**20
_MAX_FILES = 20
_RESERVE_BYTES = 2**20
_LONGEST_LINE_BYTES = 64 * 1024
_KEEP_SIZE = 1  # FALLOC_FL_KEEP_SIZE
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_UNSUPPORTED = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One request; route is the template of its path, token the name of the token it came with, slide what stands for
    a slide's id (`digest_slide_id`)."""

    time: datetime
    request_id: str
    token: str | None
    role: str | None
    method: str
    route: str
    archive: str | None
    slide: str | None
    status: int
    milliseconds: float


def digest_slide_id(slide_id: str) -> str:
    """What stands for a slide in the log: ids may be the names of files, and those hold what they like.

    Whoever knows the id can look for it: the first 16 hex digits of its SHA-256.
    """
    return hashlib.sha256(slide_id.encode(errors="backslashreplace")).hexdigest()[:16]


class AuditLog:
    """JSON lines in a folder, as audit.jsonl; older ones in audit.jsonl.1 and so on, `kept` files in all.

    Several processes may write, one at a time: a line is there whole or not at all, and what a process that was killed
    left of one is taken away. `reserve` claims the disk's room for lines before requests are answered.
    """

    def __init__(
        self,
        folder: Path,
        most_bytes: int = _MAX_BYTES,
        max_files: int = _MAX_FILES,
        reserve_bytes: int = _RESERVE_BYTES,
    ) -> None:
        """reserve_bytes: for the lines of all requests that may be under way, of all processes."""
        self._path = folder / _FILE
        self._state = OnceARound(self._path.stat)
        self._lock_path = folder / _LOCK
        self._most_bytes = most_bytes
        self._max_files = max_files
        self._reserve_bytes = reserve_bytes
        self._reserved = (0, 0)
        self._unwritten: list[bytes] = []
        self._lock_handle: int | None = None

    def reserve(self) -> None:
        """See that the lines of the requests under way have room on the disk; raises AuditUnavailable.

        Where the file system can't reserve blocks, it is only looked whether there are free ones.
        """
        try:
            if self._unwritten or not self._has_reserve():
                with self._open() as (handle, size):
                    end = self._write_lines(handle, size)
                    _reserve_room(handle, end, 2 * self._reserve_bytes)
                    self._reserved = (os.fstat(handle).st_ino, end + 2 * self._reserve_bytes)
        except OSError as error:
            self._reserved = (0, 0)
            reason = "its disk is full" if error.errno in _NO_ROOM else "it can't be written"
            raise AuditUnavailable("audit log", reason, "Nothing is answered that can't be noted", 30) from error

    def write(self, entry: AuditEntry) -> None:
        """Append an entry. What can't be written, its reserve notwithstanding, is an error of the server's log; it is
        kept until it can, and nothing is reserved before."""
        parts = {**asdict(entry), "time": entry.time.isoformat(timespec="milliseconds")}
        self._unwritten.append((json.dumps(parts) + "\n").encode())
        try:
            with self._open() as (handle, size):
                end = self._write_lines(handle, size)
                if end > self._most_bytes:
                    os.ftruncate(handle, end)  # gives the reserve back
                    self._rotate()
                    self._reserved = (0, 0)
        except OSError as error:
            self._reserved = (0, 0)
            _log.error("the audit log can't be written", exc_info=error)

    def _write_lines(self, handle: int, size: int) -> int:
        """Append what is still to be written to a file of this size; the size then."""
        while self._unwritten:
            _append(handle, size, self._unwritten[0])
            size += len(self._unwritten.pop(0))
        return size

    def _has_reserve(self) -> bool:
        number, end = self._reserved
        try:
            # The reserve is for as many requests as there are connections: for all that the event loop has at hand.
            state = self._state.read()
        except FileNotFoundError:  # another process has just put it aside
            return False
        return state.st_ino == number and state.st_size + self._reserve_bytes <= end

    @contextmanager
    def _open(self) -> Iterator[tuple[int, int]]:
        """The file, for this process alone, and its size; it ends with a whole line."""
        if self._lock_handle is None:
            self._lock_handle = _open_private(self._lock_path, os.O_RDWR)
        fcntl.flock(self._lock_handle, fcntl.LOCK_EX)
        try:
            handle = _open_private(self._path, os.O_RDWR | os.O_APPEND)
            try:
                yield handle, _cut_torn_line(handle)
            finally:
                os.close(handle)
        finally:
            fcntl.flock(self._lock_handle, fcntl.LOCK_UN)

    def _rotate(self) -> None:
        for number in range(self._max_files - 1, 1, -1):
            older = self._name_rotated(number - 1)
            if older.exists():
                older.replace(self._name_rotated(number))
        self._path.replace(self._name_rotated(1))

    def _name_rotated(self, number: int) -> Path:
        return self._path.with_name(f"{_FILE}.{number}")


def _append(handle: int, size: int, line: bytes) -> None:
    """Append a line to a file of this size; raises OSError when there is no room for all of it, and leaves nothing."""
    try:
        if os.write(handle, line) < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError:
        os.ftruncate(handle, size)
        raise


def _cut_torn_line(handle: int) -> int:
    """The size of a file, less what stands behind its last line."""
    size = os.fstat(handle).st_size
    if not size or os.pread(handle, 1, size - 1) == b"\n":
        return size
    start = max(0, size - _LONGEST_LINE_BYTES)
    whole = start + os.pread(handle, size - start, start).rfind(b"\n") + 1
    os.ftruncate(handle, whole)
    return whole


def _reserve_room(handle: int, start: int, size_bytes: int) -> None:
    """Claim blocks behind a file's end, which stays where it is; raises OSError when there are too few."""
    largest, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if largest != resource.RLIM_INFINITY and start + size_bytes > largest:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    fallocate = getattr(ctypes.CDLL(None, use_errno=True), "fallocate", None) if sys.platform == "linux" else None
    if fallocate is not None:
        fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
        if fallocate(handle, _KEEP_SIZE, start, size_bytes) == 0:
            return
        number = ctypes.get_errno()
        if number not in _UNSUPPORTED:
            raise OSError(number, os.strerror(number))
    disk = os.fstatvfs(handle)
    if disk.f_bavail * disk.f_frsize < size_bytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _open_private(path: Path, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT, 0o600)
