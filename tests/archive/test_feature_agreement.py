"""Archives of feature files: features of one encoder and one scale, named, verified from any folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import pytest

from histoseek.api import Archive
from histoseek.encoders.recipe import Recipe
from histoseek.errors import OtherFeatures
from tests.cli.process import histoseek

TWENTY = {"target_magnification": 20, "patch_size": 256}
TEN = {"target_magnification": 10, "patch_size": 256}


def write(path: Path, attributes: Mapping[str, object], dimension: int = 8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = sum(map(ord, path.stem))
    with h5py.File(path, "w") as file:
        file["features"] = np.random.default_rng(seed).normal(size=(30, dimension)).astype(np.float32)
        file["coords"] = np.arange(60).reshape(30, 2)
        file["coords"].attrs.update(attributes)


def fill(folder: Path, **of_files: Mapping[str, object]) -> Path:
    for name, attributes in of_files.items():
        write(folder / f"{name}.h5", attributes)
    return folder


def make_archive(path: Path, encoder: str = "features:ours") -> Archive:
    return Archive.create(path, Recipe(encoder=encoder), text_encoder="none")


def test_features_of_another_scale_are_refused_with_numbers(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "archive")
    report = archive.index([fill(tmp_path / "f", a=TWENTY, b=TWENTY, c={"mpp": 0.46}, odd=TEN, silent={})])
    assert report.added == 4
    assert [refusal.error for refusal in report.refused] == ["OtherFeatures"]
    reason = report.refused[0].reason
    assert "odd.h5" in reason
    assert "tiles at 1 µm/px (10x), the archive's of 0.5 µm/px (20x)" in reason


def test_a_later_run_keeps_the_scale_and_the_encoder_of_the_first(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "archive")
    archive.index([fill(tmp_path / "f", a=TWENTY, b=TWENTY)])
    later = archive.index([fill(tmp_path / "g", c=TEN, d=TEN, e=TEN, f=TWENTY | {"encoder": "conch"})])
    assert (later.added, len(later.refused)) == (0, 4)
    assert any("encoder 'conch', the archive's of 'ours'" in refusal.reason for refusal in later.refused)
    with pytest.raises(OtherFeatures, match="10x"):
        archive.search(tmp_path / "g" / "c.h5")
    assert len(archive.search(tmp_path / "f" / "a.h5")) == 1


@pytest.mark.parametrize("named", ["features:uni", "features:uni:cls", "features:UNI_v1"])
def test_an_encoder_and_its_usual_variant_are_one(tmp_path: Path, named: str) -> None:
    for name, stated in (("a", "uni"), ("b", "uni:cls"), ("c", "UNI_v1"), ("d", "virchow"), ("e", "uni2_h")):
        write(tmp_path / "f" / f"{name}.h5", {**TWENTY, "encoder": stated}, 1024)
    report = make_archive(tmp_path / "archive", named).index([tmp_path / "f"])
    assert (report.added, {Path(refusal.path).stem for refusal in report.refused}) == (3, {"d", "e"})


def test_dicts_of_tensors_state_their_scale_too(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    (tmp_path / "f").mkdir()
    for index, scale in enumerate((10, 20, 20, 20)):
        features = torch.randn(30, 8, generator=torch.Generator().manual_seed(index))
        torch.save({"features": features, "magnification": scale, "encoder": "ours"}, tmp_path / "f" / f"{index}.pt")
    report = make_archive(tmp_path / "archive", "features:unnamed").index([tmp_path / "f"])
    assert report.added == 3
    assert "0.pt: its features are of tiles at 1 µm/px (10x)" in report.refused[0].reason


def test_features_made_anew_at_another_scale_replace_the_old_ones(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "archive")
    archive.index([fill(tmp_path / "f", a=TWENTY, b=TWENTY)])
    report = archive.index([fill(tmp_path / "f", a=TEN, b=TEN)])
    assert (report.updated, report.refused) == (2, ())


def test_sizes_that_say_no_scale_are_a_warning_by_slide(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "archive")
    full, quarter = {"patch_size": 256, "patch_level": 0}, {"patch_size": 256, "patch_level": 1, "downsample": 4.0}
    report = archive.index([fill(tmp_path / "f", a=full, b=full, c=quarter, d={"patch_level": 2})])
    assert report.added == 4
    warnings = [warning for warning in report.warnings if "scales" in warning]
    assert any("1024 px of the scan (c), of 2 256 px of the scan" in warning for warning in warnings)
    assert any("level 2 of the scan (d)" in warning for warning in warnings)
    later = archive.index([fill(tmp_path / "g", e=quarter)])
    assert any("1024 px of the scan (c, e)" in w or "1024 px of the scan (e)" in w for w in later.warnings)
    wide = make_archive(tmp_path / "wide").index(
        [fill(tmp_path / "w", a=TWENTY, b=TWENTY, c=TWENTY | {"patch_size": 512})]
    )
    assert any("512 px (c), of 2 256 px" in warning for warning in wide.warnings)


def test_agreeing_files_say_nothing(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "archive")
    scans = [{"patch_size": 256, "patch_size_level0": edge, "target_magnification": 20} for edge in (256, 512)]
    report = archive.index([fill(tmp_path / "f", a=scans[0], b=scans[1], c=scans[1] | {"encoder": "OURS"}, d={})])
    assert (report.added, report.refused) == (4, ())
    assert not [warning for warning in report.warnings if "scale" in warning or "encoder" in warning]


def test_files_of_another_dimension_are_refused_by_name(tmp_path: Path) -> None:
    fill(tmp_path / "f", a={}, b={})
    write(tmp_path / "f" / "wide.h5", {}, dimension=16)
    report = make_archive(tmp_path / "archive").index([tmp_path / "f"])
    assert report.added == 2
    assert "wide.h5: bag of features: the archive's dimension is 8, here it is 16" in report.refused[0].reason


def run(*arguments: str | Path) -> tuple[int, str]:
    """A command's exit code, and all that it prints."""
    done = histoseek(*arguments)
    return done.returncode, done.stdout + done.stderr


