"""Feature files in and out: HDF5 as TRIDENT, CLAM, STAMP and EasyMIL write it, and `.pt` bags.

HDF5: dataset `features` (or a name of the same meaning) [N, D], [1, N, D] or [N, 1, D]; `coords` [N, 2] top-left
corners in level-0 px, or [N, 4] boxes; its attributes, those of the features and those of the file say how they were
made (`facts`).
`.pt`: a tensor [N, D], or a dict with `features` and perhaps `coords`; nothing in it is run.
"""

from __future__ import annotations

import pickle
import re
import struct
import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from histoseek.bounds import describe_exhaustion, is_zip, refusing_exhaustion, require_memory
from histoseek.encoders.bag import UNKNOWN_POSITION, Bag, check_bag
from histoseek.encoders.features import slide2vec_files, zarr_features
from histoseek.encoders.features.facts import FeatureFacts, read_facts, read_number
from histoseek.encoders.features.hdf5_datasets import find_datasets, read_attributes, read_dataset
from histoseek.encoders.pickled_tensors import read_pickled
from histoseek.encoders.pickled_values import RefusedPickle
from histoseek.errors import BadFeatureFile, InputError, NoSlidesFound, SlideNotFound, SlideTooLarge
from histoseek.slides.sources.folder_walk import FileKinds, describe_passed_over, walk_folders

if TYPE_CHECKING:
    import h5py

SUFFIXES = (".h5", ".hdf5", ".pt", ".pth", ".npz")
SECOND_COPIES = "files of the same features in another format"
"""Why CLAM's `pt_files` are passed over beside its `h5_files`, which know the places of tiles."""

BARE_COORDINATES = "files of coordinates without features"
"""CLAM's and TRIDENT's `patches`."""

_HDF5 = (".h5", ".hdf5")
TENSORS = (".pt", ".pth")
"""Endings of torch's files."""

_DATASETS = (
    *("features", "feats", "feature", "feat", "embeddings", "embedding", "embeds", "tile_features", "tile_embeds"),
    *("tile_embeddings", "patch_features", "patch_embeddings", "bag_feats"),
)
"""Names of the features, ours and TRIDENT's first. Not by their shape: that of a network's weights is the same."""

_PLACES = ("coords", "coordinates", "coord")
_WEIGHTS = "weights"
_HDF5_ERRORS = (ArithmeticError, AttributeError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError)
"""Of files that are damaged in one place or another."""

_TENSOR_ERRORS = (*_HDF5_ERRORS, AssertionError, EOFError, ImportError, pickle.UnpicklingError, struct.error)
_TRIDENT_FOLDERS = re.compile(r"(?P<magnification>\d+(?:\.\d+)?)x_\d+px_\d+px_overlap/features_(?P<encoder>[^/]+)")
_LONGEST_NAME = 100
_LARGEST_PLACE = 2**31 - 1
_FORMAT = re.compile(r"(?:^|(?<=[_-]))(?:h5|hdf5|pt|pth)(?=$|[_-])", re.IGNORECASE)


Look = Callable[[Path], Sequence[str]]
"""The names of the datasets of a file."""


@dataclass(frozen=True, slots=True)
class FeatureFile:
    """A bag read from a feature file, and what the file states of it; sizes and spacings are 0 where it doesn't say."""

    bag: Bag
    width: int
    height: int
    slide_spacing_um_per_px: float
    facts: FeatureFacts


@dataclass(frozen=True, slots=True)
class FeatureFolder:
    """Feature files, sorted and unique, and how many files were passed over for which reason."""

    files: tuple[Path, ...]
    passed_over: Mapping[str, int] = field(default_factory=dict)


