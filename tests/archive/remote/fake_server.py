"""A server that is a folder, for what holds of archives on servers whatever the engine."""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote, unquote

import pyarrow as pa
import pytest

from histoseek.archive.remote import registry as files_registry
from histoseek.archive.remote.address import ArchiveAddress
from histoseek.archive.remote.base import FileStamp
from histoseek.archive.stores import registry as stores_registry
from histoseek.archive.stores.base import Store, StorePlace
from histoseek.archive.stores.lance.store import LanceStore
from histoseek.errors import ArchiveBusy, ServerUnreachable

SCHEME = "s3"


@dataclass
class FolderFiles:
    """RemoteFiles in a folder; calls: what was asked for."""

    folder: Path
    calls: list[str] = field(default_factory=list)
    fails_at: str = ""
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def exists(self) -> bool:
        return any(self._files.glob("*"))

    def list_files(self, prefix: str = "") -> Mapping[str, FileStamp]:
        self._note(f"list {prefix}")
        found = {}
        for path in self._files.glob("*"):
            name = unquote(path.name)
            if name.startswith(prefix):
                state = path.stat()
                found[name] = FileStamp(f"{state.st_mtime_ns}-{state.st_ino}", state.st_size)
        return found

    def read(self, name: str) -> bytes:
        self._note(f"read {name}")
        return self._path(name).read_bytes()

    def write(self, name: str, data: bytes) -> FileStamp:
        self._note(f"write {name}")
        self._files.mkdir(parents=True, exist_ok=True)
        part = self.folder / f"{os.getpid()}-{next(self._numbers)}-{id(self)}.part"
        part.write_bytes(data)
        part.replace(self._path(name))
        self._change(name)
        return self.list_files(name)[name]

    def delete(self, names: Iterable[str]) -> None:
        for name in names:
            self._note(f"delete {name}")
            if self._path(name).exists():
                self._path(name).unlink()
                self._change(name)

    def revision(self) -> str:
        self._note("revision")
        changes = self.folder / "revision"
        return str(changes.stat().st_size) if changes.exists() else ""

    @contextmanager
    def _hold(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise ArchiveBusy(self.folder) from error
            yield

    def locked(self) -> AbstractContextManager[None]:
        return self._hold()

    def drop(self) -> None:
        shutil.rmtree(self._files, ignore_errors=True)
        self._change("")

    @property
    def _files(self) -> Path:
        return self.folder / "files"

    def _path(self, name: str) -> Path:
        return self._files / quote(name, safe="")

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if self.fails_at and call.startswith(self.fails_at):
            raise ServerUnreachable("s3://bucket/cohort", "cut")

    def _change(self, name: str) -> None:
        if not name.startswith("bags/"):
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / "revision").open("ab") as file:
                file.write(b".")


@dataclass
class FakeServer:
    """files: those that this process has opened, by address."""

    folder: Path
    files: dict[str, FolderFiles] = field(default_factory=dict)

    def open_files(self, address: ArchiveAddress) -> FolderFiles:
        return self.files.setdefault(address.text, FolderFiles(self.place(address.text)))

    def place(self, address: str) -> Path:
        return self.folder / quote(address, safe="")

    def exists(self, place: StorePlace) -> bool:
        return LanceStore.exists(self._rows(place))

    def create(self, place: StorePlace, schema: pa.Schema) -> Store:
        return LanceStore.create(self._rows(place), schema)

    def drop(self, place: StorePlace) -> None:
        LanceStore.drop(self._rows(place))

    def open(self, place: StorePlace, mark: str | None = None) -> Store:
        return LanceStore.open(self._rows(place), mark)

    def repair(self, place: StorePlace) -> str | None:
        return LanceStore.repair(self._rows(place))

    def _rows(self, place: StorePlace) -> StorePlace:
        return replace(place, folder=self.place(place.address) / "rows" / str(place.number))


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    """A server for archives at s3:// addresses, which knows nothing of S3."""
    made = FakeServer(tmp_path / "server")
    monkeypatch.setitem(files_registry.FILES, SCHEME, made.open_files)
    monkeypatch.setitem(stores_registry.ENGINES, SCHEME, lambda: made)  # type: ignore[arg-type]
    move_to_machine(monkeypatch, tmp_path / "machine-1")
    return made


def move_to_machine(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """Go on as on another machine, which has a cache of its own."""
    from histoseek.settings import get_settings

    monkeypatch.setenv("HISTOSEEK_CACHE_DIR", str(cache))
    get_settings.cache_clear()
