"""Features as raw2features, LazySlide, TIAToolbox, slide2vec and STAMP lay them out, file by file and as archives."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from histoseek import Archive, Recipe
from histoseek.encoders.bag import UNKNOWN_POSITION
from histoseek.encoders.features.confined import find_features, load_features, load_stated_facts
from histoseek.encoders.features.feature_files import FeatureFile
from histoseek.errors import BadFeatureFile, SlideTooLarge

zarr = pytest.importorskip("zarr")

RNG = np.random.default_rng(3)
FEATURES = RNG.normal(size=(6, 8)).astype(np.float32)
PLACES = np.array([[0, 0], [448, 0], [896, 0], [0, 448], [448, 448], [896, 448]], np.int32)


def write_array(path: Path, values: np.ndarray, version: int = 2) -> None:
    zarr.create_array(str(path), shape=values.shape, chunks=values.shape, dtype=values.dtype, zarr_format=version)[
        :
    ] = values


def write_raw2features(
    folder: Path, models: tuple[str, ...] = ("uni",), grids: tuple[str, ...] = ("mpp0.5_px224",), shift: float = 0.0
) -> Path:
    zarr.open_group(str(folder), mode="w", zarr_format=2)
    for key in grids:
        grid = zarr.open_group(str(folder / "grids" / key), mode="w", zarr_format=2)
        zarr.open_group(str(folder / "grids" / key / "features"), mode="w", zarr_format=2)
        grid.attrs["raw2features"] = {
            "schema_version": "0.1",
            "source": {"mpp_level0": 0.25, "level_dimensions": [[4000, 3000]], "level_downsamples": [1.0]},
            "patching": {"target_mpp": 0.5, "achieved_mpp": 0.5, "patch_px": 224, "level0_patch": 448},
        }
        write_array(folder / "grids" / key / "coords", PLACES)
        for number, model in enumerate(models):
            write_array(folder / "grids" / key / "features" / model, (FEATURES + number + shift).astype(np.float16))
    return folder


def write_lazyslide(folder: Path, order: np.ndarray) -> Path:
    """Tiles in one order, their features in another, tied by the number of the tile."""
    zarr.open_group(str(folder), mode="w", zarr_format=2).attrs["tile_spec"] = {
        "tiles": {"width": 224, "height": 224, "mpp": 0.5}
    }
    for part in ("tables", "tables/uni_tiles", "tables/uni_tiles/obs"):
        zarr.open_group(str(folder / part), mode="w", zarr_format=2)
    write_array(folder / "tables" / "uni_tiles" / "X", FEATURES[order])
    write_array(folder / "tables" / "uni_tiles" / "obs" / "tile_id", order.astype(np.int64))
    (folder / "shapes" / "tiles").mkdir(parents=True)
    shapes = [write_rectangle(float(x), float(y), 448.0) for x, y in PLACES]
    pq.write_table(pa.table({"geometry": shapes}), folder / "shapes" / "tiles" / "shapes.parquet")
    return folder


def write_rectangle(x: float, y: float, edge: float) -> bytes:
    """A polygon of one ring in well-known binary."""
    corners = [(x + edge, y), (x + edge, y + edge), (x, y + edge), (x, y), (x + edge, y)]
    flat = [value for corner in corners for value in corner]
    return b"\x01" + struct.pack("<3I", 3, 1, 5) + struct.pack("<10d", *flat)


def write_tiatoolbox(folder: Path) -> Path:
    zarr.open_group(str(folder), mode="w", zarr_format=3)
    write_array(folder / "features", FEATURES, 3)
    write_array(folder / "coordinates", np.column_stack([PLACES // 2, PLACES // 2 + 224]), 3)
    return folder


def write_slide2vec(folder: Path, name: str, suffix: str) -> Path:
    import torch

    for part in ("tile_embeddings", "tiles"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    file = folder / "tile_embeddings" / f"{name}{suffix}"
    if suffix == ".pt":
        torch.save(torch.from_numpy(FEATURES), file)
    else:
        np.savez_compressed(file, features=FEATURES, tile_index=np.arange(6))
    stated = {"artifact_type": "tile_embeddings", "encoder_name": "uni", "tile_size_lv0": 448}
    stated |= {"requested_spacing_um": 0.5, "requested_tile_size_px": 224}
    file.with_suffix(".meta.json").write_text(json.dumps(stated))
    np.savez(folder / "tiles" / f"{name}.coordinates.npz", x=PLACES[:, 0], y=PLACES[:, 1], tile_index=np.arange(6))
    return file


def check(read: FeatureFile, tolerance: float = 0.0) -> None:
    """The features with their places and scale."""
    assert np.allclose(read.bag.features, FEATURES, atol=tolerance)
    assert np.array_equal(read.bag.coords, PLACES)
    assert (read.bag.tile_size_level0, read.bag.spacing_um_per_px) == (448, 0.5)
    assert read.facts.encoder == "uni"


@pytest.mark.parametrize("trust", [True, False])
def test_raw2features(tmp_path: Path, trust: bool) -> None:
    folder = write_raw2features(tmp_path / "a.embeddings.zarr")
    read = load_features(folder, "features:uni", trust)
    check(read, tolerance=2e-3)
    assert (read.width, read.height, read.slide_spacing_um_per_px) == (4000, 3000, 0.25)
    assert load_stated_facts(folder, trust) == read.facts


def test_of_several_encoders_the_named_one_is_read_and_none_is_guessed(tmp_path: Path) -> None:
    folder = write_raw2features(tmp_path / "a.zarr", models=("uni", "virchow2"))
    assert np.allclose(load_features(folder, "features:Virchow2").bag.features, FEATURES + 1, atol=4e-3)
    assert load_stated_facts(folder).encoder == ""
    with pytest.raises(BadFeatureFile, match=r"several encoders, of which one is wanted: uni .*, virchow2"):
        load_features(folder, "features:unnamed")
    with pytest.raises(BadFeatureFile, match="no features by gigapath; it has: uni"):
        load_features(folder, "features:gigapath")


def test_features_at_several_scales_are_refused(tmp_path: Path) -> None:
    folder = write_raw2features(tmp_path / "a.zarr", grids=("mpp0.5_px224", "mpp1_px224"))
    with pytest.raises(BadFeatureFile, match=r"at several scales.*mpp0\.5_px224.*mpp1_px224"):
        load_features(folder, "features:uni")


@pytest.mark.parametrize("trust", [True, False])
def test_lazyslide(tmp_path: Path, trust: bool) -> None:
    order = np.array([3, 0, 5, 1, 4, 2])
    read = load_features(write_lazyslide(tmp_path / "a.zarr", order), "features:uni", trust)
    back = np.argsort(order)
    assert np.array_equal(read.bag.features[back], FEATURES)
    assert np.array_equal(read.bag.coords[back], PLACES)
    assert (read.bag.tile_size_level0, read.bag.spacing_um_per_px, read.facts.encoder) == (448, 0.5, "uni")


def test_tiatoolbox_has_no_places_on_the_slide(tmp_path: Path) -> None:
    read = load_features(write_tiatoolbox(tmp_path / "a.zarr"), "features:uni")
    assert np.array_equal(read.bag.features, FEATURES)
    assert (read.bag.coords == UNKNOWN_POSITION).all()


@pytest.mark.parametrize("trust", [True, False])
@pytest.mark.parametrize("suffix", [".pt", ".npz"])
def test_slide2vec(tmp_path: Path, suffix: str, trust: bool) -> None:
    file = write_slide2vec(tmp_path, "a", suffix)
    check(load_features(file, "features:uni", trust))
    assert load_stated_facts(file, trust).encoder == "uni"
    found = find_features([tmp_path], trust)
    assert found.files == (file,)


def test_stamp_has_places_where_the_spacing_of_the_slide_is_given(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["feats"], file["coords"] = FEATURES, PLACES * 0.25
        file.attrs.update({"unit": "um", "tile_size_um": 112.0, "tile_size_px": 224, "extractor": "uni"})
    check(load_features(tmp_path / "a.h5", "features:uni", None, 0.25))
    unplaced = load_features(tmp_path / "a.h5", "features:uni")
    assert (unplaced.bag.coords == UNKNOWN_POSITION).all()
    assert unplaced.bag.tile_size_level0 == 0


def test_folders_of_other_kinds_are_passed_over(tmp_path: Path) -> None:
    folder = write_raw2features(tmp_path / "a.embeddings.zarr")
    zarr.open_group(str(tmp_path / "picture.ome.zarr"), mode="w").attrs["multiscales"] = []
    found = find_features([tmp_path])
    assert found.files == (folder,)
    assert found.passed_over == {".zarr folders (no feature files)": 1}
    assert find_features([folder]).files == (folder,)


def test_an_archive_of_them_is_searched(tmp_path: Path) -> None:
    for number, name in enumerate("abc"):
        folder = tmp_path / "features" / f"{name}.embeddings.zarr"
        write_raw2features(folder, ("ours", "theirs"), shift=number / 10)
    archive = Archive.create(tmp_path / "x.archive", Recipe(encoder="features:ours"), text_encoder="none")
    report = archive.index([tmp_path / "features"])
    assert (report.added, report.refused) == (3, ())
    ids = sorted(record.slide_id for record in archive.records())
    assert ids == ["a", "b", "c"]
    found = archive.search(like=ids[0], k=2)
    assert sorted(slide.slide_id for slide in found) == ids[1:]


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "grids" / "mpp0.5_px224" / "features" / "uni" / ".zarray").write_text("{"),
        lambda folder: (folder / "grids" / "mpp0.5_px224" / "coords" / "0.0").write_bytes(b"x"),
        lambda folder: (
            write_array(folder / "grids" / "mpp0.5_px224" / "coords2", PLACES)
            or (folder / "grids" / "mpp0.5_px224" / ".zattrs").write_text('{"raw2features": {"source": 3}}')
        ),
        *(
            lambda folder, sizes=sizes: (folder / "grids" / "mpp0.5_px224" / ".zattrs").write_text(
                json.dumps({"raw2features": {"source": {"level_dimensions": sizes}}})
            )
            for sizes in ([[]], "x", [4000])
        ),
    ],
)
def test_damaged_folders_are_refused_in_one_line(tmp_path: Path, damage: Any) -> None:
    folder = write_raw2features(tmp_path / "a.zarr")
    damage(folder)
    for trust in (True, False):
        with pytest.raises(BadFeatureFile) as caught:
            load_features(folder, "features:uni", trust)
        assert "\n" not in str(caught.value)
    load_stated_facts(folder, trust=True)


def test_arrays_of_objects_and_false_sizes_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", features=np.array([{}], object))
    with pytest.raises(BadFeatureFile):
        load_features(tmp_path / "a.npz", "features:uni")
    from io import BytesIO
    from zipfile import ZipFile

    header = BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (2**20, 2**20)})
    with ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("features.npy", header.getvalue())
    with pytest.raises(SlideTooLarge):
        load_features(tmp_path / "b.npz", "features:uni")