def discover_features(paths: Sequence[Path], look_into: Look | None = None) -> FeatureFolder:
    """All feature files in folders, and files as they are, by their whole paths; look_into: for `list_datasets`.

    Raises SlideNotFound, NoSlidesFound.
    """
    look_into = look_into or list_datasets
    paths = [path.absolute() for path in paths]
    missing = next((path for path in paths if not path.exists()), None)
    if missing is not None:
        raise SlideNotFound(missing)
    folders = [path for path in paths if path.is_dir() and not _is_store(path)]
    kinds = FileKinds(
        SUFFIXES, "no feature files", folders=(zarr_features.SUFFIX,), whole=lambda folder: _is_store(Path(folder))
    )
    contents = walk_folders([str(folder) for folder in folders], kinds)
    for folder, content in zip(folders, contents, strict=True):
        if not (content.files or content.seen_before):
            raise NoSlidesFound(folder, describe_passed_over(content.passed_over))
    passed_over = sum((content.passed_over for content in contents), Counter[str]())
    walked = {Path(file) for content in contents for file in content.files}
    kept = _drop_second_copies(walked, look_into)
    passed_over[SECOND_COPIES] = len(walked) - len(kept)
    whole = _drop_bare_coordinates(kept, look_into)
    passed_over[BARE_COORDINATES] = len(kept) - len(whole)
    files = {*whole, *(path for path in paths if path not in folders)}
    return FeatureFolder(tuple(sorted(files, key=lambda path: path.parts)), dict(+passed_over))


def _is_store(path: Path) -> bool:
    return path.suffix.lower() == zarr_features.SUFFIX and zarr_features.is_feature_store(path)


def _drop_second_copies(files: set[Path], look_into: Look) -> set[Path]:
    """Of files of one name, in one folder or in folders that differ by the format they are named for, the HDF5 file;
    the tensors where that has no features."""
    copies: dict[tuple[object, ...], list[Path]] = defaultdict(list)
    for file in files:
        copies[(*(_FORMAT.sub("", part) for part in file.parent.parts), file.stem)].append(file)
    return {file for same in copies.values() for file in _choose_copies(same, look_into)}


def _drop_bare_coordinates(files: set[Path], look_into: Look) -> set[Path]:
    """Without files that say only where the tiles are of slides whose features lie beside."""
    times = Counter(file.stem for file in files)
    suspects = {file for file in files if times[file.stem] > 1 or file.parent.name == "patches"}
    suspects = {file for file in suspects if file.suffix.lower() in _HDF5}
    bare = {file for file in suspects if _has_only_coordinates(look_into(file))}
    bare |= {file for file in files if file.name.endswith(slide2vec_files.PLACES)}
    return files - bare or files


def _choose_copies(same: list[Path], look_into: Look) -> list[Path]:
    tensors = [file for file in same if file.suffix.lower() not in _HDF5]
    tables = [file for file in same if file not in tensors]
    if not (tensors and tables):
        return same
    return [file for file in tables if _has_features(look_into(file))] or tensors


def _has_features(names: Sequence[str]) -> bool:
    return any(name in _DATASETS for name in names)


def _has_only_coordinates(names: Sequence[str]) -> bool:
    return any(name in _PLACES for name in names) and not any(name in _DATASETS for name in names)


