"""The files of an archive beside its rows, wherever they lie: a folder's as a server's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Protocol

from histoseek.archive.layout import ArchiveLayout, hold_write_lock
from histoseek.archive.remote import registry
from histoseek.archive.remote.address import ArchiveAddress
from histoseek.archive.remote.base import FileStamp
from histoseek.archive.side_files import SET_ASIDE
from histoseek.files import as_archive_errors, make_folder, unlink_durably, write_atomic

_LOGS = ("journal", "refused", "unmatched", "reading", "erasure", "tombstones")
_STORE = "store"


class ArchiveFiles(Protocol):
    """What a copy needs of `RemoteFiles`, which a folder can do as well."""

    def list_files(self, prefix: str = "") -> Mapping[str, FileStamp]:
        """All files whose names begin so."""

    def read(self, name: str) -> bytes:
        """The content of a file; raises FileNotFoundError."""

    def write(self, name: str, data: bytes) -> FileStamp:
        """Make a file, or replace it."""

    def delete(self, names: Iterable[str]) -> None:
        """Remove files; unknown ones are ignored."""

    def locked(self) -> AbstractContextManager[None]:
        """Hold the archive's write lock; raises ArchiveBusy while another process holds it."""


class FolderFiles:
    """The files of an archive that is a folder, but for those of its store."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def list_files(self, prefix: str = "") -> Mapping[str, FileStamp]:
        """All files whose names begin so."""
        return {
            name: FileStamp("", path.stat().st_size)
            for path in _walk(self._root / prefix.rpartition("/")[0])
            if (name := path.relative_to(self._root).as_posix()).startswith(prefix)
        }

    def read(self, name: str) -> bytes:
        """The content of a file."""
        return (self._root / name).read_bytes()

    def write(self, name: str, data: bytes) -> FileStamp:
        """Make a file, or replace it."""
        with as_archive_errors(self._root):
            make_folder((self._root / name).parent)
            write_atomic(self._root / name, data)
        return FileStamp("", len(data))

    def delete(self, names: Iterable[str]) -> None:
        """Remove files."""
        with as_archive_errors(self._root):
            unlink_durably(self._root / name for name in names)

    def locked(self) -> AbstractContextManager[None]:
        """Hold the lock of the folder, which is made where there is none."""
        with as_archive_errors(self._root):
            make_folder(self._root)
        return hold_write_lock(ArchiveLayout(self._root))


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir() if folder.is_dir() else ():
        if not path.is_dir():
            yield path
        elif path.name != _STORE:
            yield from _walk(path)


def open_files(layout: ArchiveLayout) -> ArchiveFiles:
    """The files of an archive, where they lie; raises ConfigurationError, MissingExtra."""
    return registry.open_files(ArchiveAddress.parse(layout.address)) if layout.address else FolderFiles(layout.root)


def list_side_files(files: ArchiveFiles, layout: ArchiveLayout) -> dict[str, FileStamp]:
    """The files of an archive that a copy has, too, but for bags and the manifest: of its space, and what it remembers.

    Not those of an unfinished space, nor damaged ones that were put aside.
    """
    names = {name_file(layout, getattr(layout, log)) for log in _LOGS}
    beside = {name: stamp for name in sorted(names) if (stamp := files.list_files(name).get(name))}
    prefix = name_file(layout, layout.space) + "/"
    own = {
        name: stamp
        for name, stamp in files.list_files(prefix).items()
        if "/" not in name.removeprefix(prefix) and not name.removeprefix(prefix).startswith(".")
        if not name.endswith(SET_ASIDE) and name != name_file(layout, layout.target)
    }
    return {**beside, **own}


def read_files(files: ArchiveFiles, names: Iterable[str]) -> dict[str, bytes]:
    """The contents of those that are there."""
    contents = {}
    for name in names:
        with suppress(FileNotFoundError):
            contents[name] = files.read(name)
    return contents


def name_file(layout: ArchiveLayout, path: Path) -> str:
    """The name of a file of an archive, relative to its folder."""
    return path.relative_to(layout.root).as_posix()
