"""The PathSearch encoder: bags in, embeddings out."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from histoseek.encoders.bag import UNKNOWN_POSITION, Bag
from histoseek.encoders.features.feature_files import read_features
from histoseek.encoders.slide.base import TILES_KEPT
from histoseek.encoders.slide.batches import BagBatch, cells_of
from histoseek.encoders.slide.pathsearch.architecture import Mode, PathSearchArchitecture
from histoseek.encoders.slide.pathsearch.encoder import PathSearchEncoder
from histoseek.encoders.slide.pathsearch.network import PathSearchNetwork
from histoseek.errors import EncoderError

SMALL = PathSearchArchitecture(input_dimension=12, dimension=32, mosaic_size=4, heads=4, gate_dimension=8)
MODES: tuple[Mode, ...] = ("reference", "masked")


def make_bag(count: int, dimension: int = 12) -> Bag:
    rng = np.random.default_rng(count)
    places = rng.permutation(900)[:count]
    return Bag(
        features=rng.standard_normal((count, dimension)).astype(np.float32),
        coords=np.stack([places % 30, places // 30], axis=1).astype(np.int32) * 448 + 1000,
        weights=np.ones(count, np.float32),
        tile_size_level0=448,
        spacing_um_per_px=0.5,
        encoder="lite0-1-abc",
    )


def encoder_of(mode: Mode, architecture: PathSearchArchitecture = SMALL) -> PathSearchEncoder:
    torch.manual_seed(5)
    return PathSearchEncoder("trained-1", mode, PathSearchNetwork(architecture))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("count", [1, 2, 9, 300])
def test_embedding_of_a_bag(mode: Mode, count: int) -> None:
    encoder, bag = encoder_of(mode), make_bag(count)
    embedding = encoder.encode(bag)
    assert (encoder.name, encoder.input_dimension, encoder.dimension) == ("trained-1", 12, 32)
    assert embedding.global_vector.shape == (32,)
    assert embedding.global_vector.dtype == np.float32
    assert np.linalg.norm(embedding.global_vector) == pytest.approx(1, abs=1e-5)
    assert len(embedding.parts) == 4
    assert sum(part.share for part in embedding.parts) == pytest.approx(1, abs=1e-5)
    for part in embedding.parts:
        assert np.linalg.norm(part.vector) == pytest.approx(1, abs=1e-5)
        assert part.coords.shape == (min(count, TILES_KEPT), 2)
        assert part.coords.dtype == np.int32
        assert part.weights.dtype == np.float32
        assert part.weights.sum() == pytest.approx(1, abs=1e-5)
        assert (np.diff(part.weights) <= 0).all()


def test_parts_name_the_tiles_that_carry_most() -> None:
    torch.manual_seed(5)
    network = PathSearchNetwork(SMALL).eval()
    bag = make_bag(300)
    with torch.no_grad():
        vectors = network(
            BagBatch(
                torch.from_numpy(bag.features)[None],
                torch.from_numpy(cells_of(bag))[None],
                torch.ones(1, 300, dtype=torch.bool),
            )
        )
    embedding = PathSearchEncoder("x", "masked", network).encode(bag)
    for part, weights in zip(embedding.parts, vectors.tile_weights[0].numpy(), strict=True):
        order = sorted(range(300), key=lambda tile: -weights[tile])[:TILES_KEPT]
        assert part.coords.tolist() == bag.coords[order].tolist()
        np.testing.assert_allclose(part.weights, weights[order] / weights[order].sum(), rtol=1e-4)


def test_cells_are_columns_and_rows_of_the_tile_grid() -> None:
    bag = replace(make_bag(3), coords=np.array([[1000, 448], [1440, 0], [1902, 0]], np.int32))
    assert cells_of(bag).tolist() == [[0, 1], [1, 0], [2, 0]]
    assert cells_of(bag).dtype == np.int64


@pytest.mark.parametrize("size", [0, 448])
def test_tiles_without_a_place_lie_on_a_square(size: int) -> None:
    bag = make_bag(5)
    coords = np.full((5, 2), UNKNOWN_POSITION, np.int32) if size else bag.coords
    wanted = [[0, 0], [1, 0], [2, 0], [0, 1], [1, 1]]
    assert cells_of(replace(bag, coords=coords, tile_size_level0=size)).tolist() == wanted


def test_a_few_tiles_far_apart() -> None:
    bag = make_bag(20)
    far = (np.random.default_rng(0).integers(0, 2**31 - 1, (20, 2))).astype(np.int32)
    embedding = encoder_of("masked").encode(replace(bag, coords=far, tile_size_level0=1))
    assert np.isfinite(embedding.global_vector).all()


def test_features_of_another_dimension_are_refused() -> None:
    with pytest.raises(EncoderError, match="dimension 12, these have 7"):
        encoder_of("masked").encode(make_bag(5, dimension=7))


@pytest.mark.parametrize("mode", MODES)
def test_real_bag_twice_the_same(shared_data: Path, mode: Mode) -> None:
    path = next((shared_data / "features").glob("*.pt"))
    bag = read_features(path, "conch").bag
    encoder = encoder_of(mode, PathSearchArchitecture())
    one, two = encoder.encode(bag), encoder.encode(bag)
    assert bag.features.shape == (1242, 768)
    assert len(one.parts) == 16
    assert np.isfinite(one.global_vector).all()
    assert np.array_equal(one.global_vector, two.global_vector)
    for first, second in zip(one.parts, two.parts, strict=True):
        assert np.array_equal(first.vector, second.vector)
        assert np.array_equal(first.weights, second.weights)


@pytest.mark.parametrize("package", ["torch", "nystrom_attention"])
def test_missing_package_says_how_to_get_it(package: str) -> None:
    code = f"import sys; sys.modules[{package!r}] = None; import histoseek.encoders.slide.pathsearch.network"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    wanted = f"{package.replace('_', '-')}: is not installed. Install it with: pip install 'histoseek[train]'"
    assert wanted in run.stderr
