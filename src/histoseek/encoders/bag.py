"""Bags: the tile features of one slide, and their cache as safetensors with a JSON sidecar."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from histoseek.bounds import describe_exhaustion
from histoseek.equality import EqualByContent
from histoseek.errors import BadFeatureFile
from histoseek.files import make_folder, read_checked_json, write_atomic, write_checked_json

UNKNOWN_POSITION = -1
"""Both coordinates of a tile whose place on the slide is not known (a feature file without coords)."""

_LARGEST_FEATURE = 1e15
"""The squares of larger ones have no sum in float32, and one of them would outweigh a whole archive."""

_LARGEST_WEIGHT = 1e12
_LEAST_SLIDE_DIMENSION = 2

_LEAST_TISSUE = 0.7
"""Of a tile that stands for what it shows. Masks are coarser than tiles: of real ones less than this, some are mostly
glass when looked at closely, of those above none was."""


_ERRORS = (AttributeError, LookupError, MemoryError, OSError, RecursionError, TypeError, ValueError)
"""Of bags and sidecars that are damaged."""


@dataclass(frozen=True, slots=True, eq=False)
class Bag(EqualByContent):
    """Tile features of one slide.

    features: float32 [N, D]; coords: int32 [N, 2], top-left corners in level-0 px; weights: float32 [N], how many
    tiles each stands for; tile_size_level0: their edge in level-0 px; spacing in um/px at which they were encoded;
    encoder: fingerprint of the tile encoder; slide_vector: float32 [S], what another tool made of the whole slide, None
    where there is none; tissue: float32 [N], the share of each tile that is tissue and not glass, None where it is not
    known, as in feature files and in bags of older versions.
    """

    features: NDArray[np.float32]
    coords: NDArray[np.int32]
    weights: NDArray[np.float32]
    tile_size_level0: int
    spacing_um_per_px: float
    encoder: str
    slide_vector: NDArray[np.float32] | None = None
    tissue: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.features)

    def take(self, places: NDArray[np.int64]) -> Bag:
        """The tiles at these places, as a bag."""
        tissue = None if self.tissue is None else self.tissue[places]
        features, coords, weights = self.features[places], self.coords[places], self.weights[places]
        return replace(self, features=features, coords=coords, weights=weights, tissue=tissue)

    @property
    def has_places(self) -> bool:
        """Whether it is known where the tiles lie on the slide, and how large they are."""
        return are_placed(self.coords, self.tile_size_level0)

    @property
    def is_witness(self) -> NDArray[np.bool_]:
        """Which tiles can stand for what they show, bool [N]: all where nobody knows how much of them is glass."""
        return np.ones(len(self), bool) if self.tissue is None else self.tissue >= _LEAST_TISSUE

    @property
    def tissue_weights(self) -> NDArray[np.float32]:
        """How many tiles full of tissue each stands for, float32 [N]."""
        return self.weights if self.tissue is None else self.weights * self.tissue


def are_placed(coords: NDArray[np.int32], edge_level0: int) -> bool:
    """Whether it is known of all tiles where they lie, and how large they are; coords: [N, 2], edge_level0: in px."""
    return edge_level0 >= 1 and not (coords == UNKNOWN_POSITION).all(axis=1).any()


@dataclass(frozen=True, slots=True)
class BagOrigin:
    """What a cached bag was made from, so that it is used again only for the same.

    recipe: hash of everything that decides the features (encoder, tiles, tissue, seed); given_spacing_um_per_px: the
    slide's spacing where the user gave it, None where the file states it and in bags of older versions; stain: as
    detected on the slide (`tissue.stain`), None where no slide was opened and in bags of older versions.
    """

    file_fingerprint: str
    recipe: str
    width: int
    height: int
    slide_spacing_um_per_px: float
    given_spacing_um_per_px: float | None = None
    stain: str | None = None


@dataclass(frozen=True, slots=True)
class _Sidecar:
    tile_size_level0: int
    spacing_um_per_px: float
    encoder: str
    sha256: str


def check_bag(bag: Bag, where: Path | str) -> None:
    """Raise BadFeatureFile when shapes disagree, the bag is empty, or a value can't be computed with."""
    if bag.features.ndim != 2 or not bag.features.size:
        raise BadFeatureFile(where, f"features of shape {bag.features.shape}, wanted [N, D] with N >= 1")
    if bag.coords.shape != (len(bag), 2):
        raise BadFeatureFile(where, f"coords of shape {bag.coords.shape} for {len(bag)} features")
    if bag.weights.shape != (len(bag),):
        raise BadFeatureFile(where, f"weights of shape {bag.weights.shape} for {len(bag)} features")
    if not (bag.weights.min() >= 0 and 0 < bag.weights.sum(dtype=np.float64) <= _LARGEST_WEIGHT):  # nor NaN
        raise BadFeatureFile(where, "weights that are negative, NaN, infinite or all zero")
    if bag.tissue is not None and (bag.tissue.shape != (len(bag),) or not is_share(bag.tissue)):
        raise BadFeatureFile(where, "shares of tissue that are not one of each tile, from 0 to 1")
    largest = max(float(bag.features.max()), -float(bag.features.min()))  # NaN if any is; no copy as large as they are
    if not np.isfinite(largest):
        raise BadFeatureFile(where, "features hold NaN or infinity")
    if largest > _LARGEST_FEATURE:
        raise BadFeatureFile(where, f"features beyond {_LARGEST_FEATURE:g}")
    if bag.slide_vector is not None:
        check_slide_vector(bag.slide_vector, where)


