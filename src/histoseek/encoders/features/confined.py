"""Feature files that another process reads, which may do little else (docs/decisions/0049)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from histoseek.bounds import require_memory
from histoseek.encoders.bag import Bag, check_bag, check_slide_vector
from histoseek.encoders.features.facts import FeatureFacts
from histoseek.encoders.features.feature_files import (
    TENSORS,
    FeatureFile,
    FeatureFolder,
    discover_features,
    list_datasets,
    read_features,
    read_stated_facts,
)
from histoseek.encoders.features.slide2vec_files import find_places_folder
from histoseek.encoders.features.slide_features import SlideFeatures, read_slide_features
from histoseek.errors import BadFeatureFile, SlideTooLarge
from histoseek.sandbox.error_replies import parse_error
from histoseek.sandbox.failures import ChildError
from histoseek.sandbox.forks import ForkedProcess, can_fork
from histoseek.sandbox.readings import borrow_process
from histoseek.settings import choose_trust

_HANDLER = "histoseek.encoders.features.confined_process"
_PLACE_BYTES = 12
"""What the place and the weight of one tile take."""

_UNREADABLE = "it could not be read"

_Count = Annotated[int, Field(ge=0, le=2**31 - 1)]


@dataclass(frozen=True, slots=True)
class FeatureDescription:
    """What a process says of a feature file before it sends the arrays."""

    rows: _Count
    columns: _Count
    tile_size_level0: Annotated[int, Field(ge=0, le=2**31 - 1)]
    spacing_um_per_px: float
    encoder: Annotated[str, Field(max_length=1000)]
    width: _Count
    height: _Count
    slide_spacing_um_per_px: float
    facts: FeatureFacts


@dataclass(frozen=True, slots=True)
class SlideFeatureDescription:
    """What a process says of a file of slide features before it sends them."""

    slide_ids: tuple[Annotated[str, Field(max_length=1000)], ...]
    columns: _Count
    encoder: Annotated[str, Field(max_length=1000)]


def load_features(
    path: Path, encoder: str, trust: bool | None = None, slide_spacing_um_per_px: float | None = None
) -> FeatureFile:
    """As `read_features`, in another process unless its files are trusted (None: as the settings say).

    Raises BadFeatureFile, MissingExtra.
    """
    if _reads_here(trust):
        return read_features(path, encoder, slide_spacing_um_per_px)
    spacing = str(slide_spacing_um_per_px or "")
    request = {"kind": "read", "path": str(path.absolute()), "encoder": encoder, "spacing": spacing}
    with _borrow(path) as process:
        description = _parse(FeatureDescription, _ask(process, path, request), path)
        what = f"features of shape ({description.rows}, {description.columns})"
        require_memory(path, what, description.rows * (description.columns * 4 + _PLACE_BYTES), kind=SlideTooLarge)
        bag = Bag(
            features=_receive(process, path, "features", (description.rows, description.columns), np.float32),
            coords=_receive(process, path, "coords", (description.rows, 2), np.int32),
            weights=_receive(process, path, "weights", (description.rows,), np.float32),
            tile_size_level0=description.tile_size_level0,
            spacing_um_per_px=description.spacing_um_per_px,
            encoder=description.encoder,
        )
    check_bag(bag, path)
    return FeatureFile(
        bag, description.width, description.height, description.slide_spacing_um_per_px, description.facts
    )


def load_slide_features(path: Path, trust: bool | None = None) -> SlideFeatures:
    """As `read_slide_features`, in another process unless the file is trusted."""
    if _reads_here(trust):
        return read_slide_features(path)
    with borrow_process(path, _HANDLER, "h5py") as process:
        request = {"kind": "slide features", "path": str(path.absolute())}
        described = _parse(SlideFeatureDescription, _ask(process, path, request), path)
        shape = (len(described.slide_ids), described.columns)
        require_memory(path, f"slide features of shape {shape}", shape[0] * shape[1] * 4, kind=SlideTooLarge)
        vectors = _receive(process, path, "vectors", shape, np.float32)
    for vector in vectors:
        check_slide_vector(vector, path)
    return SlideFeatures(described.slide_ids, vectors, described.encoder)


def load_stated_facts(path: Path, trust: bool | None = None) -> FeatureFacts:
    """As `read_stated_facts`, in another process unless the file is trusted."""
    if _reads_here(trust):
        return read_stated_facts(path)
    with _borrow(path) as process:
        header = _ask(process, path, {"kind": "facts", "path": str(path.absolute())})
        return _parse(FeatureFacts, header, path)


def find_features(paths: Sequence[Path], trust: bool | None = None) -> FeatureFolder:
    """As `discover_features`; files are looked into in another process unless they are trusted."""
    return discover_features(paths, list_datasets if _reads_here(trust) else _list_datasets)


def _list_datasets(path: Path) -> list[str]:
    """The datasets of an HDF5 file; nothing where it cannot be read."""
    try:
        with _borrow(path) as process:
            return _parse(list[str], _ask(process, path, {"kind": "datasets", "path": str(path.absolute())}), path)
    except BadFeatureFile:
        return []


def _reads_here(trust: bool | None) -> bool:
    return choose_trust(trust) or not can_fork()


def _borrow(path: Path) -> Any:
    library = "torch" if path.suffix.lower() in TENSORS else "h5py"
    return borrow_process(path, _HANDLER, library, beside=find_places_folder(path))


def _ask(process: ForkedProcess, path: Path, request: dict[str, str], into: memoryview | None = None) -> bytes:
    """The header of a reply that is no error; raises BadFeatureFile, MissingExtra."""
    try:
        header, _ = process.ask(request, into)
    except ChildError as error:
        raise BadFeatureFile(path, error.reason) from error
    if header.startswith(b'{"error"'):
        raise parse_error(header, str(path), partial(BadFeatureFile, path))
    return header


def _receive(process: ForkedProcess, path: Path, name: str, shape: tuple[int, ...], dtype: type) -> NDArray[Any]:
    array: NDArray[Any] = np.empty(shape, dtype)
    header = _ask(process, path, {"kind": "array", "name": name}, array.reshape(-1).view(np.uint8).data)
    if header != json.dumps(name).encode():
        raise BadFeatureFile(path, _UNREADABLE)
    return array


def _parse(kind: Any, header: bytes, path: Path) -> Any:
    try:
        return _get_adapter(kind).validate_python(json.loads(header))
    except (ValidationError, ValueError, RecursionError) as error:
        raise BadFeatureFile(path, _UNREADABLE) from error


@lru_cache(maxsize=4)
def _get_adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
