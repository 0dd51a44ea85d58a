"""Weights, re-encoding, alignment and training as a user meets them."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from histoseek.api import Archive
from histoseek.encoders.recipe import Recipe
from histoseek.encoders.weights import save_weights
from tests.cli.process import histoseek, refused
from tests.weights import SMALL, slide_tensors, small_weights, write_features, write_table

REPORTS = ("colon adenocarcinoma", "normal liver", "renal cell carcinoma", "squamous cell carcinoma")
SMALL_TRAINING = ("--epochs", 2, "--batch", 8, "--tiles", 16, "--dimension", 32, "--mosaic-size", 4)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty feature files of four classes, with pairs.csv."""
    folder = tmp_path_factory.mktemp("learning")
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((4, 24))
    (folder / "features").mkdir()
    rows: list[dict[str, object]] = []
    for i in range(40):
        with h5py.File(folder / "features" / f"slide-{i:02d}.h5", "w") as file:
            file["features"] = (rng.standard_normal((20, 24)) + directions[i % 4]).astype(np.float32)
        report = f"{REPORTS[i % 4]}, block {i}"
        rows.append({"slide_id": f"slide-{i:02d}", "patient_id": f"p{i // 2}", "report": report})
    write_table(folder / "pairs.csv", rows)
    return folder


@pytest.fixture(scope="module")
def archive(data: Path) -> Path:
    made = Archive.create(data / "archive", Recipe(encoder="features:test"))
    made.index([data / "features"], data / "pairs.csv", data / "pairs.csv")
    return made.path