def test_the_encoder_of_a_new_archive_is_named_or_asked_for(tmp_path: Path) -> None:
    index = ("index", "--text-encoder", "none", "--features")
    code, text = run(*index, fill(tmp_path / "silent", a={}, b={}), "--archive", tmp_path / "1")
    assert code == 0
    assert "no encoder is named, by the feature files or by --features-encoder" in text
    assert Archive.open(tmp_path / "1").recipe.encoder == "features:unnamed"

    stated = {"encoder": "house_v15"}
    code, text = run(*index, fill(tmp_path / "stated", a=stated, b={}), "--archive", tmp_path / "2")
    assert (code, "no encoder is named" in text) == (0, False)
    assert Archive.open(tmp_path / "2").recipe.encoder == "features:house_v15"
    code, text = run(*index, tmp_path / "stated", "--archive", tmp_path / "2")
    assert (code, "2 unchanged" in text) == (0, True)

    spelt = fill(tmp_path / "spelt", a=stated, b={"encoder": "HOUSE-v15"})
    code, text = run(*index, spelt, "--archive", tmp_path / "5")
    assert (code, "2 added" in text) == (0, True)

    mixed = fill(tmp_path / "mixed", a=stated, b={"encoder": "ours"})
    code, text = run(*index, mixed, "--archive", tmp_path / "3")
    assert (code, "the files state several encoders: house_v15, ours" in text) == (2, True)
    assert not (tmp_path / "3").exists()
    code, text = run(*index, mixed, "--encoder", "ours", "--archive", tmp_path / "3")
    assert (code, "1 added" in text, "encoder 'house_v15', the archive's of 'ours'" in text) == (0, True, True)
    code, text = run(*index, mixed, "--encoder", "a", "--features-encoder", "b", "--archive", tmp_path / "4")
    assert (code, "another name than --encoder" in text) == (2, True)


def test_feature_files_are_verified_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "here" / "f", a={}, b={})
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    archive = make_archive(tmp_path / "archive")
    archive.index(["f"])
    monkeypatch.chdir(tmp_path / "there")
    assert archive.verify().problems == ()
    assert {record.uri for record in archive.records()} == {str(tmp_path / "here" / "f" / f"{n}.h5") for n in "ab"}
