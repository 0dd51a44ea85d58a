"""What can be asked with: regions, pictures, cases, words beside images; pages and cases of results."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from histoseek import ArchivedCase, ArchivedSlide, Case, Composed, Rect, Region, SlideFile, TextQuery, TileImage
from histoseek.api import Archive
from histoseek.errors import (
    ConfigurationError,
    InputError,
    MissingSpacing,
    MixedPatients,
    NoTissue,
    RegionOutside,
    UnknownCase,
    UnknownSlide,
)
from histoseek.search.results import SearchResults
from histoseek.slides.slide import open_slide
from histoseek.tissue.mask import find_tissue
from histoseek.tissue.settings import TissueSettings

SLIDE = "SIM-0003-01"


@pytest.fixture(scope="module")
def archive(indexed: Path) -> Archive:
    return Archive.open(indexed)


def tissue_region(path: Path, edge_px: int = 300) -> Rect:
    """A square around the tissue's densest place."""
    with open_slide(path) as slide:
        mask = find_tissue(slide, TissueSettings()).mask
        scale = slide.size.width / mask.shape[1]
        rows, columns = (np.median(found) * scale for found in np.nonzero(mask))
        x, y = (int(np.clip(centre - edge_px / 2, 0, slide.size.width - edge_px)) for centre in (columns, rows))
    return Rect(x, y, edge_px, edge_px)


def order(results: SearchResults) -> list[tuple[str, float]]:
    return [(result.slide_id, pytest.approx(result.score)) for result in results]


