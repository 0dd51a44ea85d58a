"""Calibration and votes as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.process import histoseek, refused
from tests.evaluation.archives import labelled_archive


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calibrate")
    return labelled_archive(folder, [i % 3 for i in range(60)], [i // 2 for i in range(60)], class_effect=0.3).path


def test_calibrate_search_and_vote(archive: Path, tmp_path: Path) -> None:
    ask = ("search", "--archive", archive, "--like", "slide-000")
    assert "calibrate" in refused(*ask, "--min-probability", 0.5)
    assert "too few labels" in refused("calibrate", "--archive", archive, "--label", "report")
    done = histoseek("calibrate", "--archive", archive)
    assert done.returncode == 0, done.stderr
    assert "diagnosis of a query, by the patients nearest to it: fitted on 60 slides" in done.stdout
    assert "on patients held out" in done.stdout
    assert '"none of these" has 0.' in done.stdout
    assert "local share 0." in done.stdout
    assert "(on diagnosis, 60 slides of 30 patients)" in done.stdout
    assert "standard error of the difference" in done.stdout
    found = json.loads(histoseek("calibrate", "--archive", archive, "--json").stdout)
    assert set(found) == {"format", "space", "distance", "fusion", "ranking", "slides", "created", "label"}
    assert (found["slides"], found["label"]["patients"], found["label"]["column"]) == (60, 30, "diagnosis")
    stored = json.loads((archive / "spaces" / "0001" / "calibration.json").read_text())
    assert found | {"checksum": stored["checksum"]} == stored
    page = tmp_path / "page.html"
    done = histoseek(*ask, "-k", 7, "--vote", "diagnosis", "--html", page)
    assert done.returncode == 0, done.stderr
    assert "same diagnosis" in done.stdout
    assert "the query's diagnosis, by the 29 patients nearest to it: " in done.stdout
    for way in ("majority", "calibrated"):
        assert f"patients on diagnosis, {way}: " in done.stdout
    assert "Vote of " in page.read_text()
    likely = json.loads(histoseek(*ask, "-k", 20, "--min-probability", 0.5, "--json").stdout)
    assert all(result["probability"] >= 0.5 for result in likely["results"])
    assert likely["vote"] is None
    assert "is not a probability" in refused(*ask, "--min-probability", 1.5)
    assert "no such column" in refused(*ask, "--vote", "nothing")
    assert "from slide to slide" in refused("search", "--archive", archive, "--text", "x", "--min-probability", 0.5)


def test_only_novelty_can_be_learned(archive: Path) -> None:
    done = histoseek("calibrate", "--archive", archive, "--without-labels", "--json")
    assert json.loads(done.stdout)["label"] is None
    assert "no such distance" in refused("calibrate", "--archive", archive, "--distance", "nearest")
