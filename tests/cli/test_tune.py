"""Tuning as a user meets it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.process import histoseek, refused
from tests.evaluation.archives import labelled_archive


def test_tune_prints_what_it_tried_and_is_reset(tmp_path: Path) -> None:
    patients = [i // 2 for i in range(24)]
    labels = [patient % 2 for patient in patients]
    path = labelled_archive(tmp_path, labels, patients, class_effect=0.3, tiles=4).path
    assert "no such column" in refused("tune", "--archive", path, "--label", "nothing")
    assert "all slides have the same site" in refused("tune", "--archive", path, "--site", "site")
    assert "does not go with --dry-run" in refused("tune", "--archive", path, "--reset", "--dry-run")
    found = json.loads(histoseek("tune", "--archive", path, "--dry-run", "--json").stdout)
    assert (found["stored"], found["column"], found["slides"]) == (False, "diagnosis", 24)
    assert found["card"]["patients"] == 12 and len(found["card"]["tried"]) > 10
    assert [gain["metric"] for gain in found["card"]["gains"]] == ["MAP@5", "mMV@5", "top-1"]
    assert "was not tuned" in histoseek("tune", "--archive", path, "--reset").stdout
