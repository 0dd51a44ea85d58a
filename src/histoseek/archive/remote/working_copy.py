"""The files of an archive on a server, worked with in a local folder that is kept in step with them.

Readers fetch what has changed; a writer holds the server's lock, and what it changes here is published there. What a
process that was killed had changed here and not yet published is published by the next writer on this machine, as long
as nobody has changed anything on the server since; else the server's state takes its place. Whatever differs here
while nobody writes, and no writer was killed, is damage: it is fetched anew, and never published.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from histoseek.archive.remote.address import ArchiveAddress
from histoseek.archive.remote.bag_cache import BagCache
from histoseek.archive.remote.base import FileStamp, RemoteFiles
from histoseek.archive.remote.copy_index import (
    LOCK_NAME,
    WRITING_NAME,
    CopyIndex,
    KnownFile,
    digest,
    list_local,
    read_state,
)
from histoseek.archive.remote.registry import open_files
from histoseek.errors import ArchiveBusy, ArchiveError, DamagedArchive
from histoseek.files import as_archive_errors, make_folder, read_checked_json, write_atomic

MANIFEST = "archive.json"
_PREFIXES = ("archive", "erasure", "journal", "reading", "refused", "spaces/", "tombstones", "unmatched")
"""With these begin all files but bags."""

_FIRST, _LAST = ("tombstones.json", "erasure.json"), ("archive-copy.json", MANIFEST)
"""What must be there before all else changes, and what says that all else is there."""

_REMOVALS = frozenset(_FIRST)
_OF_READERS = "chance.json"
"""What searches measure, the only file that is written without the lock."""

_TRIES = 5
_PAUSE_S, _PATIENCE_S = 0.02, 120.0
_LEFT_S = 60.0
"""So old is what a process that died was writing; a living one writes what it has in memory."""


class WorkingCopy:
    """The local folder of one archive on a server. Several processes, and threads, may share it."""

    def __init__(self, address: ArchiveAddress, files: RemoteFiles) -> None:
        self.address = address
        self.folder = address.folder
        self.files = files
        self.bags = BagCache(self.folder, files)
        self._index: CopyIndex | None = None
        self._guard = threading.RLock()
        self._writer: int | None = None

    def exists(self) -> bool:
        """Whether a whole archive is there."""
        return MANIFEST in self.files.list_files(MANIFEST)

    def is_free(self) -> bool:
        """Whether an archive can be made there: nothing of one is."""
        return not self.files.exists() or not self._list_remote()

    def refresh(self) -> None:
        """Fetch what others have changed; nothing while a process of this machine writes, since that is in step.

        Raises ServerUnreachable, AccessDenied.
        """
        if self._writer is not None or self._is_current():
            return
        with as_archive_errors(self.folder):
            self._make_folder()
            with self._try_hold() as is_held:
                if is_held:
                    self._pull()

    def _is_current(self) -> bool:
        index = self._index
        return index is not None and self.files.revision() == index.revision and (self.folder / MANIFEST).exists()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the server's write lock, in step with it; what was changed is published at the end, also after an error.

        Raises ArchiveBusy.
        """
        with self.files.locked(), self._hold():
            with as_archive_errors(self.folder):
                self._pull()
                self._mark.touch()
            self._writer = threading.get_ident()
            try:
                yield
            except BaseException:
                with suppress(ArchiveError, OSError):
                    self._publish_last()
                raise
            else:
                self._publish_last()
            finally:
                self._writer = None

    def _publish_last(self) -> None:
        self.publish()
        self._mark.unlink(missing_ok=True)

    @property
    def _mark(self) -> Path:
        """There while a writer of this machine has, or may have, what it did not publish yet."""
        return self.folder / WRITING_NAME

    def publish(self) -> None:
        """Bring the server's files to the state of those here, while the lock is held; the manifest comes last."""
        with self._guard, as_archive_errors(self.folder):
            local = list_local(self.folder)
            known = self._known
            if MANIFEST in known.files and MANIFEST not in local:
                raise DamagedArchive(self.folder / MANIFEST, "this machine's copy of it went while it was in use")
            changed = [name for name, path in local.items() if self._has_changed(name, path)]
            gone = [name for name in known.files if name not in local]
            if not (changed or gone):
                return
            for name in _sort(changed):
                self._write(name, local[name])
            # What waits to be erased is forgotten when all else is done.
            for names in ([n for n in gone if n not in _REMOVALS], [n for n in gone if n in _REMOVALS]):
                if names:
                    self.files.delete(names)
            for name in gone:
                del known.files[name]
            known.revision = self.files.revision()
            known.write(self.folder)

    def mend(self) -> list[str]:
        """Fetch anew what was altered here by a damaged disk; says which files those were. The lock must be held."""
        with self._guard, as_archive_errors(self.folder):
            altered = [name for name, path in list_local(self.folder).items() if self._is_altered(name, path)]
            for name in altered:
                self._fetch(name, self.files.list_files(name)[name])
            if altered:
                self._known.write(self.folder)
        return altered

    @property
    def _known(self) -> CopyIndex:
        if self._index is None:
            self._index = CopyIndex.read(self.folder)
        return self._index

    def _has_changed(self, name: str, path: Path) -> bool:
        known, state = self._known.files.get(name), read_state(path)
        if known is None:
            return True
        if known.state == state:
            return False
        if digest(path.read_bytes()) != known.sha256:
            return True
        self._known.files[name] = KnownFile(known.revision, known.sha256, state)
        return False

    def _is_altered(self, name: str, path: Path) -> bool:
        known = self._known.files.get(name)
        return known is not None and known.state == read_state(path) and digest(path.read_bytes()) != known.sha256

    def _write(self, name: str, path: Path) -> None:
        state, data = read_state(path), path.read_bytes()
        stamp = self.files.write(name, data)
        self._known.files[name] = KnownFile(stamp.revision, digest(data), state)

    def _pull(self) -> None:
        """Make the files here those of the server, but for what is to be published yet."""
        with self._guard:
            self._pull_all()

    def _pull_all(self) -> None:
        self._index = CopyIndex.read(self.folder)
        if not self._mark.exists():
            self._distrust_altered()
        for _ in range(_TRIES):
            revision = self.files.revision()
            if revision == self._known.revision:
                break
            with suppress(FileNotFoundError):
                self._take(self._list_remote())
                self._known.revision = revision
                self._known.write(self.folder)
                self._mark.unlink(missing_ok=True)
        self._fetch_missing()

    def _distrust_altered(self) -> None:
        """Let what differs from what was fetched be fetched anew, or taken away where the server has no such file."""
        for name, path in list_local(self.folder).items():
            if path.name != _OF_READERS and self._has_changed(name, path):
                self._known.files.pop(name, None)
                self._known.revision = ""

    def _take(self, stamps: dict[str, FileStamp]) -> None:
        known, before = self._known.files, self._describe_removals()
        for name in _sort(stamps):
            path, old = self.folder / name, known.get(name)
            if old is None or old.revision != stamps[name].revision or old.state != read_state(path):
                self._fetch(name, stamps[name])
        for name, path in list_local(self.folder).items():
            if name not in stamps:
                path.unlink(missing_ok=True)
        for name in [name for name in known if name not in stamps]:
            del known[name]
        self._drop_left_spaces(stamps)
        if before != self._describe_removals():
            self.forget_removed()

    def _describe_removals(self) -> tuple[object, ...]:
        """What changes when slides were removed, or another archive has taken the place of this one."""
        try:
            created = read_checked_json(self.folder / MANIFEST).get("created")
        except (OSError, ValueError):
            created = None
        return created, *(self._known.files.get(name) for name in _FIRST)

    def _fetch(self, name: str, stamp: FileStamp) -> None:
        path, data = self.folder / name, self.files.read(name)
        make_folder(path.parent)
        write_atomic(path, data)
        self._known.files[name] = KnownFile(stamp.revision, digest(data), read_state(path))

    def _fetch_missing(self) -> None:
        """Nobody deletes a file here but a writer, who publishes that at once."""
        missing = [name for name in self._known.files if not (self.folder / name).exists()]
        if missing:
            stamps = self._list_remote()
            for name in _sort(name for name in missing if name in stamps):
                self._fetch(name, stamps[name])
            self._known.write(self.folder)

    def forget_removed(self) -> None:
        """Leave nothing here of slides that were removed: neither bags that went, nor what ranking keeps."""
        self.bags.drop_outdated()
        for folder in (self.folder / "spaces").glob("*/store/*"):
            shutil.rmtree(folder, ignore_errors=True)
        for part in self.folder.rglob(".*.part"):
            with suppress(FileNotFoundError):
                if time.time() - part.stat().st_mtime > _LEFT_S:
                    part.unlink()

    def _drop_left_spaces(self, stamps: Iterable[str]) -> None:
        current = {name.split("/")[1] for name in stamps if name.startswith("spaces/")}
        for folder in (self.folder / "spaces").glob("[0-9]*"):
            if folder.name not in current:
                shutil.rmtree(folder, ignore_errors=True)

    def _list_remote(self) -> dict[str, FileStamp]:
        listed = (self.files.list_files(prefix) for prefix in _PREFIXES)
        return {name: stamp for part in listed for name, stamp in part.items() if "/store/" not in name}

    def _make_folder(self) -> None:
        """One that no other user of the machine may enter."""
        make_folder(self.folder)
        if self.folder.stat().st_mode & 0o077:
            self.folder.chmod(0o700)

    @contextmanager
    def _hold(self) -> Iterator[None]:
        """Wait for those who are fetching."""
        with as_archive_errors(self.folder):
            self._make_folder()
        with self._try_hold(patient=True) as is_held:
            if not is_held:
                raise ArchiveBusy(str(self.address))
            yield

    @contextmanager
    def _try_hold(self, patient: bool = False) -> Iterator[bool]:
        """Hold the folder against other processes and threads: wait for those that fetch, and for one that writes only
        with patience."""
        patient = patient or not (self.folder / MANIFEST).exists()
        end_s = time.monotonic() + _PATIENCE_S
        with (self.folder / LOCK_NAME).open("a") as file:
            is_held = _flock(file.fileno())
            while not is_held and (patient or not self._mark.exists()) and time.monotonic() < end_s:
                time.sleep(_PAUSE_S)
                is_held = _flock(file.fileno())
            yield is_held


_open: dict[tuple[int, str, Path], WorkingCopy] = {}
_opening = threading.Lock()


def open_copy(address: ArchiveAddress | str) -> WorkingCopy:
    """The working copy of an archive on a server, one for each process; raises ConfigurationError, MissingExtra."""
    parsed = ArchiveAddress.parse(address)
    key = os.getpid(), parsed.text, parsed.folder
    with _opening:
        if key not in _open:
            _open[key] = WorkingCopy(parsed, open_files(parsed))
        return _open[key]


def _sort(names: Iterable[str]) -> list[str]:
    """Names in the order in which the files may appear one by one."""
    order = {**dict.fromkeys(_FIRST, -1), **{name: 1 + place for place, name in enumerate(_LAST)}}
    return sorted(names, key=lambda name: (order.get(name, 0), name))


def _flock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
