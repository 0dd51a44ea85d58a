"""Words look at metadata, file names and ids beside reports, whether all, few or none of the slides have one."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np
import pytest

from histoseek.api import Archive
from histoseek.archive.report_index import make_record_mark
from histoseek.archive.schema import RECORD_TOKENS
from histoseek.encoders.recipe import Recipe
from histoseek.errors import ArchiveError
from histoseek.search.options import SearchOptions
from histoseek.search.queries import ArchivedSlide, Composed, TextQuery
from histoseek.search.search import search

SLIDES: Mapping[str, Mapping[str, object]] = {
    "TCGA-55-8092-01Z-00-DX1": {"diagnosis": "lung adenocarcinoma", "organ": "lung", "patient_id": "TCGA-55-8092"},
    "TCGA-18-5592-01Z-00-DX1": {"diagnosis": "lung squamous cell carcinoma", "organ": "lung", "patient_id": "P2"},
    "S12-345_6": {"diagnosis": "lung_scc", "organ": "lung", "patient_id": "P3"},
    "S12-346_1": {"diagnosis": "SCC", "organ": "larynx", "patient_id": "P4"},
    "c1": {"diagnosis": "colon adenocarcinoma", "organ": "colon", "patient_id": "P5", "grade": 3},
    "c2": {"diagnosis": "normal colon mucosa", "organ": "colon", "patient_id": "P6", "scanner": "Aperio AT2"},
    "c3": {"diagnosis": "no carcinoma", "organ": "colon", "patient_id": "P7", "necrosis": "no"},
    "k1": {"diagnosis": "none", "organ": "kidney", "patient_id": "P8", "her2": "positive"},
}
SCC = {"TCGA-18-5592-01Z-00-DX1", "S12-345_6"}


def _make(folder: Path, reports: Mapping[str, str], text_encoder: str = "none") -> Archive:
    (folder / "features").mkdir()
    rng = np.random.default_rng(0)
    for slide_id in SLIDES:
        with h5py.File(folder / "features" / f"{slide_id}.h5", "w") as file:
            file["features"] = rng.standard_normal((6, 16)).astype(np.float32)
    archive = Archive.create(folder / "archive", Recipe(encoder="features:test"), text_encoder=text_encoder)
    rows = [{"slide_id": slide_id, **cells} for slide_id, cells in SLIDES.items()]
    texts = [{"slide_id": slide_id, "report": text} for slide_id, text in reports.items()]
    archive.index([folder / "features"], metadata=rows, reports=texts or None)  # type: ignore[arg-type]
    return archive


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Without a report."""
    return _make(tmp_path_factory.mktemp("bare"), {})


@pytest.fixture
def own(bare: Archive, tmp_path: Path) -> Archive:
    return Archive.open(shutil.copytree(bare.path.parent, tmp_path / "own") / bare.path.name)


def _first(archive: Archive, text: str, count: int, **keywords: object) -> set[str]:
    return {result.slide_id for result in list(archive.search(text=text, **keywords))[:count]}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "query", ["lung squamous cell carcinoma", "SCC lung", "squamous cell carcinoma of the lung", "LUSC", "lung scc"]
)
def test_an_exact_diagnosis_comes_first_without_any_report(bare: Archive, query: str) -> None:
    assert _first(bare, query, 2) == SCC


@pytest.mark.parametrize(
    ("query", "slide_id"),
    [
        *(
            (query, "TCGA-55-8092-01Z-00-DX1")
            for query in ("TCGA-55", "tcga-55-8092", "8092", "TCGA-55-8092-01Z-00-DX1.h5")
        ),
        *((query, "S12-345_6") for query in ("S12-345/6", "s12-345")),
        ("normal colon mucosa", "c2"),
        ("healthy bowel lining", "c2"),
        ("Aperio", "c2"),
        ("grade 3", "c1"),
        ("HER2 positive", "k1"),
        ("kidney", "k1"),
    ],
)
def test_whatever_the_archive_knows_is_found(bare: Archive, query: str, slide_id: str) -> None:
    results = bare.search(text=query)
    assert results.results[0].slide_id == slide_id
    assert results.query.searched_for is None
    assert not any("has this word" in warning for warning in results.warnings)