def list_datasets(path: Path) -> list[str]:
    """Which datasets of features and places an HDF5 file has; nothing where it cannot be read."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return list(find_datasets(file, (*_DATASETS, *_PLACES), path))
    except (BadFeatureFile, *_HDF5_ERRORS):
        return []


def read_features(path: Path, encoder: str, slide_spacing_um_per_px: float | None = None) -> FeatureFile:
    """Read a feature file, or a Zarr folder of features; raises BadFeatureFile.

    slide_spacing_um_per_px: of the slide's finest level, where the user gave it: STAMP states places in µm.
    """
    suffix = path.suffix.lower()
    if suffix not in (*SUFFIXES, zarr_features.SUFFIX):
        raise BadFeatureFile(path, f"a file '{path.suffix}', wanted {', '.join(SUFFIXES)}")
    readers = {zarr_features.SUFFIX: _read_store, ".npz": _read_npz, **dict.fromkeys(TENSORS, _read_pt)}
    read = readers.get(suffix, _read_hdf5)
    with refusing_exhaustion(lambda reason: BadFeatureFile(path, reason)):
        features = read(path, encoder, slide_spacing_um_per_px)
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


def _read_hdf5(path: Path, encoder: str, slide_spacing_um_per_px: float | None) -> FeatureFile:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            datasets = find_datasets(file, (*_DATASETS, *_PLACES, _WEIGHTS), path)
            name = next((name for name in _DATASETS if name in datasets), None)
            if name is None:
                raise BadFeatureFile(path, f"no dataset 'features'; it has: {_list_names(file)}")
            features = _two_dimensional(read_dataset(datasets[name], "features", path), path)
            place = next((place for place in _PLACES if place in datasets), None)
            coords = read_dataset(datasets[place], "coords", path) if place else None
            weights = read_dataset(datasets[_WEIGHTS], _WEIGHTS, path) if _WEIGHTS in datasets else None
            attributes = _read_attributes(file, datasets, path)
    except _HDF5_ERRORS as error:
        raise BadFeatureFile(path, describe_exhaustion(error) or "not a readable HDF5 file") from error
    if attributes.get("unit") == "um":
        coords, edge = _convert_um(coords, attributes, slide_spacing_um_per_px)
        attributes["tile_size_level0"] = edge
    facts = read_facts(attributes)
    return _make_file(_bag(features, coords, weights, facts, encoder, path), attributes, facts)


def _convert_um(
    coords: NDArray[np.generic] | None, attributes: Mapping[str, object], slide_spacing_um_per_px: float | None
) -> tuple[NDArray[np.generic] | None, int]:
    """STAMP's places in level-0 px, and the edge of its tiles: both are given in µm, unknown without the slide's
    spacing."""
    spacing = slide_spacing_um_per_px or read_number(attributes, "level0_mpp")
    if coords is None or not spacing or coords.dtype.kind not in "fiu":
        return None, 0
    return np.rint(coords.astype(np.float64) / spacing), round(read_number(attributes, "tile_size_um") / spacing)


def _read_store(path: Path, encoder: str, _: float | None) -> FeatureFile:
    stored = zarr_features.read_store(path, encoder)
    facts = read_facts(stored.attributes)
    features = _two_dimensional(stored.features, path)
    return _make_file(_bag(features, stored.places, None, facts, encoder, path), stored.attributes, facts)


def _read_npz(path: Path, encoder: str, _: float | None) -> FeatureFile:
    arrays = slide2vec_files.read_npz(path, (*_DATASETS, *_PLACES))
    features = next((arrays[name] for name in _DATASETS if name in arrays), None)
    if features is None:
        raise BadFeatureFile(path, "no array 'features'")
    coords = next((arrays[name] for name in _PLACES if name in arrays), None)
    coords = slide2vec_files.read_places(path) if coords is None else coords
    attributes = _read_folders(path)
    facts = read_facts(attributes)
    return _make_file(_bag(_two_dimensional(features, path), coords, None, facts, encoder, path), attributes, facts)


def _make_file(bag: Bag, attributes: Mapping[str, object], facts: FeatureFacts) -> FeatureFile:
    width, height = (int(read_number(attributes, f"level0_{edge}")) for edge in ("width", "height"))
    return FeatureFile(bag, width, height, read_number(attributes, "level0_mpp"), facts)


def read_stated_facts(path: Path) -> FeatureFacts:
    """What a feature file states, without reading its features; of one that can't be read what its folders say."""
    if path.suffix.lower() == zarr_features.SUFFIX:
        return read_facts(zarr_features.read_store_attributes(path))
    if path.suffix.lower() == ".npz":
        return read_facts(_read_folders(path))
    if path.suffix.lower() in TENSORS:
        try:
            return _read_tensor_facts(_load_tensors(path, mapped=True), path)
        except (InputError, ImportError, MemoryError):
            return read_facts(_read_folders(path))
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return read_facts(_read_attributes(file, find_datasets(file, (*_DATASETS, *_PLACES), path), path))
    except (BadFeatureFile, *_HDF5_ERRORS):
        return read_facts(_read_folders(path))


def _read_attributes(file: h5py.File, datasets: Mapping[str, h5py.Dataset], path: Path) -> dict[str, object]:
    """The attributes of the file, its features and its coords, as one; those of the coords count most."""
    parts = (file, *(datasets[name] for name in (*_DATASETS, *_PLACES[::-1]) if name in datasets))
    return _read_folders(path) | read_attributes(parts)


