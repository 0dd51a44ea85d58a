"""Simulated slides: reproducible, readable, different where they should be."""

from __future__ import annotations

import csv
import dataclasses
from pathlib import Path

import numpy as np
import openslide
import pytest

from histoseek.errors import ConfigurationError
from histoseek.geometry import Size
from histoseek.simulate.cohort_spec import CohortSpec, plan_slides
from histoseek.simulate.diagnoses import DIAGNOSES, write_report
from histoseek.simulate.slide import SlideSpec, render_region, render_strips, write_slide
from histoseek.slides.slide import open_slide
from histoseek.tissue.mask import find_tissue
from histoseek.tissue.settings import TissueSettings

SPEC = SlideSpec("s", Size(1500, 1200), 0.5, "adenocarcinoma", "site-0", "p0", seed=4)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sim") / "s.tiff"
    write_slide(SPEC, path)
    return path


def test_openslide_sees_a_pyramid_with_its_spacing(written: Path) -> None:
    with openslide.OpenSlide(str(written)) as slide:
        assert slide.dimensions == (1500, 1200)
        assert slide.level_dimensions[1:] == ((375, 300),)
        assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(0.5, rel=1e-3)


def test_the_file_shows_what_is_rendered(written: Path) -> None:
    expected = render_region(SPEC, 300, 500, 400, 300)
    with open_slide(written) as slide:
        found = slide.read_level(0, 300, 500, 400, 300)
    assert np.abs(found.astype(int) - expected).mean() < 6, "but for JPEG"


def test_strips_are_bounded_and_make_up_the_slide() -> None:
    parts = list(render_strips(SPEC))
    assert max(len(part) for part in parts) <= 1024
    whole = np.concatenate(parts)
    assert whole.shape == (1200, 1500, 3)
    assert np.array_equal(whole[400:700, 200:900], render_region(SPEC, 200, 400, 700, 300))


def test_same_spec_same_bytes_other_seed_other_slide(written: Path, tmp_path: Path) -> None:
    write_slide(SPEC, tmp_path / "again.tiff")
    assert (tmp_path / "again.tiff").read_bytes() == written.read_bytes()
    other = dataclasses.replace(SPEC, seed=5)
    assert not np.array_equal(render_region(other, 0, 0, 500, 500), render_region(SPEC, 0, 0, 500, 500))
    assert not list(tmp_path.glob(".*part"))


def mean_colour(spec: SlideSpec) -> np.ndarray:
    small = dataclasses.replace(spec, size=Size(750, 600))
    picture = np.concatenate(list(render_strips(small))).reshape(-1, 3)
    tissue = picture[picture.min(axis=1) < 200]
    return tissue.mean(axis=0)


def test_sites_differ_in_colour_as_much_as_asked() -> None:
    def spread(effect: float) -> float:
        sites = [dataclasses.replace(SPEC, site=f"site-{n}", site_effect=effect) for n in range(3)]
        return float(np.std([mean_colour(site) for site in sites], axis=0).max())

    assert spread(0.0) < 0.5
    assert spread(1.0) > 4


def test_diagnoses_look_different() -> None:
    def purple(name: str) -> float:
        red, green, _ = mean_colour(dataclasses.replace(SPEC, diagnosis=name, site_effect=0.0))
        return float(green - red)

    assert purple("lymphoma") > purple("normal tissue") + 5


def test_pen_marks_are_left_out_of_the_tissue(tmp_path: Path) -> None:
    write_slide(dataclasses.replace(SPEC, pen_mark=True), tmp_path / "pen.tiff")
    with open_slide(tmp_path / "pen.tiff") as slide:
        found = find_tissue(slide, TissueSettings())
    assert found.pen_share > 0.01
    height, width = found.mask.shape
    assert not found.mask[height // 2, int(0.11 * width)]


def test_reports_name_the_diagnosis() -> None:
    for name in DIAGNOSES:
        texts = {write_report(name, seed) for seed in range(12)}
        assert all(name in text for text in texts)
        assert len(texts) > 1


def test_cohort_tables_fit_the_files(cohort: Path) -> None:
    with (cohort / "metadata.csv").open() as file:
        rows = list(csv.DictReader(file))
    with (cohort / "reports.csv").open() as file:
        reports = list(csv.DictReader(file))
    stems = sorted(path.stem for path in cohort.glob("*.tiff"))
    assert sorted(row["slide_id"] for row in rows) == sorted(row["slide_id"] for row in reports) == stems
    assert len({row["patient_id"] for row in rows}) == 5
    assert {row["diagnosis"] for row in rows} == set(DIAGNOSES)


def test_unknown_diagnoses_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="lymphoma"):
        plan_slides(CohortSpec(1, 1, 1, 600, diagnoses=("gout",)), tmp_path)
