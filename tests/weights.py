"""Small weights and feature archives for tests."""

from __future__ import annotations

import csv
from pathlib import Path

import h5py
import numpy as np

from histoseek.encoders.slide.base import Architecture
from histoseek.encoders.slide.fgcr.architecture import FgcrArchitecture
from histoseek.encoders.slide.pathsearch.architecture import PathSearchArchitecture
from histoseek.encoders.slide.registry import find_family
from histoseek.encoders.weights import FeatureSpace, TextPart, Weights, WeightsCard

SMALL = PathSearchArchitecture(input_dimension=24, dimension=32, mosaic_size=4, heads=4, gate_dimension=8)
SMALL_FGCR = FgcrArchitecture(
    input_dimension=24,
    dimension=16,
    mosaic_size=12,
    depth=2,
    heads=2,
    head_dimension=8,
    mlp_dimension=24,
    scales=(4, 9, 20),
)


def slide_tensors(architecture: Architecture, seed: int = 0) -> dict[str, np.ndarray]:
    """The tensors of an untrained slide network, under their published names."""
    import torch

    torch.manual_seed(seed)
    network = find_family(architecture.family).network(architecture)
    return {f"visual.{name}": value.numpy().copy() for name, value in network.state_dict().items()}


def small_weights(
    seed: int = 0,
    mode: str | None = None,
    *,
    texts: bool = False,
    name: str = "small",
    architecture: Architecture = SMALL,
) -> Weights:
    """Weights of a small network, with a projection of MiniLM's vectors into its space if asked for; mode: the last of
    its family's unless given."""
    tensors = slide_tensors(architecture, seed)
    if texts:
        rng, dimension = np.random.default_rng(seed), architecture.dimension
        tensors["text_projection.weight"] = rng.standard_normal((dimension, 384)).astype(np.float32)
        tensors["text_projection.bias"] = rng.standard_normal(dimension).astype(np.float32)
    card = WeightsCard(
        name=name,
        architecture=architecture,
        mode=mode or find_family(architecture.family).modes[-1],
        features=FeatureSpace("test"),
        text=TextPart("minilm", 384) if texts else None,
        data="random numbers",
        licence="Apache-2.0",
        source="a test",
        seed=seed,
        version="0",
        created="2026-01-01T00:00:00+00:00",
    )
    return Weights.from_tensors(card, tensors)


def write_features(folder: Path, count: int, tiles: int = 30, dimension: int = 24, seed: int = 0) -> Path:
    """A folder of feature files, slide-00.h5 and so on, tiles on a 6-column grid of 448 px."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for number in range(count):
        with h5py.File(folder / f"slide-{number:02d}.h5", "w") as file:
            file["features"] = rng.standard_normal((tiles, dimension)).astype(np.float32)
            file["coords"] = np.array([(448 * (i % 6), 448 * (i // 6)) for i in range(tiles)])
            file["coords"].attrs["patch_size_level0"] = 448
    return folder


def write_table(path: Path, rows: list[dict[str, object]]) -> Path:
    """A CSV of rows with the same columns."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path
