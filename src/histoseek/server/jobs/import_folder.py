"""The server's import folder: which slides lie in it, by names below it that lead nowhere else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from histoseek.errors import InputError
from histoseek.slides.readers.base import SUFFIXES
from histoseek.slides.sources.folder_walk import is_system_folder

KEPT = "uploaded"
"""The folder below the import folder in which indexed uploads lie."""

MOST_ENTRIES = 200_000
"""So many files and folders are looked at; what lies beyond is not listed."""

_MIRAX = ".mrxs"


@dataclass(frozen=True, slots=True)
class ImportFile:
    """A slide's file: its name below the import folder, bytes, when it was last changed in s since 1970."""

    name: str
    size_bytes: int
    changed_s: float


@dataclass(frozen=True, slots=True)
class ImportListing:
    """Slides by name; is_cut: there are more files and folders than are looked at."""

    files: tuple[ImportFile, ...]
    is_cut: bool


def list_import_files(folder: Path) -> ImportListing:
    """All slides below a folder but those that the server put there, without links, hidden files and data folders."""
    files: list[ImportFile] = []
    seen, is_cut = 0, False
    for at, folders, names in os.walk(folder):
        entries = set(names)
        folders[:] = sorted(
            name
            for name in folders
            if not (name.startswith(".") or is_system_folder(name) or f"{name}{_MIRAX}" in entries)
            and not (name == KEPT and Path(at) == folder)
        )
        seen += len(names) + len(folders)
        files += _list_slides(folder, Path(at), sorted(names))
        if seen > MOST_ENTRIES:
            is_cut = True
            break
    return ImportListing(tuple(sorted(files, key=lambda file: file.name)), is_cut)


def find_import_file(folder: Path, name: str) -> Path:
    """The path of a slide's file by its name; raises InputError for what is none, or leads out of the folder."""
    parts = PurePosixPath(name).parts
    is_odd = not parts or name.startswith("/") or "\\" in name or "\0" in name or ".." in parts or parts[0] == KEPT
    path = folder.absolute()
    for part in () if is_odd else parts:
        path /= part
        is_odd = is_odd or path.is_symlink() or part.startswith(".")
    if is_odd or path.suffix.lower() not in SUFFIXES or not path.is_file():
        raise InputError(name[:200], "is no slide of the import folder", "GET .../import lists them")
    return path


def _list_slides(folder: Path, at: Path, names: list[str]) -> Iterator[ImportFile]:
    for name in names:
        path = at / name
        if name.startswith(".") or path.suffix.lower() not in SUFFIXES or not name.isprintable():
            continue
        try:
            stat = path.lstat()
        except OSError:
            continue
        if path.is_symlink() or not path.is_file():
            continue
        yield ImportFile(path.relative_to(folder).as_posix(), stat.st_size, stat.st_mtime)
