"""Files of torch, looked at before they are loaded: how much they would take, and what their pickles may build."""

from __future__ import annotations

import mmap
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from histoseek.bounds import MOST_NAMED_PARTS, is_zip, require_file_bytes, require_memory
from histoseek.errors import TooLarge

_MOST_PICKLE_BYTES = 8 * 2**20
"""A step a byte at worst, which take seconds; places and names of all tiles of a slide are half of it."""

_ALLOCATING = b"bytearray"
"""A call that torch allows in a pickle, and that takes as much memory as a number in it says."""


def require_tensor_bytes(path: Path, kind: type[TooLarge] = TooLarge) -> None:
    """Raise `kind` for a file whose tensors would take more than one file may; what is no file of torch passes, and
    OSError is raised as `stat` does."""
    size_bytes = require_file_bytes(path, kind=kind)
    if not size_bytes:
        return
    if not is_zip(path):
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            _require_no_allocation(path, data.find(_ALLOCATING) >= 0, kind)
        return
    try:
        with ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > MOST_NAMED_PARTS:
                raise kind(path, f"{len(entries):,} tensors", f"{MOST_NAMED_PARTS:,}")
            require_memory(path, "its tensors", sum(entry.file_size for entry in entries), size_bytes, kind)
            for entry in entries:
                if not entry.filename.endswith(".pkl"):
                    continue
                if entry.file_size > _MOST_PICKLE_BYTES:
                    raise kind(path, f"a pickle of {entry.file_size:,} bytes", f"{_MOST_PICKLE_BYTES:,}")
                _require_no_allocation(path, _ALLOCATING in archive.read(entry), kind)
    except (BadZipFile, EOFError, NotImplementedError, OSError, RuntimeError, ValueError):
        return  # torch says what is wrong with it


def _require_no_allocation(path: Path, allocates: bool, kind: type[TooLarge]) -> None:
    if allocates:
        raise kind(path, "a pickle that allocates as much as a number in it says", "what is stored")
