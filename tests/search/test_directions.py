"""The four directions: from slides and texts to slides and reports."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoseek.api import Archive
from histoseek.archive.reencode import reencode
from histoseek.archive.space_folders import SpaceChange
from histoseek.encoders.alignment import Affine, Alignment
from histoseek.encoders.text.registry import load_text_encoder
from histoseek.errors import ArchiveError, ConfigurationError, InputError
from histoseek.search.options import SearchOptions
from histoseek.search.present.page import render_page
from histoseek.search.queries import ReportFile, SlideFile, TextQuery
from histoseek.search.retrieve.channels import Channel
from histoseek.search.retrieve.rank_fusion import reciprocal_rank_fusion
from histoseek.search.search import search
from histoseek.statistics.clustering import normalise_rows


@pytest.fixture(scope="module")
def archive(indexed: Path) -> Archive:
    return Archive.open(indexed)


@pytest.fixture(scope="module")
def aligned(indexed: Path, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """The cohort with a random linear map of slides to texts."""
    archive = Archive.open(shutil.copytree(indexed, tmp_path_factory.mktemp("archives") / "aligned"))
    matrix = np.random.default_rng(0).standard_normal((1280, 384)).astype(np.float32)
    offset = np.zeros(384, np.float32)
    reencode(archive, SpaceChange(alignment=Alignment("ridge", Affine(matrix, offset), None)))
    return archive


def reports_of(cohort: Path) -> dict[str, str]:
    with (cohort / "reports.csv").open(newline="") as file:
        return {row["slide_id"]: row["report"] for row in csv.DictReader(file)}


def test_a_text_finds_the_reports_nearest_to_it_and_their_slides(archive: Archive) -> None:
    encoder = load_text_encoder("minilm")
    records = archive.records()
    cosines = encoder.encode([r.report or "" for r in records]) @ encoder.encode(["tumour in fibrous tissue"])[0]
    for to in ("slides", "reports"):
        found = archive.search(text="tumour in fibrous tissue", to=to, k=10)  # type: ignore[arg-type]
        by_vector = {r.slide_id: w for r in found for w in r.channels if w.name == "report vectors"}
        assert len(by_vector) == 10
        for record, cosine in zip(records, cosines, strict=True):
            assert by_vector[record.slide_id].score == pytest.approx(float(cosine), abs=1e-5)
        ranks = sorted(by_vector.values(), key=lambda way: way.rank)
        assert [way.score for way in ranks] == sorted((way.score for way in ranks), reverse=True)
        assert (found.query.kind, found.query.to, found.mode) == ("text", to, "fused")


def test_words_of_a_report_find_it(archive: Archive, cohort: Path, tmp_path: Path) -> None:
    slide_id, report = sorted(reports_of(cohort).items())[3]
    (tmp_path / "report.txt").write_text("\ufeff" + report, encoding="utf-8")
    found = search(archive, ReportFile(tmp_path / "report.txt"), SearchOptions(k=10, to="reports"))
    same = [r.slide_id for r in found if r.record.report == report]
    assert slide_id in same
    assert [r.slide_id for r in found][: len(same)] == same
    assert {"report vectors", "report words"} <= {way.name for way in found.results[0].channels}
    assert found.query.text is None
    assert found.query.kind == "report"


def test_filters_and_the_named_patient_hold_for_texts(archive: Archive) -> None:
    record = archive.records()[0]
    text = str(record.report)
    own = search(archive, TextQuery(text), SearchOptions(k=10))
    assert record.patient_id in {r.record.patient_id for r in own}
    other = search(archive, TextQuery(text, record.patient_id), SearchOptions(k=10))
    assert record.patient_id not in {r.record.patient_id for r in other}
    lungs = archive.search(text=text, where="organ = 'lung'", k=10)
    assert {r.record.organ for r in lungs} == {"lung"}
    nothing = archive.search(text=text, where="organ = 'moon'", k=3)
    assert len(nothing) == 0
    assert any("only 0 slides" in warning for warning in nothing.warnings)


def test_a_slide_finds_reports_through_similar_slides(archive: Archive) -> None:
    slides = archive.search(like="SIM-0002-00", k=4)
    reports = archive.search(like="SIM-0002-00", k=4, to="reports")
    assert [r.slide_id for r in reports] == [r.slide_id for r in slides]
    assert {way.name for r in reports for way in r.channels} == {"similar slides"}
    assert any("not aligned" in warning for warning in reports.warnings)


def test_the_shared_space_adds_a_way(aligned: Archive) -> None:
    text = "papillary structures"
    encoder = load_text_encoder("minilm")
    alignment = aligned.language.alignment
    assert alignment
    records = aligned.records()
    slides = np.stack([aligned.get(r.slide_id).signature.global_vector for r in records])
    matrix = np.random.default_rng(0).standard_normal((1280, 384)).astype(np.float32)
    naive = normalise_rows(slides @ matrix) @ encoder.encode([text])[0]
    found = aligned.search(text=text, k=10)
    ways = {r.slide_id: {w.name: w for w in r.channels} for r in found}
    for record, cosine in zip(records, naive, strict=True):
        assert ways[record.slide_id]["shared space"].score == pytest.approx(float(cosine), abs=1e-5)
    assert {"shared space", "report vectors"} <= set(ways[records[0].slide_id])
    to_reports = aligned.search(like=records[0].slide_id, to="reports", k=8)
    assert {w.name for r in to_reports for w in r.channels} == {"shared space", "similar slides"}
    assert records[0].case_id not in {r.case_id for r in to_reports}
    assert not any("not aligned" in warning for warning in to_reports.warnings)


def test_json_and_page_of_a_text_search(archive: Archive) -> None:
    found = archive.search(text="<b>necrosis</b>", k=2)
    facts = json.loads(found.to_json())
    assert facts["results"][0]["local"] is None
    assert set(facts["results"][0]["ways"][0]) == {"name", "rank", "score", "weight"}
    page = render_page(found, "text")
    assert "<b>necrosis" not in page
    assert "&lt;b&gt;necrosis" in page
    assert page.count("data:image/jpeg") == 2


def test_texts_that_lead_nowhere_are_told(cohort: Path, tmp_path: Path, archive: Archive) -> None:
    bare = Archive.create(tmp_path / "bare")
    bare.index([cohort / "SIM-0000-00.tiff"])
    assert not len(bare.search(text="necrosis"))
    with pytest.raises(ArchiveError, match="has no reports"):
        bare.search(text="necrosis", to="reports")
    with pytest.raises(InputError, match="is empty"):
        archive.search(text=" \n")
    with pytest.raises(ArchiveError, match="has no reports"):
        bare.search(like=bare.records()[0].slide_id, to="reports")
    with pytest.raises(ConfigurationError, match="too many"):
        SearchOptions(k=10**20)
    with pytest.raises(ConfigurationError, match="--to"):
        SearchOptions(to="cells")  # type: ignore[arg-type]


def test_without_a_text_encoder_reports_are_found_by_words(cohort: Path, tmp_path: Path) -> None:
    archive = Archive.create(tmp_path / "words", text_encoder="none")
    archive.index([cohort], cohort / "metadata.csv", cohort / "reports.csv")
    assert not archive.require_space().has_texts
    found = archive.search(text=str(archive.records()[0].report), to="reports", k=3)
    assert {way.name for r in found for way in r.channels} <= {"report words", "metadata words"}
    assert any("no text encoder" in warning for warning in found.warnings)


def test_a_slide_without_a_report_is_found_through_the_shared_space(aligned: Archive, cohort: Path) -> None:
    """It can't be reached through reports, and that must not count against it."""
    aligned.update("SIM-0004-01", {"report": None})
    text = "in loose structures"
    alone = aligned.get("SIM-0004-01").language.shared_vector
    alignment = aligned.language.alignment
    assert alignment and alone is not None
    best = aligned.search(text=text, k=10)
    found = next(r for r in best if r.slide_id == "SIM-0004-01")
    assert 0 <= found.score <= 1
    assert [w.name for w in found.channels] == ["shared space"]


