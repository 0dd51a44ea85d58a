"""What an archive is: its format, its recipe, its embedding space; one small JSON file, replaced atomically, and its
copy, without which the slides would be lost with it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from histoseek.archive.layout import ArchiveLayout
from histoseek.encoders.embedding_space import EmbeddingSpace
from histoseek.encoders.recipe import Recipe
from histoseek.errors import ArchiveError, ArchiveNotFound, DamagedArchive
from histoseek.files import as_archive_errors, format_checked_json, read_checked_json, write_checked_json
from histoseek.tissue.settings import MASK_VERSION

FORMAT = 4
_OLDEST = 3
"""The oldest format that is read, and written as the present one: without checksums, which its versions cannot read."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """Format version, time of creation (UTC), recipe, and the space, None until the first slides are in.

    slide_encoder: name of what makes signatures; text_encoder: what reports are read with (`load_text_encoder`), or
    "none"; number: which of the folders of embedding spaces is in use; mask_version: the oldest way of finding tissue
    that slides of the archive may have been encoded by.
    """

    format: int
    created: str
    recipe: Recipe
    slide_encoder: str
    text_encoder: str
    number: int = 1
    space: EmbeddingSpace | None = None
    mask_version: int = 1


def create_manifest(recipe: Recipe, slide_encoder: str, text_encoder: str) -> Manifest:
    """The manifest of an archive that is about to be made."""
    created = datetime.now(UTC).isoformat(timespec="microseconds")
    return Manifest(FORMAT, created, recipe, slide_encoder, text_encoder, mask_version=MASK_VERSION)


def read_manifest(layout: ArchiveLayout) -> Manifest:
    """Read the manifest, or its copy where it is damaged.

    Raises ArchiveNotFound, DamagedArchive, or ArchiveError for another format.
    """
    try:
        return _read(layout, layout.manifest)
    except DamagedArchive:
        with suppress(ArchiveNotFound, DamagedArchive):
            return _read(layout, layout.manifest_copy)
        raise


def write_manifest(layout: ArchiveLayout, manifest: Manifest) -> None:
    """Replace the manifest in one step, and then its copy."""
    with as_archive_errors(layout.root):
        for path in (layout.manifest, layout.manifest_copy):
            write_checked_json(path, asdict(manifest))
    layout.publish()


def list_manifest_faults(layout: ArchiveLayout) -> list[str]:
    """What is wrong with the manifest and its copy, which may lag behind after a power cut, and is of no use then."""
    try:
        manifest = _read(layout, layout.manifest)
    except DamagedArchive:
        return [f"{layout.manifest.name} is damaged: its copy is used until the next command that writes mends it"]
    try:
        agrees = _read(layout, layout.manifest_copy) == manifest
    except ArchiveNotFound:
        return []
    except DamagedArchive:
        agrees = False
    return [] if agrees else [f"{layout.manifest_copy.name} differs from what it is a copy of"]


def mend_manifest(layout: ArchiveLayout) -> None:
    """Make manifest and copy whole and the same; raises ArchiveReadOnly, DiskFull, and as `read_manifest` does."""
    manifest = read_manifest(layout)
    data = format_checked_json(asdict(manifest))
    if any(not path.is_file() or path.read_bytes() != data for path in (layout.manifest, layout.manifest_copy)):
        write_manifest(layout, manifest)


def _read(layout: ArchiveLayout, path: Path) -> Manifest:
    try:
        data = read_checked_json(path)
        if data["format"] > FORMAT:
            what = f"made by a newer histoseek (format {data['format']}, this one reads {FORMAT})"
            raise ArchiveError(layout.name, what, "Update histoseek")
        if data["format"] < _OLDEST:
            what = f"made by an older histoseek (format {data['format']}, this one reads {_OLDEST} to {FORMAT})"
            raise ArchiveError(layout.name, what, "Index the slides into a new archive")
        space = EmbeddingSpace(**data["space"]) if data["space"] else None
        return Manifest(**{**data, "format": FORMAT, "recipe": Recipe(**data["recipe"]), "space": space})
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ArchiveNotFound(layout.name) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedArchive(path, "not a readable manifest") from error
