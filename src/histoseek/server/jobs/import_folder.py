"""The server's import folder: which slides lie in it, by names below it that lead nowhere else."""

from __future__ import annotations

import os
from contextlib import suppress
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
class ImportNames:
    """Names of slides' files in order; is_cut: there are more files and folders than are looked at."""

    names: tuple[str, ...]
    is_cut: bool


def list_import_files(folder: Path) -> ImportNames:
    """All slides below a folder but those that the server put there, without links, hidden files and data folders."""
    names: list[str] = []
    waiting, seen = [""], 0
    while waiting and seen <= MOST_ENTRIES:
        below = waiting.pop()
        with suppress(OSError), os.scandir(folder / below) as found:
            entries = [entry for entry in found if not entry.name.startswith(".") and not entry.is_symlink()]
            seen += len(entries)
            files = {entry.name for entry in entries if entry.is_file()}
            names += (
                f"{below}{name}" for name in files if Path(name).suffix.lower() in SUFFIXES and name.isprintable()
            )
            folders = (entry.name for entry in entries if entry.is_dir())
            waiting += (
                f"{below}{name}/"
                for name in folders
                if not is_system_folder(name) and f"{name}{_MIRAX}" not in files and (below or name != KEPT)
            )
    return ImportNames(tuple(sorted(names)), is_cut=bool(waiting))


def describe_import_file(folder: Path, name: str) -> ImportFile | None:
    """What is known of a listed file; None when it has gone."""
    try:
        stat = (folder / name).lstat()
    except OSError:
        return None
    return ImportFile(name, stat.st_size, stat.st_mtime)


def find_import_file(folder: Path, name: str) -> Path:
    """The path of a slide's file by its name; raises InputError for what is none, or leads out of the folder."""
    parts = PurePosixPath(name).parts
    is_odd = not parts or name.startswith("/") or "\\" in name or "\0" in name or ".." in parts or parts[0] == KEPT
    path = folder.absolute()
    try:
        for part in () if is_odd else parts:
            path /= part
            is_odd = is_odd or path.is_symlink() or part.startswith(".")
        is_odd = is_odd or path.suffix.lower() not in SUFFIXES or not path.is_file()
    except OSError:  # a name that is longer than any the disk knows
        is_odd = True
    if is_odd:
        raise InputError(name[:200], "is no slide of the import folder", "GET .../import lists them")
    return path
