"""Finding slides in what a user names: files, folders, series of several files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from histoseek.errors import NoSlidesFound, SlideError, SlideNotFound
from histoseek.slides.readers.formats import SUFFIXES
from histoseek.slides.readers.openslide import OpenSlideReader


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is no slide of its own, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Discovery:
    """Slides found, sorted by path and unique, and files left out."""

    slides: tuple[Path, ...]
    skipped: tuple[Skipped, ...]


def discover(paths: Sequence[Path]) -> Discovery:
    """All slides that the paths name: files as they are, folders with all below them.

    Hidden files and MIRAX data folders are passed over; a DICOM series counts once. Raises SlideNotFound for a
    missing path, NoSlidesFound for a folder without slides.
    """
    found: set[Path] = set()
    broken: list[Skipped] = []
    for path in paths:
        if path.is_file():
            found.add(path.absolute())
        elif path.is_dir():
            inside = _inside(path)
            if not inside:
                raise NoSlidesFound(path)
            found |= {file for file in inside if file.exists()}
            broken += [Skipped(file, "a link that leads nowhere") for file in inside if not file.exists()]
        else:
            raise SlideNotFound(path)
    one_each = _one_per_series(sorted(found))
    return Discovery(one_each.slides, (*one_each.skipped, *sorted(broken, key=lambda skip: skip.path)))


def _inside(folder: Path) -> set[Path]:
    found = set()
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        is_file = path.is_file() or (path.is_symlink() and not path.exists())
        if path.suffix.lower() in SUFFIXES and not hidden and is_file and not _of_mirax(path, folder):
            found.add(path.absolute())
    return found


def _of_mirax(path: Path, folder: Path) -> bool:
    return any(parent.with_suffix(".mrxs").is_file() for parent in path.parents if folder in parent.parents)


def _one_per_series(files: list[Path]) -> Discovery:
    first: dict[tuple[Path, str], Path] = {}
    slides: list[Path] = []
    skipped: list[Skipped] = []
    for path in files:
        series = _series(path)
        known = first.setdefault((path.parent, series), path) if series else path
        if known == path:
            slides.append(path)
        else:
            skipped.append(Skipped(path, f"belongs to the same DICOM series as {known.name}"))
    return Discovery(tuple(slides), tuple(skipped))


def _series(path: Path) -> str | None:
    if path.suffix.lower() != ".dcm":
        return None
    try:
        reader = OpenSlideReader(path)
    except SlideError:
        return None
    try:
        return reader.series_uid()
    finally:
        reader.close()
