"""Why a text led to a result: phrases of the report, and regions of the slide."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from histoseek.api import Archive
from histoseek.archive.reencode import reencode
from histoseek.archive.space_folders import SpaceChange
from histoseek.encoders.alignment import Affine, Alignment
from histoseek.encoders.text.registry import load_text_encoder
from histoseek.search.explain.matches import MOST_READ, TextRegions
from histoseek.search.explain.phrases import MOST_SENTENCES, add_phrases
from histoseek.search.explanation import Phrase
from histoseek.search.options import SearchOptions
from histoseek.search.queries import ArchivedSlide, Composed, ReportFile
from histoseek.search.results import SearchResult, as_text
from histoseek.search.search import search
from histoseek.statistics.clustering import normalise_rows
from tests.evaluation.archives import labelled_archive

REPORT = """DIAGNOSIS:
Invasive ductal carcinoma of the breast. The stroma is fibrous.
Tumour cells invade lymphatic vessels (lymphovascular INVASION). Adipose tissue without change.
"""


@pytest.fixture(scope="module")
def archive(indexed: Path) -> Archive:
    return Archive.open(indexed)


@pytest.fixture(scope="module")
def two(indexed: Path, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Two slides, one of them with a known report, in a shared space of a random map."""
    made = Archive.open(shutil.copytree(indexed, tmp_path_factory.mktemp("archives") / "two"))
    made.remove([one for one in made.store.slides() if one not in {"SIM-0000-00", "SIM-0001-00"}])
    made.update("SIM-0000-00", {"report": REPORT})
    matrix = np.random.default_rng(0).standard_normal((1280, 384)).astype(np.float32)
    reencode(made, SpaceChange(alignment=Alignment("ridge", Affine(matrix, np.full(384, 0.1, np.float32)), None)))
    return made


def phrases_of(archive: Archive, text: str, slide_id: str = "SIM-0000-00") -> tuple[Phrase, ...]:
    return next(result.phrases for result in archive.search(text=text, k=2) if result.slide_id == slide_id)


def marked(phrases: tuple[Phrase, ...], kind: str) -> list[str]:
    return [REPORT[one.start : one.end] for one in phrases if one.kind == kind]


def test_words_are_found_in_any_form_and_case(two: Archive) -> None:
    found = phrases_of(two, "the invasive CELL of a vessel")
    assert marked(found, "words") == ["Invasive", "cells", "vessels", "INVASION"]
    assert all(one.score == 1 for one in found if one.kind == "words")
    assert marked(phrases_of(two, "of the"), "words") == []


def test_tables_quote_a_report_from_its_nearest_sentence_on(two: Archive) -> None:
    table = as_text(two.search(text="tumour in lymphatic vessels", to="reports", k=2))
    row = next(line for line in table.splitlines() if "SIM-0000-00" in line)
    assert "… Tumour cells" in row and "DIAGNOSIS" not in row


def test_what_a_report_denies_is_no_word_of_the_text(archive: Archive) -> None:
    reports = ("Necrosis is present.", "No necrosis is seen.", "There is necrosis.")
    some = archive.search(text="necrosis", k=3).results
    told = [
        replace(result, record=replace(result.record, report=report))
        for result, report in zip(some, reports, strict=True)
    ]
    found = add_phrases(archive, told, "tumour with necrosis", None)
    words = [[report[one.start : one.end] for one in r.phrases] for r, report in zip(found, reports, strict=True)]
    assert words == [["Necrosis"], [], ["necrosis"]]


def test_sentences_are_scored_by_their_vectors(two: Archive) -> None:
    text = "cancer spreading into vessels"
    meant = [one for one in phrases_of(two, text) if one.kind == "meaning"]
    encoder = load_text_encoder("minilm")
    naive = encoder.encode([REPORT[one.start : one.end] for one in meant]) @ encoder.encode([text])[0]
    assert [one.score for one in meant] == pytest.approx(naive.tolist(), abs=1e-4)
    best = max(meant, key=lambda one: one.score)
    assert REPORT[best.start : best.end].startswith("Tumour cells invade lymphatic vessels")
    said = marked(phrases_of(two, text), "meaning")
    assert 1 <= len(said) <= 3
    assert "Adipose tissue without change." not in said
    assert not any("DIAGNOSIS" in one for one in said)


