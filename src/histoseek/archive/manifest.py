"""What an archive is: its format, its recipe, its embedding space; one small JSON file, replaced atomically."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from histoseek.archive.layout import ArchiveLayout
from histoseek.encoders.embedding_space import EmbeddingSpace
from histoseek.encoders.recipe import Recipe
from histoseek.errors import ArchiveError, ArchiveNotFound, DamagedArchive
from histoseek.files import as_archive_errors, write_atomic
from histoseek.tissue.settings import MASK_VERSION

FORMAT = 3


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
    """Read the manifest; raises ArchiveNotFound, DamagedArchive, or ArchiveError for a newer format."""
    try:
        data = json.loads(layout.manifest.read_text())
        if data["format"] > FORMAT:
            what = f"made by a newer histoseek (format {data['format']}, this one reads {FORMAT})"
            raise ArchiveError(str(layout.root), what, "Update histoseek")
        if data["format"] < FORMAT:
            what = f"made by an older histoseek (format {data['format']}, this one reads {FORMAT})"
            raise ArchiveError(str(layout.root), what, "Index the slides into a new archive")
        space = EmbeddingSpace(**data["space"]) if data["space"] else None
        return Manifest(**{**data, "recipe": Recipe(**data["recipe"]), "space": space})
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ArchiveNotFound(layout.root) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedArchive(layout.manifest, "not a readable manifest") from error


def write_manifest(layout: ArchiveLayout, manifest: Manifest) -> None:
    """Replace the manifest in one step."""
    with as_archive_errors(layout.root):
        write_atomic(layout.manifest, json.dumps(asdict(manifest), indent=1).encode())
