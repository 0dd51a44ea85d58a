"""Probabilities of a tuned archive are those of slides that the tuning has not seen."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from histoseek.api import Archive
from histoseek.archive.tuning_file import Tuning, write_tuning
from histoseek.evaluation.cohort import load_cohort
from histoseek.evaluation.tuning.fitted import fit_ranking
from histoseek.evaluation.tuning.refitted import rank_refitted
from histoseek.evaluation.tuning.slides import read_slides
from histoseek.ranking.settings import RankingSettings
from histoseek.search.calibrate import calibrate
from tests.evaluation.archives import labelled_archive

SLIDES = 60
SETTINGS = RankingSettings(distance="global", label_strength=0.001)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Labels mean nothing here, but are fitted closely: slides lie near others of their label, and queries do not."""
    folder = tmp_path_factory.mktemp("tuned")
    labels = np.random.default_rng(1).integers(0, 2, SLIDES).tolist()
    archive = labelled_archive(folder, labels, list(range(SLIDES)), class_effect=0.0, tiles=4)
    cohort = load_cohort(archive, "diagnosis")
    slides = read_slides(cohort, np.arange(SLIDES))
    fitted = fit_ranking(SETTINGS, slides, np.arange(SLIDES))
    space = archive.require_space().slides_fingerprint
    write_tuning(
        archive.layout, Tuning(space, SLIDES, "2026-11-30", "diagnosis", SETTINGS, fitted.metric, fitted.fusion)
    )
    return archive


def test_what_a_tuning_has_learned_by_heart_does_not_count(tuned: Archive, tmp_path: Path) -> None:
    copy = Archive.open(shutil.copytree(tuned.path, tmp_path / "archive"))
    by_heart = calibrate(copy).label
    assert by_heart is not None
    assert by_heart.fitted.held_out.brier < by_heart.fitted.base.brier - 0.02
    known = copy.calibrate()
    assert known.distance == "tuned"
    assert known.label is not None
    assert known.label.fitted.held_out.brier > known.label.fitted.base.brier - 0.01
    labels = copy.search(like="slide-000").labels
    assert labels is not None
    assert max(share.share for share in labels.shares) < 0.8


def test_nobody_of_a_slide_s_fold_is_found(tuned: Archive) -> None:
    tuning = tuned.tuning
    assert tuning is not None
    nearest = rank_refitted(tuned, tuning)
    assert nearest is not None
    everyone = [record.slide_id for record in tuned.records()]
    found = {slide_id: nearest(slide_id) for slide_id in everyone}
    for slide_id, slides in found.items():
        ids = [one for one, _ in slides]
        assert len(ids) == SLIDES - SLIDES // 5
        assert slide_id not in ids
        assert [distance for _, distance in slides] == sorted(distance for _, distance in slides)
        # Two slides of one fold do not find each other.
        assert all((other in ids) == (slide_id in [one for one, _ in found[other]]) for other in everyone)