def _read_folders(path: Path) -> dict[str, object]:
    """What the folders say where TRIDENT lays its files, "20x_256px_0px_overlap/features_uni_v1" (it names the encoder
    nowhere else), and slide2vec's file beside its own."""
    folders = _TRIDENT_FOLDERS.fullmatch("/".join(path.absolute().parent.parts[-2:]))
    named = {"encoder": folders["encoder"], "target_magnification": folders["magnification"]} if folders else {}
    return named | slide2vec_files.read_sidecar(path)


def _read_pt(path: Path, encoder: str, _: float | None) -> FeatureFile:
    content = _load_tensors(path)
    features = next((content[name] for name in _DATASETS if name in content), None)
    if not _is_array(features):
        kind = type(features).__name__
        held = f"; it has: {_list_names(content)}" if features is None else f"; its features are a {kind}"
        raise BadFeatureFile(path, f"neither a tensor nor a dict with a tensor 'features'{held}")
    array = _two_dimensional(_to_array(features, path), path)
    coords = next((content[name] for name in _PLACES if content.get(name) is not None), None)
    places = slide2vec_files.read_places(path) if coords is None else _to_array(coords, path)
    facts = _read_tensor_facts(content, path)
    return FeatureFile(_bag(array, places, None, facts, encoder, path), 0, 0, 0.0, facts)


def _load_tensors(path: Path, mapped: bool = False) -> dict[Any, Any]:
    """What a file of tensors holds by its names; mapped: without reading the tensors, where the file allows it."""
    try:
        loaded = read_pickled(path, SlideTooLarge, mapped=mapped)
    except RefusedPickle as error:
        loaded = _load_rare_tensors(path, mapped, error)
    except OSError as error:
        raise BadFeatureFile(path, "not a file of tensors only") from error
    return loaded if isinstance(loaded, dict) else {_DATASETS[0]: loaded}


def _load_rare_tensors(path: Path, mapped: bool, refusal: RefusedPickle) -> object:
    """What torch reads besides plain tensors, where it is installed: sparse and quantised ones."""
    try:
        import torch
    except ImportError:
        raise BadFeatureFile(path, f"not a file of plain tensors only: {refusal}") from refusal
    _allow_arrays()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of rare kinds of tensors, which are read or refused where they are used
            # Older files cannot be mapped.
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped and is_zip(path))
    except _TENSOR_ERRORS as error:
        raise BadFeatureFile(path, describe_exhaustion(error) or "not a file of tensors only") from error


def _is_array(value: object) -> bool:
    return isinstance(value, np.ndarray) or _is_tensor(value)


def _is_tensor(value: object) -> bool:
    """Whether a value is torch's, which is not imported for that."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


@lru_cache(maxsize=1)
def _allow_arrays() -> None:
    """Let torch load numpy's arrays of numbers with weights_only; they hold no more code than tensors do."""
    from torch.serialization import add_safe_globals

    rebuild = np.ndarray(0).__reduce__()[0]
    scalar = np.float64(0).__reduce__()[0]
    kinds = {type(np.dtype(code)) for code in "?bBhHiIlLqQefd"}
    names = [(rebuild, "numpy.core.multiarray._reconstruct"), (scalar, "numpy.core.multiarray.scalar")]
    newer = [(part, name.replace("core", "_core")) for part, name in names]
    add_safe_globals([np.ndarray, np.dtype, *kinds, *names, *newer])


def _list_names(content: Iterable[object]) -> str:
    """The names of what a file holds, for people."""
    names = [name[:_LONGEST_NAME] if isinstance(name, str) else type(name).__name__ for name in islice(content, 9)]
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "") if names else "nothing"


def _read_tensor_facts(content: Mapping[Any, Any], path: Path) -> FeatureFacts:
    small = {
        name: _to_array(value, path)
        for name, value in content.items()
        if _is_array(value) and value.ndim <= 1 and 0 < np.prod(value.shape) <= 2
    }
    stated = {name: value for name, value in content.items() if isinstance(value, str | int | float)}
    return read_facts(_read_folders(path) | small | stated)


