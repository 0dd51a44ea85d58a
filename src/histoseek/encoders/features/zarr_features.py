"""Features in Zarr folders, as raw2features, LazySlide (SpatialData) and TIAToolbox lay them out.

raw2features: `grids/KEY/coords` and `grids/KEY/features/MODEL`, each grid with a header. LazySlide: AnnData in
`tables/MODEL_tiles`, whose rows are the tiles of `shapes/tiles`. TIAToolbox: `features` and `coordinates` side by side;
its places are in pixels of the resolution that was read, which it does not state, so they are none on the slide.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histoseek.bounds import require_file_bytes
from histoseek.encoders.features.facts import is_same_encoder, strip_encoder
from histoseek.errors import BadFeatureFile, SlideTooLarge
from histoseek.zarr_arrays import ZarrError, find_child, is_zarr, open_array, read_attributes

SUFFIX = ".zarr"
_HEADER = "raw2features"
_TABLES = "_tiles"
"""What LazySlide puts behind the name of a model."""

_MOST_PARTS = 256
_POLYGON = 3
_CORNERS = 5
_DAMAGES = (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError)
"""Of folders whose descriptions are not what they should be; ZarrError is one of them."""


@dataclass(frozen=True, slots=True)
class StoredFeatures:
    """Features of one slide by one encoder; places: top-left corners in level-0 px, None where they are not known.

    attributes: what the folder states, in the words of `read_facts`.
    """

    features: NDArray[np.generic]
    places: NDArray[np.generic] | None
    attributes: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _Entry:
    """An array of features in a folder, and by which encoder it says it is ("" where it doesn't)."""

    encoder: str
    features: Path
    grid: Path


def is_feature_store(folder: Path) -> bool:
    """Whether a folder is a Zarr folder with features of tiles."""
    return is_zarr(folder) and next(_list_entries(folder), None) is not None


def read_store(folder: Path, encoder: str) -> StoredFeatures:
    """The features by an encoder, of which the name is enough where a folder has those of several.

    Raises BadFeatureFile.
    """
    try:
        entry = _choose(folder, encoder)
        places, attributes = _read_places(folder, entry), _read_attributes(folder, entry)
        if places is not None and places.shape[1:] == (4,) and len(places):
            attributes["tile_size_level0"] = round(float(places[0, 2] - places[0, 0]))
        return StoredFeatures(open_array(entry.features).read(), places, attributes)
    except _DAMAGES as error:
        what = str(error) if isinstance(error, ZarrError) else "not a readable Zarr folder"
        raise BadFeatureFile(folder, what) from error


def read_store_attributes(folder: Path) -> Mapping[str, object]:
    """What a folder states of its features; nothing where it has those of several encoders, or can't be read."""
    try:
        entries = list(_list_entries(folder))
        return _read_attributes(folder, entries[0]) if len(entries) == 1 else {}
    except _DAMAGES:
        return {}


def _list_entries(folder: Path) -> Iterator[_Entry]:
    for grid in _list_folders(folder / "grids"):
        for features in _list_folders(grid / "features"):
            yield _Entry(features.name, features, grid)
    for table in _list_folders(folder / "tables"):
        if table.name.endswith(_TABLES) and is_zarr(table / "X"):
            yield _Entry(table.name.removesuffix(_TABLES), table / "X", table)
    if is_zarr(folder / "features") and is_zarr(folder / "coordinates"):
        yield _Entry("", folder / "features", folder)


def _list_folders(folder: Path) -> list[Path]:
    try:
        return sorted(one for one in folder.iterdir() if is_zarr(one))[:_MOST_PARTS]
    except OSError:
        return []


def _choose(folder: Path, encoder: str) -> _Entry:
    entries = list(_list_entries(folder))
    wanted = strip_encoder(encoder)
    named = [entry for entry in entries if is_same_encoder(entry.encoder, wanted)] if wanted else []
    chosen = named or [entry for entry in entries if not entry.encoder] or ([] if wanted else entries)
    if len(chosen) == 1:
        return chosen[0]
    there = ", ".join(f"{entry.encoder} ({entry.grid.name})" for entry in entries)
    if not entries:
        raise ZarrError("no features of tiles")
    if chosen:
        raise ZarrError(f"features at several scales or by several encoders, of which one is wanted: {there}")
    raise ZarrError(f"no features by {wanted}; it has: {there}")


def _read_attributes(folder: Path, entry: _Entry) -> dict[str, object]:
    header = read_attributes(entry.grid).get(_HEADER)
    if isinstance(header, Mapping):
        return _read_header(header, entry.encoder)
    return {"encoder": entry.encoder, **_read_tile_spec(folder)}


def _read_header(header: Mapping[str, Any], encoder: str) -> dict[str, object]:
    """The header of a grid of raw2features."""
    source, patching = header.get("source") or {}, header.get("patching") or {}
    sizes = source.get("level_dimensions") or [(0, 0)]
    stated = {
        "encoder": encoder,
        "spacing_um_per_px": patching.get("achieved_mpp") or patching.get("target_mpp"),
        "patch_size": patching.get("patch_px"),
        "patch_size_level0": patching.get("level0_patch"),
        "level0_mpp": source.get("mpp_level0"),
        "level0_width": sizes[0][0],
        "level0_height": sizes[0][1],
    }
    return {name: value for name, value in stated.items() if value}


def _read_tile_spec(folder: Path) -> dict[str, object]:
    """What LazySlide states of its tiles."""
    specs = read_attributes(folder).get("tile_spec")
    spec = specs.get("tiles") if isinstance(specs, Mapping) else None
    if not isinstance(spec, Mapping):
        return {}
    stated = {"spacing_um_per_px": spec.get("mpp"), "tile_px": spec.get("width")}
    return {name: value for name, value in stated.items() if value}


def _read_places(folder: Path, entry: _Entry) -> NDArray[np.generic] | None:
    if is_zarr(entry.grid / "coords"):
        return open_array(entry.grid / "coords").read()
    shapes = folder / "shapes" / "tiles" / "shapes.parquet"
    if not shapes.is_file():
        return None
    boxes = _read_boxes(shapes)
    rows = _read_tile_numbers(entry.grid, len(boxes))
    return boxes if rows is None else boxes[rows]


def _read_tile_numbers(table: Path, count: int) -> NDArray[np.intp] | None:
    """Which tile each row of a table is of; None where rows and tiles are in one order."""
    numbers = find_child(table, "obs/tile_id")
    if not is_zarr(numbers):
        return None
    rows = np.asarray(open_array(numbers).read())
    if rows.dtype.kind not in "iu" or (len(rows) and not (rows.min() >= 0 and rows.max() < count)):
        raise ZarrError(f"rows of tiles that are not among its {count} tiles")
    return rows.astype(np.intp)


def _read_boxes(path: Path) -> NDArray[np.float64]:
    """The corners of tiles, [N, 4] of left, top, right and bottom, from a GeoParquet table of rectangles."""
    import pyarrow.parquet

    require_file_bytes(path, 4, SlideTooLarge)
    try:
        table = pyarrow.parquet.read_table(path, columns=["geometry"], use_threads=False, pre_buffer=False)
        shapes: Sequence[bytes] = table["geometry"].to_pylist()
        return np.array([_read_rectangle(shape) for shape in shapes], np.float64).reshape(-1, 4)
    except (OSError, ValueError, struct.error, pyarrow.ArrowException) as error:
        raise ZarrError("places of tiles that cannot be read") from error


def _read_rectangle(shape: bytes) -> tuple[float, float, float, float]:
    """The bounds of a polygon of one ring in well-known binary (OGC 06-103r4, section 8.2)."""
    order = "<" if shape[:1] == b"\x01" else ">"
    kind, rings, points = struct.unpack_from(f"{order}3I", shape, 1)
    if (kind, rings, points) != (_POLYGON, 1, _CORNERS):
        raise ValueError("no rectangle")
    corners = np.array(struct.unpack_from(f"{order}{2 * _CORNERS}d", shape, 13)).reshape(-1, 2)
    (left, top), (right, bottom) = corners.min(0), corners.max(0)
    return left, top, right, bottom
