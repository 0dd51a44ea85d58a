"""Which versions of a table are safely on the disk, and what each of their files was when it got there.

The engine makes a version visible before anything of it is flushed. Here a commit counts once a line of the ledger says
so, and that line is written when all files of the version, and the folders that hold them, are on the disk. What a
crash leaves beyond the last line is not part of the archive (`recovery`). Files of a table never change, so each is
read and hashed once. See docs/decisions/0044.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from histoseek.archive.stores.lance.versions import list_files, list_versions, name_manifest
from histoseek.errors import ArchiveBusy
from histoseek.files import (
    FileState,
    format_checked_line,
    fsync_path,
    make_folder,
    parse_checked_line,
    read_file_state,
    write_atomic,
)

_FOLDER = "ledger"
_LINES_KEPT = 1000
_AT_ONCE = 4
_CHUNK = 2**20
_PATIENCE_S = 30.0
_PAUSE_S = 0.005


@dataclass(frozen=True, slots=True)
class FileMark:
    """What a file was when it was sealed."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class LedgerState:
    """What a ledger says: sealed versions, ascending; the files seen at seals by their paths in the store's folder.

    is_open: a commit began and was not sealed: it is going on, or it was cut off; is_whole: all lines can be read.
    """

    sealed: tuple[int, ...]
    files: Mapping[str, FileMark]
    is_open: bool
    is_whole: bool
    lines: int


NOTHING_KNOWN = LedgerState((), {}, is_open=False, is_whole=False, lines=0)


class Ledger:
    """The ledger of the store in a folder. Whoever commits holds its lock from the beginning to the seal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / _FOLDER / "sealed.jsonl"
        self._lock = folder / _FOLDER / "lock"
        self._read_at: tuple[FileState, LedgerState] | None = None

    def read(self) -> LedgerState | None:
        """What it says now; None where there is none, as in archives of older versions."""
        try:
            at = read_file_state(self._path)
            if self._read_at is None or self._read_at[0] != at:
                self._read_at = at, _parse(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError:
            return NOTHING_KNOWN
        return self._read_at[1]

    @property
    def is_locked(self) -> bool:
        """Whether some process is between the beginning and the seal of a commit."""
        try:
            with self._lock.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        except OSError:
            # A file system without locks, or a lock of another user: no commit is known of.
            return False
        return False

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock: no reader takes what is going on for the remains of a crash.

        Raises ArchiveBusy where a process keeps it that does not end.
        """
        make_folder(self._lock.parent)
        with self._lock.open("ab") as file:
            _take(file, self.folder)
            yield

    def begin(self) -> None:
        """Say that a commit begins: what is newer than the last seal from now on is unfinished until the next."""
        state = self.read()
        if state is not None:
            self._append({"begun": True}, replace(state, is_open=True, lines=state.lines + 1))

    def seal(self) -> None:
        """Flush what is new in the table, then say that its newest version is safe, and which files are gone."""
        state = self.read() or NOTHING_KNOWN
        there = list_files(self.folder)
        new = sorted(there - state.files.keys())
        gone = sorted(state.files.keys() - there)
        marks = dict(zip(new, flush_files(self.folder, new), strict=True))
        _flush_folders(self.folder, new, state.files)
        version = max(list_versions(self.folder))
        if state.is_whole and not gone and state.lines < _LINES_KEPT:
            sealed_now = tuple(sorted({*state.sealed, version}))
            after = LedgerState(sealed_now, {**state.files, **marks}, False, True, state.lines + 1)
            self._append({"sealed": [version], "files": _list(marks)}, after)
            return
        files = {path: mark for path, mark in {**state.files, **marks}.items() if path in there}
        sealed = [one for one in state.sealed if one != version and name_manifest(self.folder, one) in files]
        self._replace([*sealed, version], files)

    def _append(self, record: Mapping[str, object], after: LedgerState) -> None:
        with self._path.open("ab") as file:
            file.write(_format(record))
            file.flush()
            os.fsync(file.fileno())
        self._read_at = read_file_state(self._path), after

    def _replace(self, sealed: Collection[int], files: Mapping[str, FileMark]) -> None:
        write_atomic(self._path, _format({"sealed": list(sealed), "files": _list(files)}))


def _take(file: BinaryIO, folder: Path) -> None:
    """Take the lock, which others that may not write hold for the time of a look."""
    until_s = time.monotonic() + _PATIENCE_S
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() > until_s:
                raise ArchiveBusy(folder) from error
            time.sleep(_PAUSE_S)
        else:
            return


def flush_files(folder: Path, paths: Collection[str]) -> list[FileMark]:
    """Bring files of a folder to the disk, several at once, and say what they are."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return list(pool.map(lambda path: _flush(folder / path), paths))


def hash_file(path: Path) -> str:
    """Its SHA-256."""
    with path.open("rb", buffering=0) as file:
        return _hash(file.fileno())


def _flush(path: Path) -> FileMark:
    with path.open("rb", buffering=0) as file:
        mark = FileMark(os.fstat(file.fileno()).st_size, _hash(file.fileno()))
        os.fsync(file.fileno())
    return mark


def _hash(handle: int) -> str:
    digest, buffer = hashlib.sha256(), bytearray(_CHUNK)
    while size := os.readv(handle, [buffer]):
        digest.update(memoryview(buffer)[:size])
    return digest.hexdigest()


def _flush_folders(root: Path, new: Iterable[str], known: Iterable[str]) -> None:
    """Flush the folders that hold new files, and those that hold new folders, the deepest first."""
    old = {folder for path in known for folder in Path(path).parents}
    changed: set[Path] = set()
    for path in new:
        here = Path(path).parent
        changed.add(here)
        for folder in (here, *here.parents):
            if folder not in old and folder.name:
                changed.add(folder.parent)
    for folder in sorted(changed, key=lambda folder: -len(folder.parts)):
        fsync_path(root / folder)


def _list(files: Mapping[str, FileMark]) -> dict[str, tuple[int, str]]:
    return {path: (mark.bytes, mark.sha256) for path, mark in files.items()}


def _format(record: Mapping[str, object]) -> bytes:
    return f"{format_checked_line(record)}\n".encode()


def _parse(content: bytes) -> LedgerState:
    sealed: set[int] = set()
    files: dict[str, FileMark] = {}
    is_open, lines = False, content.split(b"\n")
    rest = lines.pop()
    is_whole = rest == b""
    # The end of the last line may be all that is wrong with it. Less of it was never said, and hides nothing either:
    # all of a version is on the disk before its seal is written, and no commit goes on before its beginning is.
    lines += [rest[:-1] if _parse_line(rest[:-1]) else rest] if rest else []
    for line in lines:
        record = _parse_line(line)
        if record is None:
            # Whatever a line says, all before it was on the disk when it was written.
            is_whole = is_open = False
        elif "sealed" in record:
            sealed.update(record["sealed"])
            files.update({path: FileMark(*mark) for path, mark in record["files"].items()})
            is_open = False
        else:
            is_open = True
    return LedgerState(tuple(sorted(sealed)), files, is_open, is_whole, len(lines))


def _parse_line(line: bytes) -> dict[str, Any] | None:
    """What a line says; None for a torn one."""
    try:
        return parse_checked_line(line)
    except ValueError:
        return None
