"""The files of an archive as objects below its prefix."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from urllib.parse import quote, unquote

from histoseek.archive.remote.base import FileStamp
from histoseek.archive.remote.objects import write_lock
from histoseek.archive.remote.objects.bucket import Bucket, ObjectState
from histoseek.errors import ArchiveError

_FILES, _BAGS = "files/", "bags/"
_TRIES = 5
_CHANGE = "files/.change"
"""An object that is another one after each change: files may come to be what they were before."""


class ObjectFiles:
    """The files of one archive in a bucket; see `RemoteFiles`."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    @classmethod
    def open(cls, address: str) -> ObjectFiles:
        """Of an archive's address; raises ConfigurationError, MissingExtra."""
        return cls(Bucket.open(address))

    def exists(self) -> bool:
        """Whether it has any file."""
        return bool(self._bucket.list(_FILES).keys() - {_CHANGE}) or self._bucket.has(_BAGS)

    def list_files(self, prefix: str = "") -> Mapping[str, FileStamp]:
        """All files whose names begin so."""
        folder = prefix[: prefix.rfind("/") + 1]
        found: dict[str, ObjectState] = {}
        if not folder.startswith(_BAGS):
            found |= self._bucket.list(_place(folder))
        if prefix.startswith(_BAGS) or _BAGS.startswith(prefix):
            found |= self._bucket.list(quote(folder) or _BAGS)
        found.pop(_CHANGE, None)
        named = {unquote(key.removeprefix(_FILES)): FileStamp(state.tag, state.bytes) for key, state in found.items()}
        return {name: stamp for name, stamp in named.items() if name.startswith(prefix)}

    def read(self, name: str) -> bytes:
        """The content of a file; raises FileNotFoundError."""
        try:
            return self._bucket.read(_place(name))
        except FileNotFoundError as error:
            raise FileNotFoundError(name) from error

    def write(self, name: str, data: bytes) -> FileStamp:
        """Make a file, or replace it."""
        self._require_lock()
        tag = self._bucket.write(_place(name), data) if name.startswith(_BAGS) else self._replace(_place(name), data)
        self._note([name])
        return FileStamp(tag, len(data))

    def delete(self, names: Iterable[str]) -> None:
        """Remove files; unknown ones are ignored."""
        chosen = sorted(set(names))
        if chosen and self.exists():
            self._require_lock()
            self._bucket.delete(map(_place, chosen))
            self._note(chosen)

    def revision(self) -> str:
        """A digest of what all files but bags are now: it is right even where a writer died in the midst."""
        digest = hashlib.sha256()
        for key, state in sorted(self._bucket.list(_FILES).items()):
            digest.update(f"{key}\0{state.tag}\0{state.bytes}\n".encode())
        return digest.hexdigest()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the write lock; raises ArchiveBusy. Locks of one process don't nest."""
        lock = write_lock.take(self._bucket)
        try:
            yield
        finally:
            write_lock.free(self._bucket, lock)

    def drop(self) -> None:
        """Remove the whole archive, and its lock last."""
        lock = write_lock.find_held(self._bucket.address)
        if lock is not None:
            lock.require()
            lock.mark_dropped()
        keys = set(self._bucket.list(""))
        self._bucket.delete(keys - {write_lock.LOCK})
        if lock is None:
            self._bucket.delete([write_lock.LOCK])

    def _replace(self, place: str, data: bytes) -> str:
        """Write an object, but not over what another holder of the lock wrote while this one was cut off."""
        for _ in range(_TRIES):
            found = self._bucket.find(place)
            self._require_lock()
            tag = self._bucket.replace(place, data, found.tag) if found else self._bucket.create(place, data)
            if tag is not None:
                return tag
            with suppress(FileNotFoundError):
                there, tag = self._bucket.read_state(place)
                # A try whose answer was lost had made it.
                if there == data:
                    return tag
        raise ArchiveError(self._bucket.address, "others write its files at the same time", "Repeat the command")

    def _require_lock(self) -> None:
        lock = write_lock.find_held(self._bucket.address)
        if lock is not None:
            lock.require()

    def _note(self, names: Iterable[str]) -> None:
        if not all(name.startswith(_BAGS) for name in names):
            self._bucket.write(_CHANGE, secrets.token_hex(12).encode())


def _place(name: str) -> str:
    """Where a file lies: bags apart, which are many and are not to be listed by each search."""
    return quote(name) if name.startswith(_BAGS) else f"{_FILES}{quote(name)}"
