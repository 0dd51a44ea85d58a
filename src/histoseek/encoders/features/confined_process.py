"""What a confined process does with feature files. Only ever imported where processes are forked from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
from numpy.typing import NDArray

from histoseek.encoders.features.feature_files import FeatureFile, list_datasets, read_features, read_stated_facts
from histoseek.encoders.features.slide_features import SlideFeatures, read_slide_features
from histoseek.zarr_arrays import load_decoders

_PRELOADED = (load_decoders(), pyarrow.parquet)
"""What a confined process can't load any more."""

_ARRAYS = {"features": np.float32, "coords": np.int32, "weights": np.float32}


class FeatureHandler:
    """Answers requests about feature files; the arrays of the last one that was read are sent one by one."""

    def __init__(self) -> None:
        self._arrays: dict[str, NDArray[Any]] = {}

    def __call__(self, header: bytes) -> tuple[bytes, bytes | memoryview]:
        """A reply: what a file states, or an array, or an error."""
        request = json.loads(header)
        if request["kind"] == "array":
            name = request["name"]
            return json.dumps(name).encode(), self._arrays.pop(name).reshape(-1).view(np.uint8).data
        return json.dumps(self._look(request)).encode(), b""

    def _look(self, request: Mapping[str, str]) -> object:
        path = Path(request["path"])
        if request["kind"] == "datasets":
            return list_datasets(path)
        if request["kind"] == "facts":
            return asdict(read_stated_facts(path))
        if request["kind"] == "slide features":
            return self._keep(read_slide_features(path))
        spacing = float(request["spacing"]) if request["spacing"] else None
        return self._read(read_features(path, request["encoder"], spacing))

    def _keep(self, features: SlideFeatures) -> dict[str, object]:
        self._arrays = {"vectors": features.vectors}
        return {
            "slide_ids": features.slide_ids,
            "columns": features.vectors.shape[1],
            "encoder": features.encoder,
        }

    def _read(self, features: FeatureFile) -> dict[str, object]:
        bag = features.bag
        self._arrays = {name: np.ascontiguousarray(getattr(bag, name), kind) for name, kind in _ARRAYS.items()}
        return {
            "rows": len(bag),
            "columns": bag.features.shape[1],
            "tile_size_level0": bag.tile_size_level0,
            "spacing_um_per_px": bag.spacing_um_per_px,
            "encoder": bag.encoder,
            "width": features.width,
            "height": features.height,
            "slide_spacing_um_per_px": features.slide_spacing_um_per_px,
            "facts": asdict(features.facts),
        }


def create_handler(arguments: Mapping[str, str | float | None]) -> FeatureHandler:
    """What answers the requests of a process."""
    return FeatureHandler()
