"""The audit log: who asked for which slide of which archive when, and nothing about patients, queries or addresses."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

_FILE = "audit.jsonl"
_LOCK = "audit.lock"
_MAX_BYTES = 16 * 2**20
_MAX_FILES = 20
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

    Several processes may write: a line is appended in one piece. When the disk is full a line is lost, and the log of
    the server says so.
    """

    def __init__(self, folder: Path, most_bytes: int = _MAX_BYTES, max_files: int = _MAX_FILES) -> None:
        self._path = folder / _FILE
        self._lock = folder / _LOCK
        self._most_bytes = most_bytes
        self._max_files = max_files

    def write(self, entry: AuditEntry) -> None:
        """Append an entry."""
        parts = {**asdict(entry), "time": entry.time.isoformat(timespec="milliseconds")}
        line = (json.dumps(parts) + "\n").encode()
        try:
            if self._append(line) > self._most_bytes:
                self._rotate()
        except OSError as error:
            _log.error("the audit log can't be written", exc_info=error)

    def _append(self, line: bytes) -> int:
        """The file's size with the line."""
        handle = _open_private(self._path, os.O_WRONLY | os.O_APPEND)
        try:
            if os.write(handle, line) < len(line):
                _log.error("a line of the audit log was cut short")
            return os.fstat(handle).st_size
        finally:
            os.close(handle)

    def _rotate(self) -> None:
        with os.fdopen(_open_private(self._lock, os.O_RDWR), "rb+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self._path.stat().st_size <= self._most_bytes:
                return  # another process was quicker
            for number in range(self._max_files - 1, 1, -1):
                older = self._name_rotated(number - 1)
                if older.exists():
                    older.replace(self._name_rotated(number))
            self._path.replace(self._name_rotated(1))

    def _name_rotated(self, number: int) -> Path:
        return self._path.with_name(f"{_FILE}.{number}")


def _open_private(path: Path, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT, 0o600)
