"""Searching: order, filters, exclusion, explanation, output."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from histoseek.api import Archive
from histoseek.errors import BadFilter, ConfigurationError, InputError, SlideNotFound, UnknownSlide
from histoseek.jsonable import plain
from histoseek.search.options import SearchOptions
from histoseek.search.present.page import render_page
from histoseek.search.queries import ArchivedSlide, SlideFile
from histoseek.search.search import search
from histoseek.slides.slide import open_slide


@pytest.fixture(scope="module")
def archive(indexed: Path) -> Archive:
    return Archive.open(indexed)


def test_a_copy_in_another_format_finds_its_original(archive: Archive, cohort: Path, tmp_path: Path) -> None:
    for number in range(5):
        with open_slide(cohort / f"SIM-000{number}-01.tiff") as slide:
            pixels = slide.read_level(0, 0, 0, slide.size.width, slide.size.height)
        Image.fromarray(pixels).save(tmp_path / "copy.jpg", quality=70)
        found = archive.search(SlideFile(tmp_path / "copy.jpg", spacing_um_per_px=0.5), k=1)
        assert found.results[0].slide_id == f"SIM-000{number}-01"
        assert any("patient is not known" in warning for warning in found.warnings)


def test_own_slide_and_patient_are_left_out(archive: Archive, cohort: Path) -> None:
    for results in (archive.search(like="SIM-0002-00", k=10), archive.search(cohort / "SIM-0002-00.tiff", k=10)):
        assert len(results) == 8
        assert "SIM-0002" not in {result.case_id for result in results}
    with_patient = archive.search(like="SIM-0002-00", k=10, same_patient=True)
    assert "SIM-0002-00" not in {result.slide_id for result in with_patient}
    assert "SIM-0002-01" in {result.slide_id for result in with_patient}


def test_a_file_is_searched_as_its_archived_slide(archive: Archive, cohort: Path) -> None:
    by_file = archive.search(SlideFile(cohort / "SIM-0001-01.tiff", spacing_um_per_px=0.5), k=5)
    by_id = archive.search(like="SIM-0001-01", k=5)
    assert [r.slide_id for r in by_file] == [r.slide_id for r in by_id]
    assert [r.score for r in by_file] == pytest.approx([r.score for r in by_id])


def test_two_stages_equal_exact_ranking_and_naive_order(archive: Archive) -> None:
    fast = archive.search(like="SIM-0003-00", k=8)
    exact = archive.search(like="SIM-0003-00", k=8, exact=True)
    assert (fast.mode, exact.mode) == ("two-stage", "exact")
    assert [(r.slide_id, r.score) for r in fast] == [(r.slide_id, r.score) for r in exact]
    assert [r.score for r in exact] == sorted((r.score for r in exact), reverse=True)
    query = archive.get("SIM-0003-00").signature
    for result in exact:
        other = archive.get(result.slide_id).signature
        cosine = float(query.global_vector.astype(float) @ other.global_vector.astype(float))
        assert result.global_ == pytest.approx(1 - cosine, abs=1e-5)
        assert 1 - result.score == pytest.approx((result.local + result.global_) / 2)


def test_filters_patients_and_mistakes(archive: Archive, cohort: Path, tmp_path: Path) -> None:
    lungs = archive.search(like="SIM-0000-00", k=10, where="organ = 'lung'")
    assert {result.record.organ for result in lungs} == {"lung"}
    assert any("only 2 slides" in warning for warning in lungs.warnings)
    assert len(archive.search(like="SIM-0000-00", where="organ = 'moon'")) == 0
    with pytest.raises(BadFilter, match="orgn"):
        archive.search(like="SIM-0000-00", where="orgn = 'lung'")
    with pytest.raises(BadFilter):
        archive.search(like="SIM-0000-00", where="1=1) OR (1=1")
    with pytest.raises(UnknownSlide):
        archive.search(like="nobody's")
    with pytest.raises(SlideNotFound):
        archive.search(tmp_path / "none.svs")
    with pytest.raises(ConfigurationError):
        SearchOptions(k=0)
    with pytest.raises(InputError):
        archive.search()


def test_the_papers_distance_can_be_asked_for(archive: Archive) -> None:
    results = search(archive, ArchivedSlide("SIM-0004-00"), SearchOptions(k=3, distance="pathsearch-paper"))
    for result in results:
        assert 1 - result.score == pytest.approx(result.local + 200 * result.global_)
    with pytest.raises(ConfigurationError, match="symmetric"):
        search(archive, ArchivedSlide("SIM-0004-00"), SearchOptions(distance="nearest"))


def test_matches_name_regions_that_lie_on_the_slides(archive: Archive) -> None:
    for result in archive.search(like="SIM-0000-00", k=4):
        assert len(result.matches) == 3
        for match in result.matches:
            for region in (match.query_region, match.result_region):
                assert region is not None
                assert (region.width, region.height) == (224, 224)
                assert 0 <= region.x <= 768 - 224
                assert 0 <= region.y <= 768 - 224
        shares = [match.contribution for match in result.matches]
        assert shares == sorted(shares, reverse=True)


def test_json_has_the_documented_fields(archive: Archive) -> None:
    found = json.loads(archive.search(like="SIM-0000-00", k=2).to_json())
    assert set(found) == {
        *("query", "mode", "elapsed_ms", "results", "warnings", "calibrated_for", "labels", "novelty", "vote"),
        *("left_out", "false_alarms", "nothing_fits", "least_score", "field_um"),
    }
    assert (found["calibrated_for"], found["labels"], found["novelty"], found["vote"]) == (None, None, None, None)
    fields = {"rank", "slide_id", "case_id", "score", "probability", "local", "global", "matches", "ways", "record"}
    fields |= {"query_slide", "also", "explanation", "phrases", "text_regions", "matched_fields", "fits"}
    fields |= {"region", "outline", "case_parts", "label_unknown", "neighbours", "fields", "closeness"}
    assert all(set(result) == fields for result in found["results"])
    assert found["results"][0]["probability"] is None
    assert isinstance(found["results"][0]["record"]["extra"]["age"], int)


def test_the_page_is_self_contained_and_escapes(archive: Archive, indexed: Path) -> None:
    results = archive.search(like="SIM-0000-00", k=2)
    page = render_page(results, "<script>alert(1)</script>")
    assert "<script" not in page
    assert not re.search(r"(src|href)\s*=\s*[\"'](?!data:)", page)
    assert "url(" not in page
    assert page.count("data:image/jpeg") == 2 * (2 + 4 + 2 * 3)
    assert "not a medical device" in page


def test_a_page_of_slides_that_are_gone_says_so(archive: Archive) -> None:
    results = archive.search(like="SIM-0000-00", k=1)
    import dataclasses

    gone = dataclasses.replace(
        results.results[0], record=dataclasses.replace(results.results[0].record, uri="/nowhere/slide.svs")
    )
    page = render_page(dataclasses.replace(results, results=(gone,)), "gone")
    assert "This slide's file is not at hand" in page or "This slide&#39;s file is not at hand" in page


def test_real_fields_find_their_organ_better_than_chance(shared_data: Path, tmp_path: Path) -> None:
    from histoseek.encoders.recipe import Recipe

    archive = Archive.create(tmp_path / "monuseg", Recipe(spacing_um_per_px=0.25))
    rename = {"patient_or_group": "patient_id"}
    fields = sorted((shared_data / "tiles" / "monuseg").iterdir())[::2]
    report = archive.index(fields, shared_data / "manifest.csv", rename=rename)
    assert (report.added, report.refused) == (16, ())
    records = archive.records()
    organs = [record.organ for record in records]
    hits = [archive.search(like=r.slide_id, k=1).results[0].record.organ == r.organ for r in records]
    chance = np.mean([(organs.count(organ) - 1) / (len(organs) - 1) for organ in organs])
    assert np.mean(hits) > 3 * chance


def test_numbers_that_json_lacks_are_null() -> None:
    assert plain({"age": float("nan"), "size": [float("inf"), 1.5]}) == {"age": None, "size": [None, 1.5]}
