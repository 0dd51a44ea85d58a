"""Slides in files: discovered in folders, identified by their content, opened by path.

Readers are imported when pixels are wanted: names and addresses must not cost their start.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, ClassVar, Self
from urllib.parse import unquote_to_bytes

from histoseek.errors import InputError, NoSlidesFound, SlideError, SlideNotFound, UnreadableSlide
from histoseek.slides.sources.base import Discovery, SlideSource
from histoseek.slides.sources.folder_walk import (
    SLIDES_NOT_READ,
    FileKinds,
    FolderContent,
    describe_passed_over,
    walk_folders,
)
from histoseek.unicode import is_text, make_printable

if TYPE_CHECKING:
    from histoseek.slides.readers.base import PixelReader

FINGERPRINT_VERSION = "f1"
WHOLE_BYTES = 4 * 2**20
"""Files up to this size are hashed completely."""

_PREFIX = "file://"
_MIRAX = ".mrxs"
_MOST_NOTES = 5
_BLOCK = 64 * 1024
_BLOCKS = 16
_ZARR_KINDS = (".ome", ".embeddings")
_DESCRIPTIONS = frozenset(("zarr.json", ".zattrs", ".zgroup", ".zarray", ".zmetadata"))


@dataclass(frozen=True, slots=True)
class FileSource(SlideSource):
    """A slide in a file, with the data folder beside it where the format has one. Its uri is the path as it was
    given, or a file:// address for a path that is no UTF-8.

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
        """All slides in files and folders, and in folders that these link to.

        Hidden files and MIRAX data folders are passed over; a DICOM series counts once. Raises SlideNotFound for a
        missing path, NoSlidesFound for a folder without slides.
        """
        from histoseek.slides.readers.base import FOLDER_SUFFIXES, SUFFIXES

        paths = [cls.parse(address).path.absolute() for address in addresses]
        folders = [path for path in paths if path.is_dir() and not _is_folder_slide(path)]
        missing = next((path for path in paths if not path.exists()), None)
        if missing is not None:
            raise SlideNotFound(missing)
        kinds = FileKinds(
            SUFFIXES,
            "no slides",
            SLIDES_NOT_READ,
            has_parts=lambda name: name.lower().endswith(_MIRAX),
            folders=FOLDER_SUFFIXES,
            whole=lambda folder: _is_folder_slide(Path(folder)),
        )
        contents = walk_folders([str(folder) for folder in folders], kinds)
        for folder, content in zip(folders, contents, strict=True):
            if not (content.files or content.seen_before):
                raise NoSlidesFound(folder, describe_passed_over(content.passed_over))
        passed_over = sum((content.passed_over for content in contents), Counter[str]())
        walked = (Path(file) for content in contents for file in content.files)
        named = {path for path in paths if path not in folders}
        files = sorted({*walked, *named}, key=lambda path: path.parts)
        slides = _drop_series_parts(files)
        if len(slides) < len(files):
            passed_over["further files of DICOM series"] = len(files) - len(slides)
        notes = tuple(note for content in contents for note in _list_notes(content))
        return Discovery(tuple(map(cls, slides)), dict(passed_over), notes, frozenset(map(cls, named)))

    @property
    def uri(self) -> str:
        """The path as text, as archives have always kept it; a file:// address where its bytes are no text."""
        text = str(self.path)
        return text if is_text(text) else self.path.absolute().as_uri()

    @property
    def name(self) -> str:
        """The file's name; bytes that are no text as escapes."""
        return make_printable(self.path.name)

    @property
    def stem(self) -> str:
        """The name without its ending, and without what tools put before that of a Zarr folder."""
        stem = PurePath(self.name).stem
        if self.path.suffix.lower() != ".zarr":
            return stem
        return next((stem.removesuffix(kind) for kind in _ZARR_KINDS if stem.lower().endswith(kind)), stem) or stem

    @property
    def parts(self) -> tuple[str, ...]:
        """The folders and the name, each as `name`."""
        return tuple(map(make_printable, self.path.parts))

    def exists(self) -> bool:
        """Whether there is a file, or the folder of a format that keeps a slide in one."""
        from histoseek.slides.readers.base import FOLDER_SUFFIXES

        return self.path.is_file() or (self.path.suffix.lower() in FOLDER_SUFFIXES and self.path.is_dir())

    def open(self) -> PixelReader:
        """The reader that suits the file's format."""
        from histoseek.slides.readers.formats import open_reader

        if not self.exists():
            raise SlideNotFound(self.uri)
        return open_reader(self.path)

    def open_confined(self) -> PixelReader:
        """As `open`, in another process where the system has what that needs."""
        from histoseek.sandbox.forks import can_fork
        from histoseek.slides.readers.confined import ConfinedReader

        if not self.exists():
            raise SlideNotFound(self.uri)
        return ConfinedReader(self.path, self.uri) if can_fork() else self.open()

    def fingerprint(self) -> str:
        """Of the file with its companions, as "f1-" and 64 hex digits; independent of its place."""
        digest = hashlib.sha256()
        try:
            if self.path.is_dir():
                return _fingerprint_folder(self.path)
            companions = _companions(self.path)
            if not companions and not self.path.stat().st_size:
                raise UnreadableSlide(self.uri, "the file is empty")
            for file in (self.path, *companions):
                digest.update(os.fsencode(file.name) if file != self.path else b"")
                _add_samples(digest, file)
        except FileNotFoundError as error:
            raise SlideNotFound(self.uri) from error
        except OSError as error:
            raise UnreadableSlide(self.uri, error.strerror or type(error).__name__) from error
        return f"{FINGERPRINT_VERSION}-{digest.hexdigest()}"

    def state(self) -> str:
        """Inode, size and time of the last change: another after the file was replaced or written to."""
        try:
            stat = _find_description(self.path).stat() if self.path.is_dir() else self.path.stat()
        except FileNotFoundError as error:
            raise SlideNotFound(self.uri) from error
        except OSError as error:
            raise UnreadableSlide(self.uri, error.strerror or type(error).__name__) from error
        return f"{stat.st_ino}:{stat.st_size}:{stat.st_mtime_ns}"

    def local_path(self) -> Path:
        """The path itself."""
        return self.path


