"""What an archive is: its format, its recipe, its embedding space; one small JSON file, replaced atomically."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.layout import ArchiveLayout
from histoseek.encoders.recipe import Recipe
from histoseek.encoders.space import EmbeddingSpace
from histoseek.errors import ArchiveError, ArchiveNotFound, DamagedArchive
from histoseek.files import as_archive_errors, write_atomic

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """Format version, time of creation (UTC), recipe, and the space, None until the first slides are in."""

    format: int
    created: str
    recipe: Recipe
    space: EmbeddingSpace | None = None


def new_manifest(recipe: Recipe) -> Manifest:
    """The manifest of an archive that is about to be made."""
    return Manifest(FORMAT, datetime.now(UTC).isoformat(timespec="seconds"), recipe)


def read_manifest(layout: ArchiveLayout) -> Manifest:
    """Read the manifest; raises ArchiveNotFound, DamagedArchive, or ArchiveError for a newer format."""
    try:
        data = json.loads(layout.manifest.read_text())
        if data["format"] > FORMAT:
            what = f"made by a newer histoseek (format {data['format']}, this one reads {FORMAT})"
            raise ArchiveError(str(layout.root), what, "Update histoseek")
        space = EmbeddingSpace(**data["space"]) if data["space"] else None
        return Manifest(data["format"], data["created"], Recipe(**data["recipe"]), space)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ArchiveNotFound(layout.root) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedArchive(layout.manifest, "not a readable manifest") from error


def write_manifest(layout: ArchiveLayout, manifest: Manifest) -> None:
    """Replace the manifest in one step."""
    with as_archive_errors(layout.root):
        write_atomic(layout.manifest, json.dumps(asdict(manifest), indent=1).encode())


def write_centre(layout: ArchiveLayout, centre: NDArray[np.float32]) -> str:
    """Keep the centre and return its hash."""
    buffer = io.BytesIO()
    np.save(buffer, centre)
    with as_archive_errors(layout.root):
        write_atomic(layout.centre, buffer.getvalue())
    return centre_hash(centre)


def read_centre(layout: ArchiveLayout, expected_hash: str) -> NDArray[np.float32]:
    """The centre; raises DamagedArchive when it is missing or another one than the space was made with."""
    try:
        centre = np.load(layout.centre, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DamagedArchive(layout.centre, "not a readable centre") from error
    if centre_hash(centre) != expected_hash:
        raise DamagedArchive(layout.centre, "its hash differs from the embedding space's")
    return np.asarray(centre, dtype=np.float32)


def centre_hash(centre: NDArray[np.float32]) -> str:
    """Hash of a centre, part of the embedding space."""
    return hashlib.sha256(np.ascontiguousarray(centre, dtype="<f4").tobytes()).hexdigest()[:16]
