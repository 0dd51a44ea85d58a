"""Asking with slides that were encoded already and with reports in memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from histoseek import ArchivedSlide, Case, Composed, EncodedSlide, Rect, Region, ReportFile, ReportText, SlideFile
from histoseek.api import Archive
from histoseek.encoders.bag import Bag, load_bag
from histoseek.encoders.slide_bags import encode_prepared, open_prepared
from histoseek.encoders.tile.registry import find_tile_card, load_tile_encoder
from histoseek.errors import BadFeatureFile, ConfigurationError, InputError, MixedPatients, NoTissue, SpaceMismatch
from histoseek.progress import SilentReporter
from histoseek.search.results import SearchResults
from histoseek.slides.sources.file import FileSource
from tests.evaluation.archives import labelled_archive

SLIDE = "SIM-0003-01"


@pytest.fixture(scope="module")
def archive(indexed: Path) -> Archive:
    return Archive.open(indexed)


@pytest.fixture(scope="module")
def bag(archive: Archive) -> Bag:
    return load_bag(archive.layout.bag(SLIDE))


def order(results: SearchResults) -> list[tuple[str, float]]:
    return [(result.slide_id, pytest.approx(result.score)) for result in results]


def test_an_encoded_slide_finds_what_its_file_finds(archive: Archive, cohort: Path, bag: Bag) -> None:
    file = cohort / f"{SLIDE}.tiff"
    known = EncodedSlide(bag, "upload 7", 0.5, file_fingerprint=FileSource(file).fingerprint())
    found = archive.search(known, k=10)
    assert order(found) == order(archive.search(file, k=10))
    assert (found.query.kind, found.query.slide_id, found.query.uri) == ("slide", SLIDE, "upload 7")
    assert [(one.uri, one.spacing_um_per_px) for one in found.query.slides] == [("upload 7", 0.5)]
    assert found.results[0].explanation
    assert found.results[0].attention


def test_an_encoded_slide_of_nobody_finds_its_twin(archive: Archive, bag: Bag) -> None:
    found = archive.search(EncodedSlide(bag, "upload", 0.5), k=10)
    assert (found.results[0].slide_id, found.results[0].score) == (SLIDE, pytest.approx(1))
    assert "the query's patient is not known" in " ".join(found.warnings)
    own = archive.get(SLIDE).record.patient_id
    named = archive.search(EncodedSlide(bag, "upload", 0.5, patient_id=own), k=10)
    assert own not in {result.record.patient_id for result in named}


def test_regions_of_an_encoded_slide_are_regions(archive: Archive, cohort: Path, bag: Bag) -> None:
    region = Rect(200, 200, 300, 300)
    whole = archive.search(EncodedSlide(bag, "upload", 0.5, regions=(region,)), k=10)
    assert (whole.query.kind, whole.query.distance, whole.query.regions) == ("region", "contained", (region,))
    centres = bag.coords + bag.tile_size_level0 / 2
    inside = ((centres >= 200) & (centres < 500)).all(axis=1)
    assert 0 < inside.sum() < len(bag)
    kept = bag.take(np.flatnonzero(inside))
    assert order(whole) == order(archive.search(EncodedSlide(kept, "upload", 0.5), k=10, distance="contained"))
    with pytest.raises(NoTissue, match="upload"):
        archive.search(EncodedSlide(bag, "upload", 0.5, regions=(Rect(5000, 5000, 10, 10),)))


@pytest.mark.parametrize("region", [Rect(100, 130, 500, 300), Rect(0, 300, 40, 400), Rect(700, 60, 60, 600)])
def test_a_region_encoded_on_its_own_is_the_region_of_the_file(archive: Archive, cohort: Path, region: Rect) -> None:
    """Also at the rim, where the tiles of a narrow region lie beside it."""
    file, recipe = cohort / f"{SLIDE}.tiff", archive.recipe
    with open_prepared(FileSource(file), recipe, find_tile_card(recipe.encoder).tile_px, 0.5, (region,)) as prepared:
        own = encode_prepared(prepared, load_tile_encoder(recipe.encoder), 1, SilentReporter())
    encoded = EncodedSlide(own, "upload", 0.5, regions=(region,), file_fingerprint=FileSource(file).fingerprint())
    assert order(archive.search(encoded, k=10)) == order(archive.search(Region(SlideFile(file), (region,)), k=10))


def test_an_encoded_picture_is_looked_for_anywhere(archive: Archive, bag: Bag) -> None:
    found = archive.search(EncodedSlide(bag, "crop.png", 0.5, picture=True), k=3)
    assert (found.query.kind, found.query.distance) == ("tile", "contained")


def test_encoded_slides_stand_wherever_an_image_does(archive: Archive, bag: Bag) -> None:
    own = archive.get(SLIDE).record.patient_id
    encoded = EncodedSlide(bag, "upload", 0.5, patient_id=own)
    other = next(r.slide_id for r in archive.records() if r.patient_id == own and r.slide_id != SLIDE)
    case = archive.search(Case((ArchivedSlide(other), encoded)), k=10)
    assert order(case) == order(archive.search(Case((ArchivedSlide(other), ArchivedSlide(SLIDE))), k=10))
    assert [slide.uri for slide in case.query.slides][1] == "upload"
    composed = archive.search(Composed(encoded, "necrosis"), k=8)
    assert order(composed) == order(archive.search(Composed(ArchivedSlide(SLIDE), "necrosis"), k=8))
    stranger = EncodedSlide(bag, "upload", 0.5, patient_id="somebody else")
    with pytest.raises(MixedPatients, match="upload"):
        archive.search(Case((ArchivedSlide(other), stranger)))


def test_bags_that_the_archive_would_not_make_are_refused(archive: Archive, bag: Bag) -> None:
    with pytest.raises(SpaceMismatch, match="tile encoder"):
        archive.search(EncodedSlide(replace(bag, encoder="other-1"), "upload", 0.5))
    with pytest.raises(SpaceMismatch, match="dimension"):
        archive.search(EncodedSlide(replace(bag, features=bag.features[:, :64]), "upload", 0.5))
    with pytest.raises(SpaceMismatch, match="spacing"):
        archive.search(EncodedSlide(replace(bag, spacing_um_per_px=1.0), "upload", 0.5))
    with pytest.raises(BadFeatureFile, match="NaN"):
        archive.search(EncodedSlide(replace(bag, features=bag.features * np.float32("nan")), "upload", 0.5))
    with pytest.raises(BadFeatureFile, match="upload"):
        archive.search(EncodedSlide(replace(bag, weights=bag.weights[1:]), "upload", 0.5))


@pytest.mark.parametrize("spacing", [-1.0, float("nan"), float("inf")])
def test_wrong_spacings_are_refused(bag: Bag, spacing: float) -> None:
    with pytest.raises(ConfigurationError, match="spacing"):
        EncodedSlide(bag, "upload", spacing)
    with pytest.raises(ConfigurationError, match="no area"):
        EncodedSlide(bag, "upload", 0.5, regions=(Rect(0, 0, 0, 1),))


def test_archives_of_features_take_bags_of_their_encoder(tmp_path: Path) -> None:
    archive = labelled_archive(tmp_path, [i % 2 for i in range(12)], list(range(12)))
    bag = load_bag(archive.layout.bag("slide-004"))
    found = archive.search(EncodedSlide(bag, "in memory", 0.0, patient_id="patient-4"), k=11)
    assert order(found) == order(archive.search(like="slide-004", k=11))


def test_a_report_in_memory_is_a_report(archive: Archive, tmp_path: Path) -> None:
    text = str(archive.get(SLIDE).record.report) + ' with grade:9 "quoted" -minus'
    (tmp_path / "report.txt").write_text(text)
    found = archive.search(ReportText(text), k=10)
    assert order(found) == order(archive.search(ReportFile(tmp_path / "report.txt"), k=10))
    assert (found.query.kind, found.query.text, found.query.uri) == ("report", None, None)
    own = archive.get(SLIDE).record.patient_id
    assert own not in {r.record.patient_id for r in archive.search(ReportText(text, patient_id=own), k=10)}
    with pytest.raises(InputError, match="empty"):
        ReportText(" \0 ")
