"""Feature files: tensors of every kind, folders that hold them twice, and what they state of how they were made."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import h5py
import numpy as np
import pytest

from histoseek.encoders.features.facts import is_same_encoder, read_facts
from histoseek.encoders.features.feature_files import (
    BARE_COORDINATES,
    SECOND_COPIES,
    discover_features,
    read_features,
    read_stated_facts,
)
from histoseek.encoders.tile.registry import find_tile_card
from histoseek.errors import BadFeatureFile, SlideNotFound, SlideTooLarge

FEATURES = np.random.default_rng(0).normal(size=(12, 8)).astype(np.float32)


def write_h5(path: Path, *, key: str = "features", **attributes: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file[key] = FEATURES
        file["coords"] = np.arange(24).reshape(12, 2)
        file["coords"].attrs.update(attributes)


def write_bare(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file["coords"] = np.arange(24).reshape(12, 2)


def write_pt(path: Path) -> None:
    torch = pytest.importorskip("torch")
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(torch.tensor(FEATURES), path)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_tensors_of_every_kind_are_read(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    plain = torch.tensor(FEATURES)
    sparse = torch.relu(plain)
    path = tmp_path / "a.pt"
    for tensor, tolerance in (
        (plain.clone().requires_grad_(), 0),
        (torch.nn.Parameter(plain), 0),
        (plain.double(), 0),
        (plain.t().contiguous().t(), 0),
        (torch.cat([plain, plain], 1)[:, :8], 0),
        (plain[None], 0),
        (plain.half(), 2e-3),
        (plain.bfloat16(), 2e-2),
        ({"features": torch.nn.Parameter(plain), "coords": torch.arange(24).reshape(12, 2).float()}, 0),
        ({"feats": plain}, 0),
        ({"tile_embeds": plain[:, None], "coords": torch.arange(24).reshape(12, 2)}, 0),
        ({"features": FEATURES, "coords": np.arange(24).reshape(12, 2)}, 0),
        ({"features": plain, "coords": [(2 * row, 2 * row + 1) for row in range(12)]}, 0),
        (FEATURES.astype(np.float64), 0),
        (torch.quantize_per_tensor(plain, 0.01, 0, torch.qint32), 6e-3),
    ):
        torch.save(tensor, path)
        bag = read_features(path, "x").bag
        assert np.abs(bag.features - FEATURES).max() <= tolerance
        if isinstance(tensor, dict) and "coords" in tensor:
            assert bag.coords[3].tolist() == [6, 7]
    for tensor in (sparse.to_sparse(), sparse.to_sparse_csr()):
        torch.save(tensor, path)
        assert np.array_equal(read_features(path, "x").bag.features, np.maximum(FEATURES, 0))


def test_what_holds_no_numbers_is_refused_in_a_line(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    plain = torch.tensor(FEATURES)
    path = tmp_path / "a.pt"
    for content, reason in (
        (torch.complex(plain, plain), "complex"),
        (plain > 0, "type bool"),
        (torch.empty(3, 4, device="meta"), "cannot be read"),
        (plain[0], "N >= 1"),
        ([plain], "neither a tensor"),
        ({"weight": plain}, "neither a tensor"),
        ({"features": [plain]}, "a list"),
        ({"a": plain, "b": plain}, "it has: a, b"),
        ({"features": plain, "coords": torch.zeros(12, 3)}, "coords of shape"),
        ({"features": plain, "coords": [[1, 2], [3]]}, "unequal length"),
        (torch.nn.Linear(2, 2), "tensors only"),
    ):
        torch.save(content, path)
        with pytest.raises(BadFeatureFile, match=reason):
            read_features(path, "x")


@pytest.mark.parametrize("folders", [("h5_files", "pt_files"), (".", "."), ("uni_h5", "uni_pt"), ("h5/a", "pt/a")])
def test_a_slide_in_both_formats_counts_once(tmp_path: Path, folders: tuple[str, str]) -> None:
    for name in ("a", "b"):
        write_h5(tmp_path / folders[0] / f"{name}.h5")
        write_pt(tmp_path / folders[1] / f"{name}.pt")
    write_pt(tmp_path / folders[1] / "c.pt")
    found = discover_features([tmp_path])
    assert sorted(path.name for path in found.files) == ["a.h5", "b.h5", "c.pt"]
    assert found.passed_over == {SECOND_COPIES: 2}
    assert all(path.is_absolute() for path in found.files)


def test_tensors_are_taken_where_the_hdf5_file_has_no_features(tmp_path: Path) -> None:
    write_bare(tmp_path / "h5_files" / "a.h5")
    (tmp_path / "h5_files" / "b.h5").write_text("cut off")
    for name in ("a", "b"):
        write_pt(tmp_path / "pt_files" / f"{name}.pt")
    assert [path.name for path in discover_features([tmp_path]).files] == ["a.pt", "b.pt"]


def test_files_of_coordinates_are_passed_over_beside_features(tmp_path: Path) -> None:
    write_h5(tmp_path / "h5_files" / "a.h5")
    write_bare(tmp_path / "patches" / "a.h5")
    write_bare(tmp_path / "patches" / "b_patches.h5")
    found = discover_features([tmp_path])
    assert [path.name for path in found.files] == ["a.h5"]
    assert found.passed_over == {BARE_COORDINATES: 2}
    alone = discover_features([tmp_path / "patches"])
    assert len(alone.files) == 2  # to be refused by name rather than lost


def test_slides_of_one_name_in_folders_of_other_names_stay_two(tmp_path: Path) -> None:
    write_h5(tmp_path / "site_a" / "1.h5")
    write_pt(tmp_path / "site_b" / "1.pt")
    assert len(discover_features([tmp_path]).files) == 2


def test_paths_are_whole_whatever_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_h5(tmp_path / "f" / "a.h5")
    monkeypatch.chdir(tmp_path)
    for given in (Path("f"), Path("f/a.h5"), Path("f/../f")):
        assert [path.resolve() for path in discover_features([given]).files] == [tmp_path / "f" / "a.h5"]
        assert all(path.is_absolute() for path in discover_features([given]).files)
    with pytest.raises(SlideNotFound):
        discover_features([Path("g")])


@pytest.mark.parametrize(
    ("attributes", "spacing"),
    [
        ({"patch_size": 256, "patch_size_level0": 512, "level0_magnification": 40, "target_magnification": 20}, 0.5),
        ({"patch_size": 256, "patch_size_level0": 1024, "level0_magnification": 40}, 1.0),
        ({"patch_level": 1, "downsample": (4.0, 4.0), "level0_mpp": 0.25}, 1.0),
        ({"patch_level": 0, "level0_mpp": 0.25}, 0.25),
        ({"unit": "um", "tile_size_um": 256.0, "tile_size_px": 512}, 0.5),
        ({"resolution": 0.5, "units": "mpp"}, 0.5),
        ({"resolution": 20, "units": "power"}, 0.5),
        ({"magnification": "10x"}, 1.0),
        ({"magnification": np.bytes_(b"20X")}, 0.5),
        ({"mpp": 0.5}, 0.5),
        ({"mpp": "0.25", "downsample": 2}, 0.5),
        ({"spacing": np.array([2.0])}, 2.0),
        ({"objective_power": 40, "downsample": 4}, 1.0),
        ({"patch_size": 256, "patch_level": 1, "downsample": 4}, 0.0),
        ({"mpp": float("nan"), "magnification": -1, "spacing": "unknown"}, 0.0),
        ({}, 0.0),
    ],
)
def test_the_scale_of_tiles_in_the_words_of_many_tools(attributes: dict[str, object], spacing: float) -> None:
    assert read_facts(attributes).spacing_um_per_px == pytest.approx(spacing)


def test_the_encoder_is_what_an_attribute_says(tmp_path: Path) -> None:
    assert read_facts({"encoder": "features:conch"}).encoder == "conch"
    assert read_facts({"extractor": b"ctranspath", "name": "slide_1"}).encoder == "ctranspath"
    assert read_facts({"name": "slide_1", "encoder": "features:unnamed"}).encoder == ""
    assert is_same_encoder("UNI_v1", "uni-v1")
    assert is_same_encoder("lite0-1-0123abcd", "lite0")
    assert not is_same_encoder("uni2", "uni")
    assert not is_same_encoder("uni-v2", "uni")


def test_trident_says_its_encoder_in_its_folders(tmp_path: Path) -> None:
    folder = tmp_path / "20x_256px_0px_overlap" / "features_uni_v1"
    write_h5(folder / "a.h5")
    write_pt(folder / "b.pt")
    write_h5(folder / "c.h5", target_magnification=10, encoder="conch")
    facts = {name: read_stated_facts(folder / name) for name in ("a.h5", "b.pt", "c.h5")}
    assert [(f.encoder, f.spacing_um_per_px) for f in facts.values()] == [
        ("uni_v1", 0.5),
        ("uni_v1", 0.5),
        ("conch", 1.0),
    ]
    assert [read_features(folder / name, "x").facts for name in facts] == list(facts.values())
    write_h5(tmp_path / "features_train" / "a.h5")
    assert read_stated_facts(tmp_path / "features_train" / "a.h5").encoder == ""


def test_features_of_stamp_have_no_places_in_px(tmp_path: Path) -> None:
    write_h5(tmp_path / "a.h5", key="feats", unit="um", tile_size_um=256.0, tile_size_px=224)
    features = read_features(tmp_path / "a.h5", "x")
    assert np.array_equal(features.bag.features, FEATURES)
    assert (features.bag.coords == -1).all()
    assert features.bag.tile_size_level0 == 0
    assert features.bag.spacing_um_per_px == pytest.approx(256 / 224)


def write_arrays(path: Path, **arrays: object) -> None:
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array


@pytest.mark.parametrize("name", ["feature", "embeddings", "tile_embeds", "patch_features"])
def test_features_under_names_of_the_same_meaning(tmp_path: Path, name: str) -> None:
    write_arrays(tmp_path / "a.h5", **{name: FEATURES[:, None], "coordinates": np.arange(24).reshape(12, 1, 2)})
    bag = read_features(tmp_path / "a.h5", "x").bag
    assert np.array_equal(bag.features, FEATURES)
    assert bag.coords[3].tolist() == [6, 7]


def test_places_may_be_boxes_and_never_what_cannot_be_a_place(tmp_path: Path) -> None:
    corners = np.arange(24).reshape(12, 2) * 256.0
    path = tmp_path / "a.h5"
    for boxes in (np.hstack([corners, corners + 256]), np.hstack([corners, np.full((12, 2), 256)])):
        write_arrays(path, features=FEATURES, coords=boxes)
        assert np.array_equal(read_features(path, "x").bag.coords, corners)
    bad, rows = corners.copy(), np.hstack([corners, np.zeros((12, 2))])
    bad[3, 0] = np.nan
    for coords, reason in (
        (bad, "no places"),
        (corners + 2.0**33, "no places"),
        (rows, "no boxes"),
        (corners.astype("S4").view("S8"), "coords of type"),
        (np.full((12, 2), b"left"), "coords of type"),
    ):
        write_arrays(path, features=FEATURES, coords=coords)
        with pytest.raises(BadFeatureFile, match=reason):
            read_features(path, "x")


@pytest.mark.parametrize(
    "weights", [np.ones(13), np.full(12, np.nan), -np.ones(12), np.zeros(12), np.full(12, np.inf), np.full(12, b"a")]
)
def test_weights_that_weigh_nothing_are_refused(tmp_path: Path, weights: np.ndarray) -> None:
    path = tmp_path / "a.h5"
    write_arrays(path, features=FEATURES, weights=weights)
    with pytest.raises(BadFeatureFile, match="weights"):
        read_features(path, "x")
    write_arrays(path, features=FEATURES, weights=np.ones((12, 1)))
    assert read_features(path, "x").bag.weights.shape == (12,)


def test_a_group_is_no_dataset_and_other_endings_are_named(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.h5", **{"features/uni": FEATURES, "features/coords": np.zeros((12, 2))})
    with pytest.raises(BadFeatureFile, match="no dataset 'features'"):
        read_features(tmp_path / "a.h5", "x")
    np.save(tmp_path / "a.npy", FEATURES)
    with pytest.raises(BadFeatureFile, match=r"'\.npy', wanted \.h5"):
        read_features(tmp_path / "a.npy", "x")


def test_tensors_state_their_facts_in_any_format_and_as_tensors(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    content = {"features": torch.tensor(FEATURES), "encoder": "uni_v1", "target_mpp": torch.tensor([0.5])}
    for newer in (True, False):
        torch.save(content, tmp_path / "a.pt", _use_new_zipfile_serialization=newer)
        facts = read_stated_facts(tmp_path / "a.pt")
        assert (facts.encoder, facts.spacing_um_per_px) == ("uni_v1", 0.5)
        assert read_features(tmp_path / "a.pt", "x").facts == facts


def test_impossible_sizes_are_none() -> None:
    assert read_facts({"patch_size_level0": 1e30, "patch_size": 1e300}).tile_size_level0 == 0
    assert read_facts({"patch_size": 256, "downsample": 1e30}).tile_size_level0 <= 2**20


def test_a_pickle_of_millions_of_steps_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "steps.pt"
    with ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + b"]" * 9_000_000 + b".")
        archive.writestr("archive/version", b"3\n")
    with pytest.raises(SlideTooLarge, match="a pickle of 9,000,003 bytes"):
        read_features(path, "features:x")


@pytest.mark.parametrize(
    ("stated", "card"),
    [("uni_v1", "uni"), ("UNI2", "uni2_h"), ("conch_v15", "conch_v1_5"), ("hoptimus0", "h_optimus_0")],
)
def test_encoders_are_known_by_the_names_of_other_tools(stated: str, card: str) -> None:
    assert find_tile_card(card).name == card
    assert is_same_encoder(stated, card)
    assert is_same_encoder(f"{stated}-1-0123456789abcdef", card)
    assert not is_same_encoder(stated, "virchow")
