"""The file that says that a copy is not complete yet, and of which archive it is."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass

from histoseek.archive.manifest import Manifest
from histoseek.archive.moving.files import ArchiveFiles
from histoseek.files import format_checked_json, parse_checked_json

MARKER = "unfinished-copy.json"


@dataclass(frozen=True, slots=True)
class CopyMarker:
    """What a copy is made of: the archive by the time of its creation, its space by number and fingerprint."""

    created: str
    number: int
    space: str

    @classmethod
    def of(cls, manifest: Manifest) -> CopyMarker:
        """That of copies of an archive."""
        return cls(manifest.created, manifest.number, manifest.space.fingerprint if manifest.space else "")


def read_marker(files: ArchiveFiles) -> CopyMarker | None:
    """What an unfinished copy is made of; None where none lies, or what says so can't be read."""
    with suppress(FileNotFoundError, NotADirectoryError, ValueError, TypeError):
        return CopyMarker(**parse_checked_json(files.read(MARKER)))
    return None


def write_marker(files: ArchiveFiles, marker: CopyMarker) -> None:
    """Say that a copy has been begun."""
    files.write(MARKER, format_checked_json(asdict(marker)))