def _is_folder_slide(path: Path) -> bool:
    """Whether a folder is a slide, by its ending and its description."""
    from histoseek.slides.readers.base import FOLDER_SUFFIXES

    if path.suffix.lower() not in FOLDER_SUFFIXES:
        return False
    from histoseek.slides.readers.ome_zarr import is_ome_zarr

    return is_ome_zarr(path)


def _find_description(folder: Path) -> Path:
    """The file that is written anew with everything else of a Zarr folder; the folder itself where it has none."""
    names = ("zarr.json", ".zattrs", ".zgroup")
    return next((folder / name for name in names if (folder / name).is_file()), folder)


def _fingerprint_folder(folder: Path) -> str:
    """Of all files by name and size, what describes them whole, and samples of some of the others."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    described = [file for file in files if file.name in _DESCRIPTIONS or file.suffix == ".xml"]
    chunks = [file for file in files if file not in set(described)]
    if not chunks:
        raise UnreadableSlide(str(folder), "the folder holds no pixels")
    digest = hashlib.sha256()
    for file in files:
        digest.update(os.fsencode(file.relative_to(folder)) + b"\0" + file.stat().st_size.to_bytes(8, "little"))
    sampled = {chunks[(len(chunks) - 1) * step // (_BLOCKS - 1)] for step in range(_BLOCKS)}
    for file in (*described, *sorted(sampled)):
        _add_samples(digest, file)
    return f"{FINGERPRINT_VERSION}-{digest.hexdigest()}"


def _companions(path: Path) -> tuple[Path, ...]:
    """Further files that belong to the slide: the data folder of a MIRAX file."""
    if path.suffix.lower() != _MIRAX:
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


def _list_notes(content: FolderContent) -> Iterator[str]:
    """What is probably a mistake, by name, the first few of each kind."""
    for folder, reason in content.unreadable[:_MOST_NOTES]:
        yield f"{FileSource(Path(folder)).uri}: the folder cannot be read ({reason})"
    for link in content.broken_links[:_MOST_NOTES]:
        yield f"{FileSource(Path(link)).uri}: a link that leads nowhere"


def _drop_series_parts(files: Sequence[Path]) -> list[Path]:
    """The files, of each DICOM series only the first; one without others beside it is not opened."""
    in_folder = Counter(path.parent for path in files if _is_dicom(path))
    seen: set[tuple[Path, str]] = set()
    slides = []
    for path in files:
        uid = _series_uid(path) if _is_dicom(path) and in_folder[path.parent] > 1 else None
        if uid is None or (path.parent, uid) not in seen:
            slides.append(path)
        if uid is not None:
            seen.add((path.parent, uid))
    return slides


def _is_dicom(path: Path) -> bool:
    return path.suffix.lower() == ".dcm"


def _series_uid(path: Path) -> str | None:
    from histoseek.sandbox.forks import can_fork
    from histoseek.settings import get_settings
    from histoseek.slides.readers.confined import load_series_uid

    try:
        if can_fork() and not get_settings().trust:
            return load_series_uid(path)
        from histoseek.slides.readers.openslide import read_series_uid

        return read_series_uid(path)
    except SlideError:
        return None
