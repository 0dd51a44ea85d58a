"""What slide2vec lays beside its features, and arrays in NumPy's `.npz`.

`tile_embeddings/ID.pt` (or `.npz`) has `ID.meta.json` with it; the places of its tiles lie in
`tiles/ID.coordinates.npz`.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from histoseek.bounds import require_memory
from histoseek.errors import BadFeatureFile, SlideTooLarge

FOLDER = "tile_embeddings"
PLACES = ".coordinates.npz"
_META = ".meta.json"
_MOST_META_BYTES = 2**20
_ATTRIBUTES = {
    "encoder_name": "encoder",
    "tile_size_lv0": "patch_size_level0",
    "requested_spacing_um": "spacing_um_per_px",
    "requested_tile_size_px": "patch_size",
}
"""Names in the sidecar, and the same in the words of `read_facts`."""

_NPZ_ERRORS = (EOFError, LookupError, MemoryError, OSError, ValueError, zipfile.BadZipFile, NotImplementedError)


def read_sidecar(path: Path) -> dict[str, object]:
    """What the sidecar of a feature file states; nothing where there is none that can be read."""
    sidecar = path.with_suffix(_META)
    try:
        if sidecar.stat().st_size > _MOST_META_BYTES:
            return {}
        stated = json.loads(sidecar.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(stated, Mapping) or stated.get("artifact_type") != FOLDER:
        return {}
    return {ours: stated[theirs] for theirs, ours in _ATTRIBUTES.items() if stated.get(theirs)}


def find_places_folder(path: Path) -> Path | None:
    """Where slide2vec lays the places of tiles, for a file in its folder of features; None for others."""
    folder = path.absolute().parent
    return folder.parent / "tiles" if folder.name == FOLDER else None


def read_places(path: Path) -> NDArray[np.generic] | None:
    """Top-left corners in level-0 px, [N, 2], of a file in slide2vec's folder; None where there are none."""
    folder = find_places_folder(path)
    places = folder / f"{path.stem}{PLACES}" if folder else None
    if places is None or not places.is_file():
        return None
    arrays = read_npz(places, ("x", "y"))
    if set(arrays) != {"x", "y"} or arrays["x"].shape != arrays["y"].shape:
        raise BadFeatureFile(places, "no places of tiles in it (x and y of one length)")
    return np.column_stack([arrays["x"], arrays["y"]])


def read_npz(path: Path, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Those of some arrays that an `.npz` file has; raises BadFeatureFile, also for arrays of objects."""
    arrays = {}
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist()}
            for name in (name for name in names if name in entries):
                with archive.open(entries[name]) as file:
                    _require_size(path, name, file, entries[name])
                with archive.open(entries[name]) as file:
                    arrays[name] = npy.read_array(file, allow_pickle=False)
    except _NPZ_ERRORS as error:
        raise BadFeatureFile(path, "not a readable .npz file of numbers") from error
    return arrays


def _require_size(path: Path, name: str, file: Any, entry: zipfile.ZipInfo) -> None:
    """NumPy allocates what the header of an array declares."""
    version = npy.read_magic(file)
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, kind = read_header(file)
    declared = prod(shape) * kind.itemsize
    require_memory(path, f"{name} of shape {shape}", declared, entry.compress_size, SlideTooLarge)
