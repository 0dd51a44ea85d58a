"""Vectors of whole slides that other tools made, from HDF5, `.pt` and `.pkl`: a file a slide, or one file of many.

A file a slide: a vector [D] or [1, D], in HDF5 as dataset `features` (or a name of the same meaning), in the others by
itself or under such a name; the slide's id is the file's stem. Many in one: HDF5 with a dataset for each slide, a dict
of vectors by slide, or a dict with `embeds` [n, D] and `filenames`. Pickles are read without being run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from histoseek.bounds import MOST_NAMED_PARTS, describe_exhaustion, refusing_exhaustion
from histoseek.encoders.bag import check_slide_vector
from histoseek.encoders.features.hdf5_datasets import find_datasets, read_attributes, read_dataset
from histoseek.encoders.pickled_tensors import read_pickled
from histoseek.equality import EqualByContent
from histoseek.errors import BadFeatureFile, HistoseekError, NoSlidesFound, SlideNotFound, SlideTooLarge

SUFFIXES = (".h5", ".hdf5", ".pt", ".pth", ".pkl", ".pickle")

_HDF5 = (".h5", ".hdf5")
_VECTORS = (
    *("features", "slide_features", "slide_embedding", "slide_embeddings", "embedding", "embeddings", "embeds"),
    *("feature", "feats", "wsi_feature", "WSI_feature", "image_embedding", "last_layer_embed"),
)
_PLACES = ("coords", "coordinates")
_IDS = ("filenames", "slide_ids", "slide_id", "ids", "names")
_ENCODERS = ("slide_encoder", "slide_encoder_name", "encoder", "encoder_name", "model_name", "model")
_FOLDER = re.compile(r"slide_features_(?P<encoder>.+)")
"""How TRIDENT names the folder of an encoder's files, which name it nowhere else."""

_LONGEST_NAME = 200
_MOST_NUMBERS = 65_536

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class SlideFeatures(EqualByContent):
    """What a file holds: ids of slides and their vectors float32 [n, D]; encoder: of slides, as the file or its folder
    states it, "" where neither does."""

    slide_ids: tuple[str, ...]
    vectors: Floats
    encoder: str = ""

    def find(self, slide_id: str) -> Floats | None:
        """The vector of a slide, None without one."""
        return self.vectors[self.slide_ids.index(slide_id)] if slide_id in self.slide_ids else None