def is_share(values: NDArray[np.float32]) -> bool:
    """Whether numbers are from 0 to 1, and some above 0; NaN is not."""
    return bool((values >= 0).all() and (values <= 1).all() and values.any())


def check_slide_vector(vector: NDArray[np.float32], where: Path | str) -> None:
    """Raise BadFeatureFile for a slide's vector that has no direction to compare: not [S], zero, NaN, too large."""
    if vector.ndim != 1 or len(vector) < _LEAST_SLIDE_DIMENSION:
        raise BadFeatureFile(where, f"a slide feature of shape {vector.shape}, wanted [D] or [1, D]")
    if not np.isfinite(vector).all() or np.abs(vector).max() > _LARGEST_FEATURE:
        raise BadFeatureFile(where, "a slide feature that holds NaN, infinity or too large numbers")
    if not np.linalg.norm(vector.astype(np.float64)) > 0:
        raise BadFeatureFile(where, "a slide feature of zeros")


def save_bag(bag: Bag, origin: BagOrigin, path: Path) -> None:
    """Write `path` (.safetensors) and its sidecar (.json), the sidecar last: it marks the bag as complete."""
    arrays = {"features": bag.features, "coords": bag.coords, "weights": bag.weights}
    optional = {"slide_vector": bag.slide_vector, "tissue": bag.tissue}
    data = save({**arrays, **{name: array for name, array in optional.items() if array is not None}})
    side = _Sidecar(bag.tile_size_level0, bag.spacing_um_per_px, bag.encoder, hashlib.sha256(data).hexdigest())
    make_folder(path.parent)
    write_atomic(path, data)
    write_checked_json(sidecar_path(path), {"bag": asdict(side), "origin": asdict(origin)})


def save_absence(origin: BagOrigin, path: Path) -> None:
    """Note beside `path` that a slide has no bag there, so that it is not looked for again."""
    make_folder(path.parent)
    path.unlink(missing_ok=True)
    write_checked_json(sidecar_path(path), {"bag": None, "origin": asdict(origin)})


def is_absent(path: Path) -> bool:
    """Whether it is noted that a slide has no bag at `path`."""
    try:
        return read_checked_json(sidecar_path(path))["bag"] is None
    except _ERRORS:
        return False


def load_bag(path: Path) -> Bag:
    """Read a cached bag back; raises BadFeatureFile when it is missing, incomplete or altered."""
    try:
        side = _Sidecar(**read_checked_json(sidecar_path(path))["bag"])
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != side.sha256:
            raise BadFeatureFile(path, "the checksum in its sidecar differs")
        arrays = load(data)
        bag = Bag(
            features=arrays["features"],
            coords=arrays["coords"],
            weights=arrays["weights"],
            tile_size_level0=side.tile_size_level0,
            spacing_um_per_px=side.spacing_um_per_px,
            encoder=side.encoder,
            slide_vector=arrays.get("slide_vector"),
            tissue=arrays.get("tissue"),
        )
    except (*_ERRORS, SafetensorError) as error:
        reason = describe_exhaustion(error) or f"{type(error).__name__} while reading it"
        raise BadFeatureFile(path, reason) from error
    check_bag(bag, path)
    return bag


def load_origin(path: Path) -> BagOrigin | None:
    """What the cached bag at `path` was made from, or None when there is no complete one."""
    try:
        return BagOrigin(**read_checked_json(sidecar_path(path))["origin"])
    except _ERRORS:
        return None


def load_scale(path: Path) -> tuple[float, int]:
    """Spacing in um/px and edge in level-0 px of the tiles of the cached bag at `path`; 0 where they are not known."""
    try:
        side = read_checked_json(sidecar_path(path))["bag"]
        return float(side["spacing_um_per_px"]), int(side["tile_size_level0"])
    except _ERRORS:
        return 0.0, 0


def sidecar_path(path: Path) -> Path:
    """Where the sidecar of a bag lies."""
    return path.with_suffix(".json")
