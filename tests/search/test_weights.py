"""A calibration is of one fusion of a distance's parts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from histoseek.api import Archive
from histoseek.archive.archive_fusion import load_distance, write_fusion
from histoseek.archive.calibration_file import read_calibration
from histoseek.mosaics.part_weights import ShareChoice
from histoseek.search.calibration.apply import OLDER_CALIBRATION, OTHER_WEIGHTS
from tests.evaluation.archives import labelled_archive


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A calibrated archive. Not to be changed."""
    folder = tmp_path_factory.mktemp("weights")
    made = labelled_archive(folder, [i // 2 % 2 for i in range(40)], [i // 2 for i in range(40)], tiles=8)
    made.calibrate()
    return made.path


@pytest.fixture
def archive(made: Path, tmp_path: Path) -> Archive:
    return Archive.open(shutil.copytree(made, tmp_path / "archive"))


def test_other_weights_silence_a_calibration_until_it_is_made_again(archive: Archive) -> None:
    calibrated = read_calibration(archive.layout, archive.require_space())
    assert calibrated
    assert calibrated.fusion == load_distance(archive, "symmetric").fusion
    assert archive.search(like="slide-000", k=1).results[0].probability is not None
    known = archive.fusion
    assert known
    share = ShareChoice(share=0.9, queries=40, patients=20, fitted=0.6, stated=0.5, error=0.01)
    write_fusion(archive, known.with_choice("symmetric", "diagnosis", share))
    results = archive.search(like="slide-000", k=1)
    assert OTHER_WEIGHTS in results.warnings
    assert results.results[0].probability is None and results.labels is None
    # What is unlike the archive is told by tiles, whatever the weights.
    assert results.novelty is not None
    archive.calibrate()
    assert OTHER_WEIGHTS not in archive.search(like="slide-000", k=1).warnings


def test_a_calibration_from_before_weights_were_kept_counts_as_none(archive: Archive) -> None:
    older = json.loads(archive.layout.calibration.read_text()) | {"format": 1}
    del older["fusion"], older["checksum"]
    archive.layout.calibration.write_text(json.dumps(older))
    assert read_calibration(archive.layout, archive.require_space()) is None
    assert OLDER_CALIBRATION in archive.search(like="slide-000", k=1).warnings
    archive.layout.calibration.write_text(json.dumps(older | {"format": 99}))
    assert OLDER_CALIBRATION not in archive.search(like="slide-000", k=1).warnings


@pytest.mark.parametrize("distance", ["symmetric", "maxsim", "global", "pathsearch-paper"])
def test_every_distance_of_whole_slides_can_be_calibrated(archive: Archive, distance: str) -> None:
    made = archive.calibrate(distance=distance)
    assert (made.distance, made.fusion) == (distance, load_distance(archive, distance).fusion)
    assert made.label
    assert made == read_calibration(archive.layout, archive.require_space())