def test_denials_conditions_and_fields_reach_metadata(bare: Archive) -> None:
    assert _first(bare, "no carcinoma", 9) == {"c2", "c3"}
    assert _first(bare, "carcinoma", 9).isdisjoint({"c2", "c3", "k1"})
    assert _first(bare, "colon -adenocarcinoma", 9) == {"c2", "c3"}
    assert _first(bare, '"normal colon"', 9) == {"c2"}
    assert "c2" not in _first(bare, 'colon -"normal colon"', 9)
    assert _first(bare, "organ:lung", 9) == {*SCC, "TCGA-55-8092-01Z-00-DX1"}
    assert _first(bare, "organ:lung squamous", 9) == SCC
    assert _first(bare, '"TCGA-55-8092"', 9) == {"TCGA-55-8092-01Z-00-DX1"}
    assert "TCGA-55-8092-01Z-00-DX1" not in _first(bare, "lung -TCGA-55", 9)
    assert _first(bare, "none", 9) == set()


def test_filters_and_the_named_patient_hold(bare: Archive) -> None:
    assert _first(bare, "carcinoma", 9, where="organ = 'colon'") == {"c1"}
    found = search(bare, TextQuery("TCGA-55-8092", patient_id="TCGA-55-8092"), SearchOptions(k=9))
    assert "TCGA-55-8092-01Z-00-DX1" not in {result.slide_id for result in found}


def test_words_beside_an_image_look_at_metadata(bare: Archive) -> None:
    query = Composed(ArchivedSlide("c1"), text="kidney", weight=0.9)
    assert search(bare, query, SearchOptions(k=9)).results[0].slide_id == "k1"


def test_misspelt_words_are_corrected_to_those_of_metadata_and_names_are_none(own: Archive) -> None:
    own.update("k1", {"organ": "xylophagum"})
    assert own.search(text="xylophagun").query.searched_for == "xylophagum"
    assert own.search(text="xylophagum").query.searched_for is None
    assert own.search(text="TCGE-55-8092").query.searched_for is None


def test_what_changes_is_found_at_once_and_what_is_gone_no_more(own: Archive) -> None:
    own.update("k1", {"diagnosis": "thymoma"})
    assert _first(own, "thymoma", 1) == {"k1"}
    rows = [{"slide_id": "k1", "diagnosis": "mesothelioma", "remark": "sent by courier"}]
    own.index([own.path.parent / "features"], metadata=rows)
    assert _first(own, "mesothelioma", 1) == {"k1"}
    assert _first(own, "courier", 9) == {"k1"}
    assert _first(own, "thymoma -carcinoma", 9) == {"k1"}
    own.update("k1", {"diagnosis": "normal kidney"})
    assert "k1" not in _first(own, "thymoma mesothelioma", 9)
    own.remove(["k1"])
    assert _first(own, "courier", 9) == set()


def test_reports_are_reached_by_the_metadata_of_their_slides(tmp_path: Path) -> None:
    archive = _make(tmp_path, {"c1": "Glands in a desmoplastic stroma.", "c2": "Regular glands."})
    results = archive.search(text="normal colon mucosa", to="reports")
    assert {result.slide_id for result in results} <= {"c1", "c2"}
    assert results.results[0].slide_id == "c2"


def test_an_older_archive_says_so_and_is_upgraded(own: Archive) -> None:
    _forget_records(own)
    older = Archive.open(own.path)
    with pytest.raises(ArchiveError, match="upgrade"):
        older.search(text="thymoma")
    older.update("c1", {"report": "Glands in a desmoplastic stroma."})
    found = older.search(text="normal colon mucosa")
    assert any("not searched yet" in warning for warning in found.warnings)
    assert _first(older, '"desmoplastic stroma" -thymoma', 9) == {"c1"}
    older.upgrade()
    assert older.store.record_analyser == make_record_mark()
    assert _first(older, "lung squamous cell carcinoma", 2) == SCC
    assert not any("not searched yet" in warning for warning in older.search(text="thymoma").warnings)


def _forget_records(archive: Archive) -> None:
    """Take from a table what archives of older versions lack."""
    import lancedb

    table = lancedb.connect(archive.layout.store).open_table("slides")
    table.drop_columns([RECORD_TOKENS])


@pytest.mark.parametrize("query", ["Plattenepithelkarzinom der Lunge", "carcinome épidermoïde du poumon"])
def test_other_languages_meet_english(bare: Archive, query: str) -> None:
    results = bare.search(text=query)
    assert {result.slide_id for result in results.results[:2]} == SCC and results.results[0].fits
    assert results.query.searched_for == "squamous cell carcinoma of lung"
    assert bare.search(text=query, verbatim=True).query.searched_for is None


@pytest.mark.parametrize("query", ["lung adenocarcinoma", "Lungenkarzinom", "LUAD"])
def test_english_meets_other_languages(own: Archive, query: str) -> None:
    own.update("k1", {"diagnosis": "Adenokarzinom der Lunge", "organ": "Lunge"})
    assert "k1" in {result.slide_id for result in own.search(text=query) if result.fits}