def test_train_import_use_and_search(data: Path, archive: Path, tmp_path: Path) -> None:
    out, library = tmp_path / "mine.safetensors", {"HISTOSEEK_WEIGHTS_DIR": str(tmp_path / "library")}
    done = histoseek("train", "--archive", archive, "--out", tmp_path / "mine", *SMALL_TRAINING, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {"slide->slide", "slide->report", "text->slide"} <= {
        recall["direction"] for recall in found["test"]["after"]["recalls"]
    }
    assert [each["name"] for each in found["baselines"]] == ["pooled", "pooled and aligned"]
    assert found["card"]["training"]["settings"]["epochs"] == 2
    split = tmp_path / "mine.training" / "split.csv"
    again = histoseek("train", "--archive", archive, "--out", tmp_path / "given", *SMALL_TRAINING, "--split", split)
    assert again.returncode == 0, again.stderr
    assert "held out (test part):" in again.stdout
    assert "random network" in again.stdout
    assert (tmp_path / "given.training" / "split.csv").read_text() == split.read_text()
    with (tmp_path / "mine.training" / "log.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2"]
    assert (tmp_path / "mine.training" / "log.png").read_bytes().startswith(b"\x89PNG")
    assert "already exists" in refused("train", "--archive", archive, "--out", out, *SMALL_TRAINING)
    assert "mine: " in histoseek("weights", "import", out, **library).stdout
    assert "in the library already" in refused("weights", "import", out, **library)
    shown = histoseek("weights", "show", "mine", **library).stdout
    assert "pooled and aligned, test text->slide recall@1 by pair" in shown
    assert "epochs 2" in shown
    card = json.loads(histoseek("weights", "show", "mine", "--json", **library).stdout)
    assert card["features"]["tile_encoder"] == "test"
    assert card["architecture"]["dimension"] == 32
    assert json.loads(histoseek("weights", "list", "--json", **library).stdout)[0]["name"] == "mine"
    other = tmp_path / "other"
    features = ("--features", data / "features", "--features-encoder", "test")
    done = histoseek("index", *features, "--archive", other, "--weights", "mine", "--json", **library)
    assert json.loads(done.stdout)["added"] == 40
    done = histoseek("search", "--archive", other, "--text", "liver", "--json", **library)
    assert json.loads(done.stdout)["results"][0]["ways"][0]["name"] == "shared space"
    assert histoseek("verify", "--archive", other).returncode == 0


def test_align_and_go_back(data: Path, archive: Path) -> None:
    done = histoseek("align", "--archive", archive, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["pairs"], report["patients"]) == (40, 20)
    assert all(set(r) >= {"direction", "k", "value", "low", "high", "chance"} for r in report["recalls"])
    text = histoseek("align", "--archive", archive).stdout
    assert "40 pairs of 20 patients" in text
    assert "pairs held out (5 folds)" in text
    stats = json.loads(histoseek("stats", "--archive", archive, "--json").stdout)["alignment"]
    assert (stats["kind"], stats["pairs"], stats["held_out"]) == ("ridge", 40, "5 folds")
    assert stats["text_to_slide_recall_at_5"] >= 0
    found = json.loads(histoseek("search", "--archive", archive, "--text", "kidney", "--json").stdout)
    assert {w["name"] for r in found["results"] for w in r["ways"]} >= {"shared space", "report vectors"}
    done = histoseek("reencode", "--archive", archive, "--untrained")
    assert "40 slides in the space" in done.stdout
    assert "run `histoseek align` again" in done.stdout


def test_bad_training_data_are_one_line_each(data: Path, tmp_path: Path) -> None:
    rows = list(csv.DictReader((data / "pairs.csv").open()))

    def reason(changed: list[dict[str, str]], *options: object) -> str:
        table = write_table(tmp_path / "pairs.csv", [dict(row) for row in changed])
        given = ("--pairs", table, "--features", data / "features")
        return refused("train", *given, "--out", tmp_path / "w", *SMALL_TRAINING, *options)

    assert "1 slides without a feature file (nobody)" in reason([*rows[1:], {**rows[0], "slide_id": "nobody"}])
    assert "1 slides without a report (slide-00)" in reason([{**rows[0], "report": " "}, *rows[1:]])
    assert "all reports are the same text" in reason([{**row, "report": "Benign."} for row in rows])
    assert "batch=64: larger than the train part" in reason(rows, "--batch", 64)
    assert "epochs=0" in reason(rows, "--epochs", 0)
    assert "loss diversity: this model has no such loss" in reason(rows, "--model", "fgcr", "--loss", "diversity=1")
    assert "no such encoder" in reason(rows, "--text-encoder", "bert")
    assert "at least three patients" in reason([{**row, "patient_id": "one"} for row in rows])
    assert not list(tmp_path.glob("*.safetensors"))
    assert "needs either --archive" in refused("train", "--out", tmp_path / "w", "--pairs", data / "pairs.csv")


def test_a_missing_package_names_its_extra(data: Path, tmp_path: Path) -> None:
    def without(package: str) -> dict[str, str]:
        folder = tmp_path / package
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(
            "import sys\n"
            "class Hidden:\n"
            "    def find_spec(self, name, path=None, target=None):\n"
            f"        if name.split('.')[0] == '{package}':\n"
            f"            raise ModuleNotFoundError(\"No module named '{package}'\", name='{package}')\n"
            "sys.meta_path.insert(0, Hidden())\n"
        )
        return {"PYTHONPATH": os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])}

    pairs = ("--pairs", data / "pairs.csv", "--features", data / "features", "--out", tmp_path / "w")
    assert "histoseek[train]" in refused("train", *pairs, *SMALL_TRAINING, **without("nystrom_attention"))
    bare, table = tmp_path / "archive", data / "pairs.csv"
    index = ("index", "--features", data / "features", "--archive", bare, "--reports", table)
    assert "histoseek[text]" in refused(*index, **without("tokenizers"))
    done = histoseek(*index, "--json", **without("transformers"))
    assert done.returncode in (0, 2)
    found = Archive.open(bare)
    vectors = [slide.language.report_vector for slide in found.store.get(found.store.slides())] if found.space else []
    assert all(vector is not None and np.linalg.norm(vector) > 0.9 for vector in vectors)


def test_bad_weights_are_one_line_each(archive: Path, tmp_path: Path) -> None:
    library = {"HISTOSEEK_WEIGHTS_DIR": str(tmp_path / "library")}
    assert "no such weights" in refused("reencode", "--archive", archive, "--weights", "none", **library)
    assert "nothing to change" in refused("reencode", "--archive", archive)
    both = ("--weights", "x", "--untrained")
    assert "exclude each other" in refused("reencode", "--archive", archive, *both, **library)
    assert "no such file" in refused("weights", "import", tmp_path / "none.pt", **library)
    state = {name: torch.from_numpy(value) for name, value in slide_tensors(SMALL).items()}
    path = tmp_path / "published.pt"
    torch.save({"model": state}, path)
    done = histoseek("weights", "import", path, "--tile-encoder", "test", "--spacing", 0, **library)
    assert "published: " in done.stdout
    done = histoseek("weights", "use", "published", "--archive", archive, **library)
    assert "40 slides in the space" in done.stdout
    path.write_bytes(path.read_bytes()[:5000])
    assert "is damaged" in refused("weights", "import", path, **library)
    wide = write_features(tmp_path / "wide", 3, dimension=30)
    made = Archive.create(tmp_path / "wide.archive", Recipe(encoder="features:test"))
    made.index([wide])
    save_weights(small_weights(), tmp_path / "small.safetensors")
    small = ("--weights", tmp_path / "small.safetensors")
    assert "dimension is 24, here it is 30" in refused("reencode", "--archive", made.path, *small)
