"""A fingerprint of a whole slide that is cheap for multi-gigabyte files.

It hashes the size and samples of the content: head, tail and evenly spaced blocks. It tells apart slides, notices
a new scan, a conversion or a changed header; it can miss an edit of a few bytes between two samples of a large
file. Files up to WHOLE_BYTES are hashed completely.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from histoseek.errors import SlideNotFound, UnreadableSlide

VERSION = "f1"
WHOLE_BYTES = 4 * 2**20
_BLOCK = 64 * 1024
_BLOCKS = 16


def fingerprint(path: Path) -> str:
    """The fingerprint of a slide with its companion files, as "f1-" and 64 hex digits; independent of its place.

    Raises SlideNotFound, or UnreadableSlide when the system refuses to read it.
    """
    digest = hashlib.sha256()
    try:
        for part in (path, *companions(path)):
            digest.update(part.name.encode() if part != path else b"")
            _add(digest, part)
    except FileNotFoundError as error:
        raise SlideNotFound(path) from error
    except OSError as error:
        raise UnreadableSlide(path, error.strerror or type(error).__name__) from error
    return f"{VERSION}-{digest.hexdigest()}"


def companions(path: Path) -> tuple[Path, ...]:
    """Further files that belong to the slide: the data folder of a MIRAX file."""
    if path.suffix.lower() != ".mrxs":
        return ()
    return tuple(sorted(p for p in path.with_suffix("").glob("*") if p.is_file()))


def _add(digest: hashlib._Hash, path: Path) -> None:
    size = path.stat().st_size
    digest.update(size.to_bytes(8, "little"))
    with path.open("rb") as file:
        if size <= WHOLE_BYTES:
            digest.update(file.read())
            return
        for block in range(_BLOCKS):
            file.seek((size - _BLOCK) * block // (_BLOCKS - 1))
            digest.update(file.read(_BLOCK))