def test_a_region_is_the_same_in_px_and_um_from_file_and_archive(archive: Archive, cohort: Path) -> None:
    file = cohort / f"{SLIDE}.tiff"
    region = tissue_region(file)
    in_um = Rect(region.x // 2, region.y // 2, region.width // 2, region.height // 2)
    even = Rect(2 * in_um.x, 2 * in_um.y, 2 * in_um.width, 2 * in_um.height)
    by_id = archive.search(Region(ArchivedSlide(SLIDE), (even,)), k=10)
    assert (by_id.query.kind, by_id.query.distance, by_id.query.regions) == ("region", "contained", (even,))
    assert order(archive.search(Region(SlideFile(file), (even,)), k=10)) == order(by_id)
    assert order(archive.search(Region(SlideFile(file, 0.5), (in_um,), "um"), k=10)) == order(by_id)
    assert {result.record.patient_id for result in by_id}.isdisjoint({archive.get(SLIDE).record.patient_id})
    for result in by_id:
        for match in result.matches:
            found = match.query_region
            assert found is not None
            assert even.x <= found.x + found.width / 2 <= even.right
            assert even.y <= found.y + found.height / 2 <= even.bottom


def test_several_regions_are_asked_together(archive: Archive, cohort: Path) -> None:
    first = tissue_region(cohort / f"{SLIDE}.tiff", 230)
    second = Rect(first.x + 100, first.y, 230, 230)
    together = archive.search(Region(ArchivedSlide(SLIDE), (first, second)), k=3)
    alone = archive.search(Region(ArchivedSlide(SLIDE), (first,)), k=3)
    assert together.query.regions == (first, second)
    assert [r.score for r in together] != [r.score for r in alone]
    again = archive.search(Region(ArchivedSlide(SLIDE), (second, first)), k=3)
    assert order(again) == order(together)


def test_a_picture_of_whole_tiles_finds_its_slide(archive: Archive, cohort: Path, tmp_path: Path) -> None:
    margin, edge = (768 - 3 * 224) // 2, 448
    for number in range(5):
        with open_slide(cohort / f"SIM-000{number}-00.tiff") as slide:
            pixels = slide.read_level(0, margin, margin, edge, edge)
        Image.fromarray(pixels).save(tmp_path / "crop.png")
        found = archive.search(TileImage(tmp_path / "crop.png", 0.5), k=1)
        assert found.results[0].slide_id == f"SIM-000{number}-00"
        assert found.query.kind == "tile"


def test_a_part_of_a_real_field_finds_that_field(shared_data: Path, tmp_path: Path) -> None:
    fields = sorted((shared_data / "tiles" / "monuseg").iterdir())[::4]
    archive = Archive.create(tmp_path / "archive")
    archive.index(fields, spacing_of={field.name: 0.25 for field in fields})
    rng, hits = np.random.default_rng(0), 0
    for field in fields:
        x, y = (int(v) for v in rng.integers(0, 500, 2))
        with Image.open(field) as picture:
            picture.convert("RGB").crop((x, y, x + 500, y + 500)).save(tmp_path / "part.png")
        found = archive.search(TileImage(tmp_path / "part.png", 0.25), k=1)
        hits += found.results[0].record.uri == str(field)
    assert hits >= len(fields) - 1


def test_wrong_regions_are_refused(archive: Archive, cohort: Path, tmp_path: Path) -> None:
    with pytest.raises(RegionOutside, match="reaches beyond the slide of 768 x 768 px"):
        archive.search(Region(ArchivedSlide(SLIDE), (Rect(700, 0, 100, 100),)))
    with pytest.raises(RegionOutside):
        archive.search(Region(ArchivedSlide(SLIDE), (Rect(-1, 0, 100, 100),)))
    with pytest.raises(ConfigurationError, match="no area"):
        Region(ArchivedSlide(SLIDE), (Rect(0, 0, 0, 100),))
    with pytest.raises(ConfigurationError, match="none is given"):
        Region(ArchivedSlide(SLIDE), ())
    with pytest.raises(UnknownSlide):
        archive.search(Region(ArchivedSlide("nobody"), (Rect(0, 0, 10, 10),)))
    page = np.full((1200, 1200, 3), 245, np.uint8)
    with open_slide(cohort / f"{SLIDE}.tiff") as slide:
        page[:768, :768] = slide.read_level(0, 0, 0, 768, 768)
    Image.fromarray(page).save(tmp_path / "page.png")
    with pytest.raises(NoTissue, match="no tile of the region shows tissue"):
        archive.search(Region(SlideFile(tmp_path / "page.png", 0.5), (Rect(960, 960, 230, 230),)))


def test_a_case_is_as_near_as_its_nearest_slide(archive: Archive) -> None:
    slides = [record.slide_id for record in archive.records("case_id = 'SIM-0002'")]
    assert len(slides) == 2
    found = archive.search(ArchivedCase("SIM-0002"), k=10)
    each = [{r.slide_id: r.score for r in archive.search(like=slide_id, k=10, exact=True)} for slide_id in slides]
    naive = {slide_id: max(scores[slide_id] for scores in each) for slide_id in each[0]}
    assert {r.slide_id: pytest.approx(r.score) for r in found} == naive
    assert [slides[r.query_slide] for r in found] == [
        slides[int(np.argmax([scores[r.slide_id] for scores in each]))] for r in found
    ]
    named = archive.search(Case(tuple(ArchivedSlide(slide_id) for slide_id in slides)), k=10)
    assert order(named) == order(found)
    assert not {r.case_id for r in found} & {"SIM-0002"}


def test_cases_that_are_none(archive: Archive, cohort: Path) -> None:
    with pytest.raises(MixedPatients, match="SIM-0000-00, SIM-0001-00"):
        archive.search(Case((ArchivedSlide("SIM-0000-00"), ArchivedSlide("SIM-0001-00"))))
    with pytest.raises(MixedPatients):
        archive.search(Case((SlideFile(cohort / "SIM-0000-00.tiff"), ArchivedSlide("SIM-0001-00"))))
    with pytest.raises(UnknownCase):
        archive.search(ArchivedCase("moon"))
    with pytest.raises(ConfigurationError, match="no slides"):
        Case(())


def test_a_weight_moves_from_the_image_to_the_words(archive: Archive) -> None:
    image, text = ArchivedSlide("SIM-0000-00"), "keratinising squamous carcinoma"
    by_image = archive.search(image, k=8)
    by_text = archive.search(TextQuery(text, archive.get("SIM-0000-00").record.patient_id), k=8)
    assert [r.slide_id for r in archive.search(Composed(image, text, weight=0), k=8)] == [r.slide_id for r in by_image]
    words_alone = archive.search(Composed(image, text, weight=1), k=8)
    assert order(words_alone) == order(by_text)
    between = archive.search(Composed(image, text, weight=0.5), k=8)
    assert (between.query.kind, between.query.weight, between.query.text) == ("composed", 0.5, text)
    scores = [result.score for result in between]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert all(result.matches for result in between)


def test_what_is_not_wanted_falls(archive: Archive) -> None:
    patient = archive.get("SIM-0000-00").record.patient_id
    diagnosis = archive.search(like="SIM-0000-00", k=1).results[0].record.diagnosis or ""
    plain = [r.record.diagnosis for r in archive.search(ArchivedSlide("SIM-0000-00"), k=8)]
    without = archive.search(Composed(ArchivedSlide("SIM-0000-00"), without=diagnosis, weight=0.5), k=8)
    places = [
        [at for at, found in enumerate(order) if found == diagnosis]
        for order in (plain, [r.record.diagnosis for r in without])
    ]
    assert np.mean(places[1]) > np.mean(places[0])
    assert any(way.weight < 0 for result in without for way in result.channels)
    texts = archive.search(TextQuery("carcinoma", patient, without=diagnosis), k=8)
    assert texts.query.without == diagnosis
    assert texts.results[0].record.diagnosis != diagnosis


def test_composed_queries_that_are_none() -> None:
    image = ArchivedSlide("SIM-0000-00")
    for weight in (-0.1, 1.1, float("nan")):
        with pytest.raises(ConfigurationError, match="not from 0 to 1"):
            Composed(image, "gland", weight=weight)
    with pytest.raises(InputError, match="no words"):
        Composed(image)
    with pytest.raises(InputError, match="is empty"):
        Composed(image, " \0 ")
    with pytest.raises(InputError, match="is empty"):
        TextQuery("gland", without="")


@pytest.mark.parametrize("query", [ArchivedSlide("SIM-0000-00"), TextQuery("gland"), ArchivedCase("SIM-0001")])
def test_pages_are_parts_of_one_list(archive: Archive, query: ArchivedSlide | TextQuery | ArchivedCase) -> None:
    whole = archive.search(query, k=6)
    pages = [archive.search(query, k=2, offset=offset) for offset in (0, 2, 4)]
    assert [(r.rank, r.slide_id) for page in pages for r in page] == [(r.rank, r.slide_id) for r in whole]
    beyond = archive.search(query, k=2, offset=50)
    assert len(beyond) == 0
    assert any("beyond the first 50" in warning for warning in beyond.warnings)


def test_one_result_a_case(archive: Archive) -> None:
    slides = archive.search(like="SIM-0000-00", k=8)
    cases = archive.search(like="SIM-0000-00", k=8, by_case=True)
    nearest: dict[str, str] = {}
    for result in slides:
        nearest.setdefault(str(result.case_id), result.slide_id)
    assert [(r.rank, r.case_id, r.slide_id) for r in cases] == [
        (rank, case, slide_id) for rank, (case, slide_id) in enumerate(nearest.items(), start=1)
    ]
    assert all(len(r.also) == 1 and r.also[0].startswith(str(r.case_id)) for r in cases)
    second = archive.search(like="SIM-0000-00", k=2, offset=2, by_case=True)
    assert [r.slide_id for r in second] == [r.slide_id for r in cases][2:4]
    words = archive.search(text="gland", k=10, by_case=True)
    assert len({r.case_id for r in words}) == len(words) == 5


def test_results_print_as_a_table(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    results = archive.search(like="SIM-0000-00", k=2)
    lines = str(results).splitlines()
    assert lines[0].split()[:4] == ["rank", "file", "slide", "score"]
    assert results.results[0].slide_id in lines[1]
    page = results._repr_html_()
    assert page.count("<tr>") == 3
    assert "<td>1</td>" in page


@pytest.mark.parametrize("spacing", [0.0, 1e-7, 0.001, 1e6, float("nan"), float("inf")])
def test_a_spacing_that_is_no_microscopes_is_refused(archive: Archive, tmp_path: Path, spacing: float) -> None:
    Image.new("RGB", (300, 300), "pink").save(tmp_path / "crop.png")
    with pytest.raises(MissingSpacing):
        archive.search(TileImage(tmp_path / "crop.png", spacing))


def test_a_patient_who_is_named_is_left_out_by_pseudonym(indexed: Path, tmp_path: Path) -> None:
    own = Archive.open(shutil.copytree(indexed, tmp_path / "own.archive"))
    first = own.records()[0].slide_id
    assert own.update(first, {"patient_id": "Schmidt, Anna"}).patient_id != "Schmidt, Anna"
    everyone = own.search(TextQuery("carcinoma"), k=20)
    others = own.search(TextQuery("carcinoma", patient_id="Anna Schmidt"), k=20)
    assert first in [one.slide_id for one in everyone]
    assert first not in [one.slide_id for one in others]
    assert len(others) == len(everyone) - 1
