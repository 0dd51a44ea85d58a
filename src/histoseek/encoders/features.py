"""Feature files in and out: HDF5 as TRIDENT, CLAM and EasyMIL write it, and `.pt` bags.

HDF5: dataset `features` [N, D] or [1, N, D]; `coords` [N, 2] top-left corners in level-0 px, whose attributes say
the tile's size: `patch_size_level0` (TRIDENT), or `patch_size` with `downsample` or `patch_level` (CLAM).
`.pt`: a tensor [N, D], or a dict with `features` and perhaps `coords`; read with weights_only.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from histoseek.encoders.bag import UNKNOWN_POSITION, Bag, check_bag
from histoseek.errors import BadFeatureFile, MissingExtra, NoSlidesFound, SlideNotFound

SUFFIXES = (".h5", ".hdf5", ".pt", ".pth")


@dataclass(frozen=True, slots=True)
class FeatureFile:
    """A bag read from a feature file; sizes are 0 and spacings 0 where the file doesn't say."""

    bag: Bag
    width: int
    height: int
    slide_spacing_um_per_px: float


def discover_features(folder: Path) -> tuple[Path, ...]:
    """All feature files below a folder (or the file itself), sorted; raises SlideNotFound, NoSlidesFound."""
    if folder.is_file():
        return (folder,)
    if not folder.is_dir():
        raise SlideNotFound(folder)
    files = tuple(sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file()))
    if not files:
        raise NoSlidesFound(folder)
    return files


def read_features(path: Path, encoder: str) -> FeatureFile:
    """Read a feature file; raises BadFeatureFile, or MissingExtra when a `.pt` is given without torch."""
    read = _read_pt if path.suffix.lower() in (".pt", ".pth") else _read_hdf5
    features = read(path, encoder)
    check_bag(features.bag, path)
    return features


def write_features(bag: Bag, path: Path) -> None:
    """Write a bag as HDF5 in TRIDENT's layout."""
    import h5py

    with h5py.File(path, "w") as file:
        file.create_dataset("features", data=bag.features)
        coords = file.create_dataset("coords", data=bag.coords)
        coords.attrs["patch_size_level0"] = bag.tile_size_level0
        coords.attrs["spacing_um_per_px"] = bag.spacing_um_per_px
        file["features"].attrs["encoder"] = bag.encoder
        file.create_dataset("weights", data=bag.weights)


def _read_hdf5(path: Path, encoder: str) -> FeatureFile:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            if "features" not in file:
                raise BadFeatureFile(path, f"no dataset 'features'; it has: {', '.join(file) or 'nothing'}")
            features = _two_dimensional(np.asarray(file["features"]), path)
            coords = np.asarray(file["coords"]) if "coords" in file else None
            attributes = dict(file["coords"].attrs) if "coords" in file else {}
            weights = np.asarray(file["weights"]) if "weights" in file else None
    except (OSError, RuntimeError, TypeError, ValueError) as error:
        raise BadFeatureFile(path, "not a readable HDF5 file") from error
    bag = _bag(features, coords, weights, attributes, encoder, path)
    width, height = (int(_number(attributes, f"level0_{edge}", 0)) for edge in ("width", "height"))
    return FeatureFile(bag, width, height, _number(attributes, "level0_mpp", 0.0))


def _read_pt(path: Path, encoder: str) -> FeatureFile:
    try:
        import torch
    except ImportError as error:
        raise MissingExtra("torch", "torch") from error
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise BadFeatureFile(path, "not a file of tensors only") from error
    features, coords = (loaded.get("features"), loaded.get("coords")) if isinstance(loaded, dict) else (loaded, None)
    if not isinstance(features, torch.Tensor):
        raise BadFeatureFile(path, "neither a tensor nor a dict with a tensor 'features'")
    array = _two_dimensional(features.float().numpy(), path)
    places = coords.numpy() if isinstance(coords, torch.Tensor) else None
    return FeatureFile(_bag(array, places, None, {}, encoder, path), 0, 0, 0.0)


def _two_dimensional(features: NDArray[np.generic], path: Path) -> NDArray[np.float32]:
    if features.ndim == 3 and features.shape[0] == 1:
        features = features[0]
    if features.dtype.kind not in "fiu":
        raise BadFeatureFile(path, f"features of type {features.dtype}")
    return np.ascontiguousarray(features, dtype=np.float32)


def _bag(
    features: NDArray[np.float32],
    coords: NDArray[np.generic] | None,
    weights: NDArray[np.generic] | None,
    attributes: Mapping[str, object],
    encoder: str,
    path: Path,
) -> Bag:
    count = len(features)
    if coords is None:
        coords = np.full((count, 2), UNKNOWN_POSITION)
    if coords.ndim == 3 and coords.shape[0] == 1:
        coords = coords[0]
    if coords.shape != (count, 2):
        raise BadFeatureFile(path, f"coords of shape {coords.shape} for {count} features")
    return Bag(
        features=features,
        coords=np.ascontiguousarray(coords, dtype=np.int32),
        weights=np.ones(count, np.float32) if weights is None else np.ascontiguousarray(weights, dtype=np.float32),
        tile_size_level0=_tile_size(attributes),
        spacing_um_per_px=_number(attributes, "spacing_um_per_px", 0.0),
        encoder=encoder,
    )


def _tile_size(attributes: Mapping[str, object]) -> int:
    if "patch_size_level0" in attributes:
        return int(_number(attributes, "patch_size_level0", 0))
    size = _number(attributes, "patch_size", 0)
    level = _number(attributes, "patch_level", 0)
    return int(size * _number(attributes, "downsample", 1.0 if level == 0 else 0.0))


def _number(attributes: Mapping[str, object], name: str, otherwise: float) -> float:
    value = attributes.get(name)
    flat = np.asarray(value).reshape(-1) if value is not None else np.zeros(0)
    return float(flat[0]) if flat.size and flat.dtype.kind in "fiu" else otherwise
