"""What a file of weights is: its SHA-256, which model's it is known as, and whether it is all there."""

from __future__ import annotations

import hashlib
import json
import re
import struct
from contextlib import suppress
from pathlib import Path

from histoseek.bounds import is_zip
from histoseek.encoders.cards.card import Publication
from histoseek.encoders.cards.catalogue import list_slide_models, list_tile_models
from histoseek.encoders.packaged_files import digest_file
from histoseek.errors import ConfigurationError
from histoseek.files import read_file_state, write_atomic
from histoseek.settings import get_settings

_LARGE_BYTES = 64 * 2**20
"""From here on a digest takes long enough to be remembered from one command to the next."""

_MEMORY = "digests.json"
_MOST_REMEMBERED = 500
_MOST_HEADER_BYTES = 100 * 2**20
_BEGINNING_BYTES = 64


def digest_weights(path: Path) -> str:
    """SHA-256 of a file, 64 hex digits; that of a large one is computed once for each state of the file."""
    if remembered := recall_digest(path):
        return remembered
    digest = digest_file(path)
    memory, key = get_settings().cache_dir / _MEMORY, str(path.resolve())
    known = {old: value for old, value in _read_memory(memory).items() if old != key}
    kept = {**known, key: [*read_file_state(path), digest]}
    with suppress(OSError):
        memory.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(memory, json.dumps(dict(list(kept.items())[-_MOST_REMEMBERED:])).encode())
    return digest


def recall_digest(path: Path) -> str:
    """The SHA-256 of a file as far as it is known or quick to compute, "" where it is neither."""
    if path.stat().st_size < _LARGE_BYTES:
        return digest_file(path)
    entry = _read_memory(get_settings().cache_dir / _MEMORY).get(str(path.resolve()), [])
    return str(entry[-1]) if entry[:-1] == list(read_file_state(path)) else ""


def name_file(sha256: str) -> str:
    """Whose file a SHA-256 is, as "uni (MahmoodLab/uni, pytorch_model.bin)"; "" where no card has it."""
    models: list[tuple[str, Publication]] = [(model.name, model.publication) for model in list_tile_models()]
    models += [(model.name, model.publication) for model in list_slide_models()]
    found = (
        f"{name} ({publication.repository}, {file.name})"
        for name, publication in models
        for file in publication.files
        if file.sha256 == sha256
    )
    return next(found, "")


def is_known_file(path: Path) -> bool:
    """Whether a file is one that a card states, byte for byte."""
    return bool(name_file(digest_weights(path)))


def identify_own(name: str, version: str, weights: str | Path) -> str:
    """The hash, 16 hex digits, that code of the user's own is known by: of its weights, or of name and version.

    weights: a file, or hex digits. Raises ConfigurationError for what is neither, and for versions with other signs
    than letters, digits and dots.
    """
    if not re.fullmatch(r"[A-Za-z0-9.]+", version):
        raise ConfigurationError(f"version {version!r}", "can't be a version", "Use letters, digits and '.'")
    if not str(weights):
        return hashlib.sha256(f"{name} {version}".encode()).hexdigest()[:16]
    if isinstance(weights, str) and re.fullmatch(r"[0-9a-fA-F]{6,}", weights):
        return weights.lower()[:16]
    if not Path(weights).is_file():
        advice = "Give a file, or six hex digits at least"
        raise ConfigurationError(f"weights {str(weights)!r}", "are neither a file nor a hash", advice)
    return digest_weights(Path(weights))[:16]


def find_damage(path: Path) -> str:
    """What shows from a file's size and its ends that it can't be weights: cut off, empty, a page; "" for nothing."""
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        beginning = file.read(_BEGINNING_BYTES)
    if not beginning:
        return "is empty"
    if beginning.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS, not the file itself"
    if beginning.lstrip().lower().startswith((b"<!doctype", b"<html")):
        return "is a web page (of a download that asked for a login?), not the file itself"
    if path.suffix == ".safetensors":
        return _find_missing_tensors(path, size_bytes)
    if beginning.startswith(b"PK\x03\x04") and not is_zip(path):
        return f"is cut off: its {size_bytes:,} bytes lack the end of the zip file that torch writes"
    return ""


def _find_missing_tensors(path: Path, size_bytes: int) -> str:
    """What the header of a safetensors file promises beyond the file's end."""
    cut = f"is cut off: {size_bytes:,} bytes"
    with path.open("rb") as file:
        prefix = file.read(8)
        length = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else 0
        if 8 + length > size_bytes:
            return f"{cut}, of which its header alone would take {8 + length:,}"
        if not 0 < length <= _MOST_HEADER_BYTES:
            return "is no safetensors file"
        header = file.read(length)
    try:
        tensors = json.loads(header)
        end = max((int(value["data_offsets"][1]) for key, value in tensors.items() if key != "__metadata__"), default=0)
    except (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError):
        return "is no safetensors file"
    return f"{cut} of {8 + length + end:,}" if 8 + length + end > size_bytes else ""


def _read_memory(path: Path) -> dict[str, list[object]]:
    try:
        known = json.loads(path.read_bytes())
    except (OSError, RecursionError, ValueError):
        return {}
    return {key: value for key, value in known.items() if isinstance(value, list)} if isinstance(known, dict) else {}