def test_a_named_patient_is_left_out_for_an_archived_file(archive: Archive, cohort: Path) -> None:
    record = archive.get("SIM-0003-00").record
    query = SlideFile(cohort / "SIM-0000-00.tiff", patient_id=record.patient_id)
    assert record.patient_id not in {r.record.patient_id for r in search(archive, query, SearchOptions(k=10))}


weights = st.floats(0.1, 1) | st.floats(-1, -0.1)
rankings = st.lists(
    st.tuples(weights, st.lists(st.sampled_from("abcdefgh"), unique=True, max_size=8)), min_size=1, max_size=4
)


@given(rankings)
def test_fusion_equals_a_naive_weighted_sum(lists: list[tuple[float, list[str]]]) -> None:
    found = reciprocal_rank_fusion(
        [Channel("report words", tuple(ids), tuple(-float(i) for i in range(len(ids))), w) for w, ids in lists]
    )
    in_all = sum(weight for weight, _ in lists if weight > 0)
    naive = {
        name: sum(weight * 61 / (60 + ids.index(name) + 1) for weight, ids in lists if name in ids) / in_all
        for name in {name for weight, ids in lists for name in ids if weight > 0}
    }
    wanted = sorted(naive, key=lambda name: (-naive[name], name))
    assert {one.slide_id for one in found} == set(wanted)
    assert [one.score for one in found] == pytest.approx([naive[name] for name in wanted])
    assert all(one.score <= 1 for one in found)