def test_phrases_are_in_the_report_s_order(archive: Archive) -> None:
    for result in archive.search(text="papillary carcinoma with necrosis", k=10):
        starts = [one.start for one in result.phrases]
        assert starts == sorted(starts)
        assert all(0 <= one.start < one.end <= len(result.record.report or "") for one in result.phrases)


def test_the_words_of_a_whole_report_are_not_marked(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_text(f"carcinoma {' '.join(f'word{i}' for i in range(40))}")
    for result in search(archive, ReportFile(tmp_path / "report.txt"), SearchOptions(k=3)):
        assert {one.kind for one in result.phrases} <= {"meaning"}


def test_without_a_text_encoder_there_are_words(tmp_path: Path) -> None:
    reports = ["Invasive carcinoma. Necrosis is present." if i % 2 else "Normal glands here." for i in range(30)]
    archive = labelled_archive(tmp_path, [i % 2 for i in range(30)], list(range(30)), tiles=8, reports=reports)
    results = archive.search(text="necrosis", k=30)
    assert len(results) == 15
    words = (Phrase(20, 28, 1.0, "words"),)
    assert [result.phrases for result in results] == [words] * 15
    many = tuple(results.results) * 2
    read = add_phrases(archive, many, "carcinoma", None)
    assert [result.phrases for result in read[:MOST_READ]] == [(Phrase(0, 18, 1.0, "words"),)] * MOST_READ
    assert read[MOST_READ:] == many[MOST_READ:]


def test_of_long_reports_the_sentences_with_the_words_are_read(two: Archive) -> None:
    filler = " ".join(f"Section {i} shows tissue of a common kind." for i in range(MOST_SENTENCES + 20))
    two.update("SIM-0001-00", {"report": f"{filler} Necrosis is seen in one corner."})
    record = two.get("SIM-0001-00").record
    meant = [one for one in phrases_of(two, "necrosis", "SIM-0001-00") if one.kind == "meaning"]
    best = max(meant, key=lambda one: one.score)
    assert (record.report or "")[best.start : best.end] == "Necrosis is seen in one corner."


def test_regions_nearest_to_a_text_come_from_the_shared_space(two: Archive) -> None:
    text = "papillary structures"
    matrix = np.random.default_rng(0).standard_normal((1280, 384)).astype(np.float32)
    vector = load_text_encoder("minilm").encode([text])[0]
    for result in two.search(text=text, k=2):
        slide = two.get(result.slide_id)
        signature = slide.signature
        naive = normalise_rows(signature.mosaic.astype(np.float32) @ matrix + 0.1) @ vector
        order = np.argsort(-naive)[:3]
        regions = TextRegions.create(two.language.alignment, vector, offset=0, least=-1)
        assert regions
        shown = regions.explain(result, slide).text_regions
        assert [one.mosaic for one in shown] == order.tolist()
        assert [one.similarity for one in shown] == pytest.approx(naive[order].tolist(), abs=1e-4)
        # Maps of random numbers bring no region nearer to a text than chance does.
        assert result.text_regions == ()
        for one in shown:
            x, y = signature.mosaic_tiles[one.mosaic].coords[0]
            assert one.region
            assert (one.region.x, one.region.y, one.region.width) == (x, y, 224)


def test_without_a_shared_space_there_are_no_regions(archive: Archive) -> None:
    assert all(result.text_regions == () for result in archive.search(text="papillary", k=3))


def test_words_beside_an_image_are_explained_as_alone(two: Archive) -> None:
    text = "invasion of vessels"
    alone = {result.slide_id: result for result in two.search(text=text, k=2)}
    together = search(two, Composed(ArchivedSlide("SIM-0001-00"), text), SearchOptions(k=1)).results[0]
    assert together.slide_id == "SIM-0000-00"
    assert (together.phrases, together.text_regions) == (
        alone["SIM-0000-00"].phrases,
        alone["SIM-0000-00"].text_regions,
    )
    unwanted = search(two, Composed(ArchivedSlide("SIM-0001-00"), without=text), SearchOptions(k=1)).results[0]
    assert (unwanted.phrases, unwanted.text_regions) == ((), ())


def test_results_without_a_report_have_no_phrases(archive: Archive) -> None:
    blank = SearchResult(1, "a", None, 0, None, None, None, (), (), archive.records()[0])
    silent = replace(blank, record=replace(blank.record, report=None))
    vector = load_text_encoder("minilm").encode(["necrosis"])[0]
    assert add_phrases(archive, [silent], "necrosis", vector)[0].phrases == ()
    assert add_phrases(archive, [], "necrosis", vector) == ()
