"""Slides in files: discovered in folders, identified by their content, opened by path.

Readers are imported when pixels are wanted: names and addresses must not cost their start.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self
from urllib.parse import unquote_to_bytes

from histoseek.errors import InputError, NoSlidesFound, SlideError, SlideNotFound, UnreadableSlide
from histoseek.slides.sources.base import Discovery, Skipped, SlideSource

if TYPE_CHECKING:
    from histoseek.slides.readers.base import PixelReader

FINGERPRINT_VERSION = "f1"
WHOLE_BYTES = 4 * 2**20
"""Files up to this size are hashed completely."""

_PREFIX = "file://"
_BLOCK = 64 * 1024
_BLOCKS = 16


@dataclass(frozen=True, slots=True)
class FileSource(SlideSource):
    """A slide in a file, with the data folder beside it where the format has one. Its uri is the path as it was given.

    The fingerprint is cheap for multi-gigabyte files: it hashes the size and samples of the content, head, tail and
    evenly spaced blocks. It tells apart slides, notices a new scan, a conversion or a changed header; it can miss an
    edit of a few bytes between two samples of a large file.
    """

    scheme: ClassVar[str] = "file"
    path: Path

    @classmethod
    def parse(cls, address: str) -> Self:
        """From a path, whatever characters are in it, or from a file:// address with its percent signs."""
        if not address.lower().startswith(_PREFIX):
            return cls(Path(address))
        host, slash, rest = address[len(_PREFIX) :].partition("/")
        if host.lower() not in ("", "localhost") or not slash:
            what = "names no file of this machine"
            raise InputError(address, what, "Write file:/// and the whole path, or just the path")
        return cls(Path(slash + os.fsdecode(unquote_to_bytes(rest))))

    @classmethod
    def discover(cls, addresses: Sequence[str]) -> Discovery:
        """All slides in files and folders.

        Hidden files and MIRAX data folders are passed over; a DICOM series counts once. Raises SlideNotFound for a
        missing path, NoSlidesFound for a folder without slides.
        """
        files: set[Path] = set()
        broken: list[Path] = []
        for path in [cls.parse(address).path for address in addresses]:
            if path.is_file():
                files.add(path.absolute())
            elif path.is_dir():
                inside = _slide_files(path)
                if not inside:
                    raise NoSlidesFound(path)
                files |= {file for file in inside if file.exists()}
                broken += [file for file in inside if not file.exists()]
            else:
                raise SlideNotFound(path)
        first_of = _first_of_series(sorted(files))
        return Discovery(
            slides=tuple(cls(path) for path, first in first_of.items() if path == first),
            skipped=(
                *(
                    Skipped(cls(path), f"belongs to the same DICOM series as {first.name}")
                    for path, first in first_of.items()
                    if path != first
                ),
                *(Skipped(cls(path), "a link that leads nowhere") for path in sorted(broken)),
            ),
        )

    @property
    def uri(self) -> str:
        """The path as text, as archives have always kept it."""
        return str(self.path)

    def exists(self) -> bool:
        """Whether there is a file."""
        return self.path.is_file()

    def open(self) -> PixelReader:
        """The reader that suits the file's format."""
        from histoseek.slides.readers.formats import open_reader

        if not self.exists():
            raise SlideNotFound(self.path)
        return open_reader(self.path)

    def fingerprint(self) -> str:
        """Of the file with its companions, as "f1-" and 64 hex digits; independent of its place."""
        digest = hashlib.sha256()
        try:
            for file in (self.path, *_companions(self.path)):
                digest.update(file.name.encode() if file != self.path else b"")
                _add_samples(digest, file)
        except FileNotFoundError as error:
            raise SlideNotFound(self.path) from error
        except OSError as error:
            raise UnreadableSlide(self.path, error.strerror or type(error).__name__) from error
        return f"{FINGERPRINT_VERSION}-{digest.hexdigest()}"

    def state(self) -> str:
        """Inode, size and time of the last change: another after the file was replaced or written to."""
        try:
            stat = self.path.stat()
        except FileNotFoundError as error:
            raise SlideNotFound(self.path) from error
        except OSError as error:
            raise UnreadableSlide(self.path, error.strerror or type(error).__name__) from error
        return f"{stat.st_ino}:{stat.st_size}:{stat.st_mtime_ns}"

    def local_path(self) -> Path:
        """The path itself."""
        return self.path


def _companions(path: Path) -> tuple[Path, ...]:
    """Further files that belong to the slide: the data folder of a MIRAX file."""
    if path.suffix.lower() != ".mrxs":
        return ()
    return tuple(sorted(p for p in path.with_suffix("").glob("*") if p.is_file()))


def _add_samples(digest: hashlib._Hash, path: Path) -> None:
    size = path.stat().st_size
    digest.update(size.to_bytes(8, "little"))
    with path.open("rb") as file:
        if size <= WHOLE_BYTES:
            digest.update(file.read())
            return
        for block in range(_BLOCKS):
            file.seek((size - _BLOCK) * block // (_BLOCKS - 1))
            digest.update(file.read(_BLOCK))


def _slide_files(folder: Path) -> set[Path]:
    from histoseek.slides.readers.formats import SUFFIXES

    files = set()
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        is_file = path.is_file() or (path.is_symlink() and not path.exists())
        if path.suffix.lower() in SUFFIXES and not hidden and is_file and not _is_mirax_data(path, folder):
            files.add(path.absolute())
    return files


def _is_mirax_data(path: Path, folder: Path) -> bool:
    return any(parent.with_suffix(".mrxs").is_file() for parent in path.parents if folder in parent.parents)


def _first_of_series(files: Sequence[Path]) -> dict[Path, Path]:
    """For each file the first of its DICOM series; of no series, itself."""
    first: dict[tuple[Path, str], Path] = {}
    return {path: first.setdefault((path.parent, uid), path) if (uid := _series_uid(path)) else path for path in files}


def _series_uid(path: Path) -> str | None:
    if path.suffix.lower() != ".dcm":
        return None
    from histoseek.slides.readers.openslide import OpenSlideReader

    try:
        reader = OpenSlideReader(path)
    except SlideError:
        return None
    try:
        return reader.series_uid()
    finally:
        reader.close()
