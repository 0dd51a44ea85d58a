"""Files of arrays with facts about them: written in one step, and checked as a whole when they are read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from histoseek.files import format_checked_line, parse_checked_line, write_atomic

UNREADABLE = (OSError, ValueError, KeyError, TypeError, SafetensorError)
"""What reading such a file, and making sense of it, raises where it is not what was written."""

_FACTS, _HASH = "facts", "arrays"


def write_array_file(path: Path, facts: Mapping[str, object], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays by name as safetensors, with facts that JSON can hold, as `write_atomic` does."""
    plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    write_atomic(path, save(plain, {_FACTS: format_checked_line({**facts, _HASH: _hash_arrays(plain)})}))


def read_array_file(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The facts and the arrays; raises OSError, and others of UNREADABLE where a byte is not what was written."""
    with safe_open(path, framework="np") as file:
        facts = parse_checked_line((file.metadata() or {})[_FACTS].rstrip("\n").encode())
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if facts[_HASH] != _hash_arrays(arrays):
        raise ValueError("arrays are not what was written")
    return facts, arrays


def _hash_arrays(arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}".encode() + arrays[name].tobytes())
    return digest.hexdigest()
