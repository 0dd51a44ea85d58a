"""What a working copy knows of the server's files: which revision of each it has, and how that lay on the disk."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from histoseek.files import read_checked_json, write_checked_json

INDEX_NAME, LOCK_NAME, WRITING_NAME = "copy.json", "copy.lock", "copy.writing"

OF_COPY = frozenset({INDEX_NAME, LOCK_NAME, WRITING_NAME})
"""The files of a working copy that no server has."""


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file as it was last the same here and on the server; state: of the local one, see `read_state`."""

    revision: str
    sha256: str
    state: tuple[int, ...]


@dataclass(slots=True)
class CopyIndex:
    """revision: of the server's files as a whole, "" before the first; files: by their names on the server."""

    revision: str = ""
    files: dict[str, KnownFile] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> CopyIndex:
        """An empty one where there is none that can be read: then all is fetched anew."""
        try:
            data = read_checked_json(folder / INDEX_NAME)
            files = {
                name: KnownFile(one["revision"], one["sha256"], tuple(one["state"]))
                for name, one in data["files"].items()
            }
            return cls(str(data["revision"]), files)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return cls()

    def write(self, folder: Path) -> None:
        """Put it in the place of the last one."""
        write_checked_json(folder / INDEX_NAME, asdict(self))


def read_state(path: Path) -> tuple[int, ...]:
    """What tells whether a file was written again; () where there is none."""
    try:
        state = path.stat()
    except OSError:
        return ()
    return state.st_size, state.st_mtime_ns, state.st_ino


def digest(data: bytes) -> str:
    """By which a content is known again."""
    return hashlib.sha256(data).hexdigest()


def list_local(folder: Path) -> Mapping[str, Path]:
    """The files of a working copy that belong on the server, by their names there: neither bags, nor what ranking
    keeps, nor what is only half written."""
    return {path.relative_to(folder).as_posix(): path for path in _walk(folder)}


def _walk(folder: Path) -> Iterator[Path]:
    places = [folder, *_list_spaces(folder)]
    for place in places:
        for entry in os.scandir(place) if place.is_dir() else ():
            if entry.is_file() and not entry.name.startswith(".") and entry.name not in OF_COPY | {"lock"}:
                yield Path(entry.path)


def _list_spaces(folder: Path) -> list[Path]:
    spaces = folder / "spaces"
    return sorted(path for path in spaces.iterdir() if path.name.isdecimal()) if spaces.is_dir() else []
