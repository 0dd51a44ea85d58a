"""Bags of an archive on a server: published as they are made, fetched when they are needed, kept up to a bound."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from histoseek.archive.remote.base import FileStamp, RemoteFiles
from histoseek.files import as_archive_errors
from histoseek.settings import get_settings

BAGS = "bags/"
_READERS = 16
_KEPT_SHARE = 0.8
"""Of the bound, when it was passed."""


class BagCache:
    """The bags of one archive, by their places in its local folder; a bag's sidecar tells whether what is here is what
    the server has."""

    def __init__(self, folder: Path, files: RemoteFiles) -> None:
        self._folder = folder
        self._files = files
        self._bytes: int | None = None
        self._guard = threading.Lock()

    def fetch_sidecar(self, bag: Path) -> None:
        """Have the sidecar here that the server has, or none."""
        sidecar = bag.with_suffix(".json")
        with as_archive_errors(self._folder):
            try:
                data = self._files.read(self._name(sidecar))
            except FileNotFoundError:
                _unlink(sidecar, bag)
                return
            if _read(sidecar) != data:
                _unlink(sidecar, bag)
                _write(sidecar, data)

    def fetch_sidecars(self, bags: Sequence[Path]) -> None:
        """The same for many, several at a time."""
        with ThreadPoolExecutor(_READERS, thread_name_prefix="sidecars") as pool:
            for _ in pool.map(self.fetch_sidecar, bags):
                pass

    def fetch(self, bag: Path, anew: bool = False) -> None:
        """Have a bag here with its sidecar as the server has them; anew: even where it seems to be here."""
        with as_archive_errors(self._folder):
            if anew:
                _unlink(bag.with_suffix(".json"), bag)
            self.fetch_sidecar(bag)
            if bag.with_suffix(".json").exists() and not bag.exists():
                with suppress(FileNotFoundError):
                    _write(bag, self._files.read(self._name(bag)))
                    self._keep_within_bound(bag)
        with suppress(OSError):
            os.utime(bag)

    def publish(self, bag: Path) -> None:
        """Bring a bag to the server, its sidecar last; one that is noted to be absent has that alone."""
        if bag.exists():
            self._files.write(self._name(bag), bag.read_bytes())
        else:
            self._files.delete([self._name(bag)])
        sidecar = bag.with_suffix(".json")
        self._files.write(self._name(sidecar), sidecar.read_bytes())
        self._keep_within_bound(bag)

    def remove(self, paths: Iterable[Path]) -> None:
        """Take files of bags away, there and here."""
        gone = list(paths)
        self._files.delete([self._name(path) for path in gone])
        _unlink(*gone)

    def list_files(self) -> Mapping[Path, FileStamp]:
        """All files of bags on the server, by their places here."""
        return {self._folder / name: stamp for name, stamp in self._files.list_files(BAGS).items()}

    def drop_outdated(self) -> None:
        """Remove what is here of bags that were removed or replaced on the server."""
        self.fetch_sidecars([path.with_suffix(".safetensors") for path in self._walk() if path.suffix == ".json"])
        for path in [path for path in self._walk() if path.suffix == ".safetensors"]:
            if not path.with_suffix(".json").exists():
                _unlink(path)

    def _keep_within_bound(self, newest: Path) -> None:
        limit = get_settings().bag_cache_mb * 2**20
        with self._guard:
            if self._bytes is not None and newest.exists():
                self._bytes += newest.stat().st_size
            if self._bytes is None or self._bytes > limit:
                self._bytes = self._evict(limit, newest)

    def _evict(self, limit: int, newest: Path) -> int:
        """Remove those that were used longest ago, and say how many bytes are left."""
        ages = []
        for path in self._walk():
            with suppress(OSError):
                state = path.stat()
                ages.append((state.st_mtime_ns, state.st_size, path))
        total = sum(size for _, size, _ in ages)
        if total <= limit:
            return total
        for _, size, path in sorted(ages):
            if total <= limit * _KEPT_SHARE:
                break
            if path.suffix == ".safetensors" and path != newest:
                _unlink(path)
                total -= size
        return total

    def _walk(self) -> Iterator[Path]:
        return (path for path in (self._folder / BAGS).glob("*/*") if not path.name.startswith("."))

    def _name(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix()


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _write(path: Path, data: bytes) -> None:
    """As a whole, but not durably: the server has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _unlink(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