def discover_slide_features(path: Path) -> tuple[Path, ...]:
    """The files of a folder and its folders, sorted, or the one file; raises SlideNotFound, NoSlidesFound."""
    if not path.exists():
        raise SlideNotFound(path)
    if not path.is_dir():
        return (path.absolute(),)
    found = sorted(file for file in path.absolute().rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
    if not found:
        raise NoSlidesFound(path, f"no slide features ({', '.join(SUFFIXES)})")
    return tuple(found)


def read_slide_features(path: Path) -> SlideFeatures:
    """The vectors of a file; raises BadFeatureFile, SlideTooLarge."""
    if path.suffix.lower() not in SUFFIXES:
        raise BadFeatureFile(path, f"a file '{path.suffix}', wanted {', '.join(SUFFIXES)}")
    with refusing_exhaustion(lambda reason: BadFeatureFile(path, reason)):
        values, encoder = _read_hdf5(path) if path.suffix.lower() in _HDF5 else _read_pickle(path)
    rows = {slide_id: _as_vector(value, path) for slide_id, value in values.items()}
    if not rows:
        raise BadFeatureFile(path, "no slide features in it")
    dimensions = sorted({len(row) for row in rows.values()})
    if len(dimensions) > 1:
        raise BadFeatureFile(path, f"slide features of several dimensions ({', '.join(map(str, dimensions[:3]))})")
    return SlideFeatures(tuple(rows), np.stack(list(rows.values())), encoder or _read_folder(path))


def _read_hdf5(path: Path) -> tuple[Mapping[str, object], str]:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            datasets = find_datasets(file, islice(file, MOST_NAMED_PARTS), path)
            known = next((name for name in _VECTORS if name in datasets), None)
            others = {name: dataset for name, dataset in datasets.items() if name not in _PLACES}
            chosen = {path.stem: datasets[known]} if known else others
            for dataset in chosen.values():
                _require_vector(dataset.shape, dataset.dtype, path)
            values = {_name(key): read_dataset(dataset, _name(key), path) for key, dataset in chosen.items()}
            return values, _read_encoder(read_attributes((file, *chosen.values())))
    except HistoseekError:
        raise
    except (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError) as error:
        raise BadFeatureFile(path, describe_exhaustion(error) or "not a readable HDF5 file") from error


def _read_pickle(path: Path) -> tuple[Mapping[str, object], str]:
    try:
        content = read_pickled(path, SlideTooLarge)
    except (EOFError, OSError, ValueError) as error:
        raise BadFeatureFile(path, f"not read: {str(error)[:_LONGEST_NAME] or type(error).__name__}") from error
    if not isinstance(content, dict):
        return {path.stem: content}, ""
    encoder = _read_encoder(content)
    known = next((name for name in _VECTORS if name in content), None)
    ids = next((content[name] for name in _IDS if name in content), None)
    if known is None:
        return {_name(key): value for key, value in content.items() if isinstance(value, np.ndarray | list)}, encoder
    if ids is None or isinstance(ids, str):
        return {path.stem: content[known]}, encoder
    return _pair(ids, content[known], path), encoder


def _pair(ids: object, vectors: object, path: Path) -> dict[str, object]:
    """Rows by the ids of their slides, which are often names of files."""
    names = [_name(each) for each in np.asarray(ids).reshape(-1).tolist()]
    rows = np.asarray(vectors)
    if rows.ndim < 2 or len(rows) != len(names) or len(set(names)) < len(names):
        raise BadFeatureFile(path, f"slide features of shape {rows.shape} for {len(set(names))} slides")
    return dict(zip(names, rows, strict=True))


def _name(key: object) -> str:
    """A slide's id from a key or a file's name: without folders and without the ending of a file of ours or a slide."""
    text = key.decode("utf-8", "replace") if isinstance(key, bytes) else str(key)
    name = PurePath(text[:_LONGEST_NAME]).name
    return name[: -len(PurePath(name).suffix)] if PurePath(name).suffix.lower() in _ENDINGS else name


_ENDINGS = (*SUFFIXES, ".svs", ".tif", ".tiff", ".ndpi", ".mrxs", ".scn", ".bif", ".czi", ".vms", ".zarr", ".npy")


def _as_vector(value: object, path: Path) -> Floats:
    """[D] of [D] and [1, D]."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise BadFeatureFile(path, "lists of unequal length where a slide feature is wanted") from error
    _require_vector(array.shape, array.dtype, path)
    array = array.reshape(-1)
    with np.errstate(over="ignore"):  # what becomes infinite is refused
        vector = np.ascontiguousarray(array, dtype=np.float32)
    check_slide_vector(vector, path)
    return vector


def _require_vector(shape: tuple[int, ...], dtype: np.dtype[np.generic], path: Path) -> None:
    if dtype.kind not in "fiu" or len(shape) not in (1, 2) or any(length != 1 for length in shape[:-1]):
        raise BadFeatureFile(path, f"a slide feature of shape {shape} and type {dtype}, wanted [D] or [1, D]")
    if shape[-1] > _MOST_NUMBERS:
        raise BadFeatureFile(path, f"a slide feature of {shape[-1]} numbers, at most {_MOST_NUMBERS} can be one")


def _read_encoder(attributes: Mapping[str, object] | Mapping[object, object]) -> str:
    stated: Sequence[object] = [attributes.get(name) for name in _ENCODERS]
    texts = (value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in stated)
    return next((text.strip()[:_LONGEST_NAME] for text in texts if isinstance(text, str) and text.strip()), "")


def _read_folder(path: Path) -> str:
    names = (path.absolute().parent.name, path.stem)
    return next((match["encoder"] for name in names if (match := _FOLDER.fullmatch(name))), "")