def _to_array(tensor: Any, path: Path) -> NDArray[np.generic]:
    """The numbers of a tensor of any kind: with a gradient, of half precision, sparse, quantised, not in a row; of
    an array, or of a list."""
    if not _is_tensor(tensor):
        try:
            return np.asarray(tensor)
        except (TypeError, ValueError) as error:
            raise BadFeatureFile(path, "lists of unequal length where numbers of each tile are wanted") from error
    if tensor.is_complex():
        raise BadFeatureFile(path, "a tensor of complex numbers")
    shape = f"a tensor of shape {tuple(tensor.shape)}"
    require_memory(path, shape, tensor.numel() * max(4, tensor.element_size()), path.stat().st_size, SlideTooLarge)
    try:
        dense = tensor.dequantize() if tensor.is_quantized else tensor
        dense = dense.to_dense() if dense.is_sparse or "strided" not in str(dense.layout) else dense
        return (dense.float() if dense.is_floating_point() else dense).numpy(force=True)
    except (NotImplementedError, RuntimeError, TypeError) as error:
        raise BadFeatureFile(path, "a tensor whose numbers cannot be read") from error


def _two_dimensional(features: NDArray[np.generic], path: Path) -> NDArray[np.float32]:
    features = _drop_single_axis(features)
    if features.dtype.kind not in "fiu":
        raise BadFeatureFile(path, f"features of type {features.dtype}")
    with np.errstate(over="ignore"):  # what becomes infinite is refused
        return np.ascontiguousarray(features, dtype=np.float32)


def _drop_single_axis(array: NDArray[np.generic]) -> NDArray[np.generic]:
    """[N, D] of [1, N, D] and [N, 1, D]."""
    if array.ndim != 3:
        return array
    return array[0] if array.shape[0] == 1 else array[:, 0] if array.shape[1] == 1 else array


def _read_places(coords: NDArray[np.generic] | None, count: int, path: Path) -> NDArray[np.int32]:
    """Top-left corners, also of boxes; coords that are no places in pixels are refused, none are unknown places."""
    if coords is None:
        return np.full((count, 2), UNKNOWN_POSITION, np.int32)
    coords = _drop_single_axis(coords)
    if coords.dtype.kind not in "fiub":
        raise BadFeatureFile(path, f"coords of type {coords.dtype}")
    if coords.shape not in ((count, 2), (count, 4)):
        raise BadFeatureFile(path, f"coords of shape {coords.shape} for {count} features")
    places = coords.astype(np.float64)
    if not (np.abs(places) <= _LARGEST_PLACE).all():  # not of NaN either
        raise BadFeatureFile(path, "coords that are no places in pixels (too large, or NaN)")
    if places.shape[1] == 4 and not _are_boxes(places):
        raise BadFeatureFile(path, "coords of four numbers that are no boxes (x, y and opposite corner, or size)")
    return np.ascontiguousarray(places[:, :2], dtype=np.int32)


def _are_boxes(places: NDArray[np.float64]) -> bool:
    """Whether four numbers are two corners of a tile, or a corner and the one size of all tiles."""
    first, second = places[:, :2], places[:, 2:]
    return bool((second > first).all() or ((second > 0).all() and (second == second[0]).all()))


def _read_weights(weights: NDArray[np.generic] | None, count: int, path: Path) -> NDArray[np.float32]:
    if weights is None:
        return np.ones(count, np.float32)
    flat = weights.reshape(-1)
    if flat.dtype.kind not in "fiu" or len(flat) != count:
        raise BadFeatureFile(path, f"weights of shape {weights.shape} and type {weights.dtype} for {count} features")
    return np.ascontiguousarray(flat, dtype=np.float32)


def _bag(
    features: NDArray[np.float32],
    coords: NDArray[np.generic] | None,
    weights: NDArray[np.generic] | None,
    facts: FeatureFacts,
    encoder: str,
    path: Path,
) -> Bag:
    if features.ndim != 2:
        raise BadFeatureFile(path, f"features of shape {features.shape}, wanted [N, D] with N >= 1")
    return Bag(
        features=features,
        coords=_read_places(coords, len(features), path),
        weights=_read_weights(weights, len(features), path),
        tile_size_level0=facts.tile_size_level0,
        spacing_um_per_px=facts.spacing_um_per_px,
        encoder=encoder,
    )
