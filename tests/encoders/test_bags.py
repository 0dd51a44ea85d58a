"""Bags: cache, feature files, the pooled slide encoder."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoseek.encoders.bag import Bag, BagOrigin, load_bag, load_origin, save_bag
from histoseek.encoders.embedding_space import EmbeddingSpace
from histoseek.encoders.features.feature_files import read_features, write_features
from histoseek.encoders.slide.pooled import MOSAIC_SIZE, encode_bag
from histoseek.errors import BadFeatureFile

ORIGIN = BagOrigin("f1-abc", "recipe", 1000, 800, 0.25)


def make_bag(count: int = 20, dimension: int = 12, seed: int = 0) -> Bag:
    rng = np.random.default_rng(seed)
    return Bag(
        features=rng.standard_normal((count, dimension)).astype(np.float32),
        coords=rng.integers(0, 5000, (count, 2)).astype(np.int32),
        weights=rng.uniform(0.5, 3, count).astype(np.float32),
        tile_size_level0=448,
        spacing_um_per_px=0.5,
        encoder="lite0-1-abc",
    )


def test_cache_gives_back_the_same_bits(tmp_path: Path) -> None:
    bag = make_bag()
    save_bag(bag, ORIGIN, tmp_path / "x.safetensors")
    again = load_bag(tmp_path / "x.safetensors")
    for field in dataclasses.fields(Bag):
        assert np.array_equal(getattr(bag, field.name), getattr(again, field.name))
    assert load_origin(tmp_path / "x.safetensors") == ORIGIN


def test_shares_of_tissue_are_kept_where_there_are_some(tmp_path: Path) -> None:
    bag = dataclasses.replace(make_bag(), tissue=np.linspace(0, 1, 20, dtype=np.float32))
    save_bag(bag, ORIGIN, tmp_path / "x.safetensors")
    assert load_bag(tmp_path / "x.safetensors") == bag
    assert bag.take(np.array([3, 1])).tissue == pytest.approx([3 / 19, 1 / 19])
    for wrong in (np.ones(19), np.full(20, 1.5), np.full(20, np.nan), np.zeros(20)):
        save_bag(dataclasses.replace(bag, tissue=wrong.astype(np.float32)), ORIGIN, tmp_path / "y.safetensors")
        with pytest.raises(BadFeatureFile, match="tissue"):
            load_bag(tmp_path / "y.safetensors")


def test_a_tile_that_is_mostly_glass_is_shown_only_where_there_is_no_other() -> None:
    kinds, centre = np.repeat(np.eye(MOSAIC_SIZE, dtype=np.float32), 5, axis=0), np.zeros(MOSAIC_SIZE, np.float32)
    noise = 1e-3 * np.random.default_rng(5).standard_normal(kinds.shape, np.float32)
    bag = dataclasses.replace(make_bag(len(kinds)), features=kinds + noise)
    plain = encode_bag(bag, centre)
    assert encode_bag(dataclasses.replace(bag, tissue=np.ones(len(bag), np.float32)), centre) == plain
    tissue = np.where(np.arange(len(bag)) % 5 < 2, 0.9, 0.1).astype(np.float32)
    tissue[-5:] = 0.2
    found = encode_bag(dataclasses.replace(bag, tissue=tissue), centre)
    places = {tuple(coords): place for place, coords in enumerate(bag.coords.tolist())}
    shown = {min(tiles) // 5: tiles for tiles in ([places[tuple(c)] for c in p.coords.tolist()] for p in found.parts)}
    assert sorted(shown.pop(MOSAIC_SIZE - 1)) == list(range(len(bag) - 5, len(bag)))
    assert all(sorted(tiles) == [5 * kind, 5 * kind + 1] for kind, tiles in shown.items())
    assert len(shown) == MOSAIC_SIZE - 1
    assert np.array_equal(found.global_vector, plain.global_vector)
    assert {part.vector.tobytes() for part in found.parts} == {part.vector.tobytes() for part in plain.parts}
    mass = sorted(np.bincount(np.arange(len(bag)) // 5, bag.weights * tissue), reverse=True)
    assert [part.share for part in found.parts] == pytest.approx(np.array(mass) / np.sum(mass), rel=1e-5)


def test_altered_or_incomplete_caches_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_bag(make_bag(), ORIGIN, path)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(BadFeatureFile, match="checksum"):
        load_bag(path)
    path.with_suffix(".json").unlink()
    assert load_origin(path) is None
    with pytest.raises(BadFeatureFile):
        load_bag(path)


@pytest.mark.parametrize(
    ("attributes", "edge"),
    [
        ({"patch_size": 256, "patch_size_level0": 512, "target_magnification": 20}, 512),
        ({"patch_size": 256, "patch_level": 0, "downsample": (1.0, 1.0)}, 256),
        ({"patch_size": 256, "patch_level": 1, "downsample": (4.0, 4.0)}, 1024),
        ({"patch_size": 256, "patch_level": 1}, 0),
        ({}, 0),
    ],
)
def test_hdf5_of_trident_and_clam(tmp_path: Path, attributes: dict[str, object], edge: int) -> None:
    features = np.random.default_rng(0).standard_normal((1, 7, 5)).astype(np.float32)
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file["features"] = features
        file["coords"] = np.arange(14).reshape(7, 2)
        file["coords"].attrs.update(attributes)
    bag = read_features(tmp_path / "s.h5", "features:x").bag
    assert np.array_equal(bag.features, features[0])
    assert bag.coords[3].tolist() == [6, 7]
    assert bag.tile_size_level0 == edge


def test_features_written_are_features_read(tmp_path: Path) -> None:
    bag = make_bag()
    write_features(bag, tmp_path / "out.h5")
    again = read_features(tmp_path / "out.h5", "lite0-1-abc").bag
    for field in dataclasses.fields(Bag):
        assert np.array_equal(getattr(bag, field.name), getattr(again, field.name)), field.name


def test_real_pt_bag(shared_data: Path) -> None:
    pytest.importorskip("torch")
    path = next((shared_data / "features").glob("*.pt"))
    bag = read_features(path, "features:conch").bag
    assert bag.features.shape == (1242, 768)
    assert (bag.coords == -1).all()


def test_pt_with_code_in_it_is_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save({"features": Path("/")}, tmp_path / "evil.pt")
    with pytest.raises(BadFeatureFile, match="tensors only"):
        read_features(tmp_path / "evil.pt", "features:x")
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(BadFeatureFile, match="neither"):
        read_features(tmp_path / "list.pt", "features:x")


@pytest.mark.parametrize(
    ("features", "coords", "reason"),
    [
        (np.zeros((0, 4)), None, "N >= 1"),
        (np.zeros(4), None, "N >= 1"),
        (np.full((3, 4), np.nan), None, "NaN"),
        (np.zeros((3, 4)), np.zeros((2, 2)), "coords of shape"),
        (np.array([[b"a"]]), None, "type"),
    ],
)
def test_unusable_hdf5_is_refused(tmp_path: Path, features: np.ndarray, coords: np.ndarray | None, reason: str) -> None:
    with h5py.File(tmp_path / "bad.h5", "w") as file:
        file["features"] = features
        if coords is not None:
            file["coords"] = coords
    with pytest.raises(BadFeatureFile, match=reason):
        read_features(tmp_path / "bad.h5", "features:x")


def test_files_that_are_no_hdf5_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("no")
    with pytest.raises(BadFeatureFile, match="HDF5"):
        read_features(tmp_path / "text.h5", "features:x")


@settings(max_examples=40)
@given(st.integers(1, 60), st.integers(0, 1000))
def test_pooled_slide_embedding(count: int, seed: int) -> None:
    bag = make_bag(count, 12, seed)
    centre = np.full(12, 0.3, np.float32)
    found = encode_bag(bag, centre)
    mean = np.average(bag.features.astype(float) - 0.3, axis=0, weights=bag.weights)
    assert np.allclose(found.global_vector, mean / np.linalg.norm(mean), atol=1e-4)
    assert 1 <= len(found.parts) <= min(count, MOSAIC_SIZE)
    places = {tuple(place) for place in bag.coords.tolist()}
    for part in found.parts:
        assert np.linalg.norm(part.vector) == pytest.approx(1, abs=1e-4)
        assert part.weights.sum() == pytest.approx(1, abs=1e-4)
        assert (np.diff(part.weights) <= 1e-6).all()
        assert {tuple(place) for place in part.coords.tolist()} <= places
    again = encode_bag(bag, centre)
    assert all(np.array_equal(a.vector, b.vector) for a, b in zip(found.parts, again.parts, strict=True))


def test_mosaic_parts_are_the_clusters_of_an_obvious_bag() -> None:
    directions = np.eye(8, dtype=np.float32)[:4] * 5
    kinds = np.repeat(np.arange(4), [10, 6, 3, 1])
    noise = np.random.default_rng(0).normal(0, 1e-6, (20, 8))
    bag = dataclasses.replace(make_bag(20, 8), features=(directions[kinds] + noise).astype(np.float32))
    found = encode_bag(bag, np.zeros(8, np.float32))
    nearest = {int(np.abs(part.vector).argmax()) for part in found.parts}
    assert nearest == {0, 1, 2, 3}


def test_spaces_with_any_difference_have_another_fingerprint() -> None:
    space = EmbeddingSpace("lite0-1", "abc", 224, 0.5, "pooled-1", "ccc", 1280)
    assert space.fingerprint == dataclasses.replace(space).fingerprint
    changes = ({"slide_weights": "ddd"}, {"spacing_um_per_px": 1.0}, {"tile_encoder_weights": "x"}, {"dimension": 3})
    assert len({dataclasses.replace(space, **change).fingerprint for change in changes} | {space.fingerprint}) == 5
