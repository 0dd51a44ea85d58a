"""Search in reports: words, concepts, phrases, fields, what is denied, and similar reports."""

from __future__ import annotations

import csv
import json
import math
import shutil
from collections import Counter
from itertools import product
from pathlib import Path

import h5py
import numpy as np
import pytest

from histoseek.api import Archive
from histoseek.archive.reencode import reencode
from histoseek.archive.report_index import MOST_WINDOWS, split_windows
from histoseek.archive.space_folders import SpaceChange
from histoseek.archive.stores.base import Capabilities
from histoseek.archive.stores.slides import SlideTable
from histoseek.encoders.recipe import Recipe
from histoseek.encoders.text.registry import load_text_encoder
from histoseek.errors import ConfigurationError, InputError, UnknownSlide
from histoseek.reports.index.analyser import find_spans, join_places, list_tokens
from histoseek.reports.index.weighting import Weighting, weigh_tokens
from histoseek.search.queries import ArchivedReport, ArchivedSlide, Composed, ReportFile
from histoseek.search.retrieve.channels import (
    BALANCE,
    MOST_OF_LONG,
    REPORTS_WEIGHT,
    count_missing_words,
    find_vector_share,
)

_SECTIONS = (
    "fibrous tissue with sparse lymphocytes and a few dilated vessels",
    "adipose tissue without other findings",
    "normal glands in several lobules with preserved architecture",
    "stromal sclerosis with rare inflammation",
    "a cyst lined by apocrine cells with eosinophilic cytoplasm",
    "skin with regular adnexal structures",
    "an isolated focus of amyloid around small arteries",
    "skeletal muscle fibres of regular calibre",
)
LONG = " ".join(f"Section {number} shows {what}." for number, what in enumerate(_SECTIONS))
REPORTS = {
    "breast3": ("P1", "Breast, core biopsy: invasive ductal carcinoma, grade III. Necrosis is present. HER2 2+. pT2a."),
    "breast1": ("P1", "Breast, excision: invasive ductal carcinoma, grade 1. No necrosis. ER positive."),
    "lobular": ("P2", "Breast, biopsy: invasive lobular carcinoma, grade 2. No lymphovascular invasion."),
    "prostate": ("P3", "Prostate, biopsy: acinar adenocarcinoma, Gleason score 3+4=7. Perineural invasion is seen."),
    "benign": ("P4", "Prostate, biopsy: no tumor present. Chronic inflammation."),
    "maybe": ("P5", "Lung, biopsy: atypical cells, suspicious for adenocarcinoma."),
    "lung": ("P6", "Lung, biopsy: small cell carcinoma with extensive necrosis."),
    "signet": ("P7", "Stomach, biopsy: signet-ring cell carcinoma."),
    "chinese": ("P8", "胃活检:腺癌,可见坏死。"),
    "hebrew": ("P9", "ביופסיה מהקיבה: דלקת כרונית"),
    "long": ("P10", LONG),
    "none": ("P11", ""),
}


def make_archive(folder: Path, text_encoder: str) -> Archive:
    rng = np.random.default_rng(0)
    (folder / "features").mkdir()
    for slide_id in REPORTS:
        with h5py.File(folder / "features" / f"{slide_id}.h5", "w") as file:
            file["features"] = rng.standard_normal((6, 16)).astype(np.float32)
            file["coords"] = rng.integers(0, 4000, (6, 2))
            file["coords"].attrs["patch_size_level0"] = 512
    for name, columns in (("meta", ("slide_id", "patient_id", "age", "organ")), ("reports", ("slide_id", "report"))):
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            for slide_id, (patient, report) in REPORTS.items():
                writer.writerow((slide_id, patient, len(slide_id), "") if name == "meta" else (slide_id, report))
    archive = Archive.create(folder / "archive", Recipe(encoder="features:test"), text_encoder=text_encoder)
    archive.index([folder / "features"], folder / "meta.csv", folder / "reports.csv", deidentify=False)
    return archive


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return make_archive(tmp_path_factory.mktemp("reports"), "minilm")


@pytest.fixture(scope="module")
def wordless(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Without a text encoder."""
    return make_archive(tmp_path_factory.mktemp("words"), "none")


def found(archive: Archive, text: str, **options: object) -> list[str]:
    return [result.slide_id for result in archive.search(text=text, k=20, **options)]  # type: ignore[arg-type]


def by_words(archive: Archive, text: str, **options: object) -> list[str]:
    results = archive.search(text=text, k=20, **options)  # type: ignore[arg-type]
    ranked = {way.rank: one.slide_id for one in results for way in one.channels if way.name == "report words"}
    return [ranked[rank] for rank in sorted(ranked)]


def test_bm25_is_that_of_the_tokens(wordless: Archive) -> None:
    query = "invasive carcinoma with necrosis, grade 3"
    documents = {name: list_tokens(report) for name, (_, report) in REPORTS.items() if report}
    average = sum(map(len, documents.values())) / len(documents)
    holding = Counter(token for own in documents.values() for token in set(own))

    def score(own: tuple[str, ...]) -> float:
        total = 0.0
        for token, weight in weigh_tokens(query, Weighting()).items():
            idf = math.log(1 + (len(documents) - holding[token] + 0.5) / (holding[token] + 0.5))
            often = own.count(token)
            total += weight * idf * often * 2.2 / (often + 1.2 * (0.25 + 0.75 * len(own) / average))
        return total

    expected = {name: score(own) for name, own in documents.items() if score(own) > 0}
    hits = {hit.slide_id: hit.score for hit in wordless.store.text(weigh_tokens(query, Weighting()), 20, None)}
    assert hits == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize("query", ["necrosis", "necrotic", "tumour necrosis"])
def test_a_finding_does_not_hit_its_denial(archive: Archive, query: str) -> None:
    assert set(by_words(archive, query)[:2]) == {"breast3", "lung"}
    assert "breast1" not in found(archive, query)


@pytest.mark.parametrize("query", ["no necrosis", "without necrosis", "necrosis is absent", "negative for necrosis"])
def test_a_denial_alone_hits_what_is_denied(archive: Archive, query: str) -> None:
    results = found(archive, query)
    assert results[0] == "breast1"
    assert not {"breast3", "lung"} & set(results)


@pytest.mark.parametrize(
    "query",
    [
        "invasive ductal carcinoma of high grade in a core biopsy of the breast, no necrosis",
        "Breast with invasive ductal carcinoma of grade 3 and HER2 2+. There is no necrosis.",
    ],
)
def test_a_denial_in_a_longer_text_leaves_nothing_out(archive: Archive, query: str) -> None:
    results = archive.search(text=query, k=20)
    assert "breast3" in {one.slide_id for one in list(results)[:2]} and results.left_out is None


def test_a_denial_beside_a_diagnosis_is_preferred(archive: Archive) -> None:
    assert found(archive, "invasive ductal carcinoma without necrosis")[0] == "breast1"
    assert found(archive, "invasive ductal carcinoma with necrosis")[0] == "breast3"


@pytest.mark.parametrize(
    ("query", "left_out"),
    [
        ("no necrosis", 2),
        ("biopsy -necrosis", 2),
        ("organ:breast", 9),
        ("carcinoma with necrosis", None),
    ],
)
def test_it_is_told_how_many_conditions_left_out(archive: Archive, query: str, left_out: int | None) -> None:
    results = archive.search(text=query, k=20)
    assert results.left_out == left_out
    assert ("slides were left out" in str(results)) == (left_out is not None)


@pytest.mark.parametrize(
    ("query", "agreeing"),
    [
        ("breast carcinoma grade 3", "breast3"),
        ("breast carcinoma grade 1", "breast1"),
        ("HER2 2+", "breast3"),
        ("Gleason 3+4", "prostate"),
        ("ductal carcinoma pT2a", "breast3"),
    ],
)
def test_grades_and_stages_are_facts(archive: Archive, query: str, agreeing: str) -> None:
    assert found(archive, query)[0] == agreeing


def test_other_words_and_broader_ones_find_the_same(wordless: Archive) -> None:
    assert set(by_words(wordless, "IDC")) >= {"breast3", "breast1"}
    assert "signet" in by_words(wordless, "signet ring cell carcinoma")
    assert {"prostate", "signet"} <= set(by_words(wordless, "adenocarcinoma"))
    assert by_words(wordless, "IDC", expand=False) == []


def test_what_is_suspected_comes_behind_what_is_certain(wordless: Archive) -> None:
    ranked = by_words(wordless, "adenocarcinoma")
    assert "maybe" in ranked and ranked.index("prostate") < ranked.index("maybe")
    assert by_words(wordless, "suspicious for adenocarcinoma")[0] == "maybe"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("grade:3", {"breast3"}),
        ("grade:III", {"breast3"}),
        ("organ:breast", {"breast3", "breast1", "lobular"}),
        ("organ:breast -grade:2", {"breast3", "breast1"}),
        ("pt:2a", {"breast3"}),
        ("gleason:7 organ:prostate", {"prostate"}),
        ("gradegroup:2", {"prostate"}),
        ("her2:2+", {"breast3"}),
        ("ER:positive", {"breast1"}),
        ("absent:necrosis", {"breast1"}),
        ("possible:adenocarcinoma", {"maybe"}),
        ('diagnosis:"small cell carcinoma"', {"lung"}),
        ("diagnosis:carcinoma organ:lung", {"lung"}),
        ("patient_id:p1", {"breast3", "breast1"}),
        ("slide_id:none", {"none"}),
        ("age:8", {"prostate"}),
        ("organ:nowhere", set()),
        ("organ:x'y", set()),
        ("patient_id:x'/**/OR/**/'1'='1", set()),
    ],
)
def test_fields_filter(archive: Archive, wordless: Archive, query: str, expected: set[str]) -> None:
    assert set(found(archive, query)) == expected
    assert set(found(wordless, query)) == expected


def test_an_unknown_field_is_named_with_those_known(archive: Archive) -> None:
    with pytest.raises(InputError, match=r"colour:red.*no such field.*patient_id.*grade") as caught:
        found(archive, "colour:red carcinoma")
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="age"):
        found(archive, "age:old")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('"ductal carcinoma"', {"breast3", "breast1"}),
        ('"INVASIVE  ductal-carcinoma, grade"', {"breast3", "breast1"}),
        ('"carcinoma ductal"', set()),
        ('"no necrosis"', {"breast1"}),
        ('"uctal carcinoma"', set()),
        ('"腺癌"', {"chinese"}),
        ('"it\'s"', set()),
    ],
)
def test_phrases_are_exact(archive: Archive, query: str, expected: set[str]) -> None:
    assert set(found(archive, query)) == expected


def test_what_is_excluded_is_not_found(archive: Archive) -> None:
    assert "breast1" in found(archive, "carcinoma -necrosis")
    assert not {"breast3", "lung"} & set(found(archive, "carcinoma -necrosis"))
    assert not {"breast3", "breast1"} & set(found(archive, 'carcinoma -"ductal carcinoma"'))


@pytest.mark.parametrize(("query", "first"), [("腺癌", "chinese"), ("坏死", "chinese"), ("דלקת", "hebrew")])
def test_other_writing_is_found(wordless: Archive, query: str, first: str) -> None:
    assert by_words(wordless, query) == [first]


MANY_WORDS = " ".join("".join(letters) for letters in product("abcdefghij", repeat=4))
MANY_CONCEPTS = "no necrosis, adenocarcinoma, lymphoma, melanoma, sarcoma, invasion, calcification; " * 1000


@pytest.mark.parametrize(
    "query",
    [
        "a\0b",
        "' OR 1=1 --",
        "x" * 100_000,
        "word " * 20_000,
        MANY_WORDS,
        MANY_CONCEPTS,
        "of the",
    ],
    ids=range(7),
)
def test_odd_queries_are_answered(archive: Archive, query: str) -> None:
    assert len(archive.search(text=query, k=3).results) <= 3


@pytest.mark.parametrize("query", ['"', "?!", '"" -', "({[<*", "grade:"])
def test_queries_that_ask_for_nothing_are_refused(archive: Archive, query: str) -> None:
    with pytest.raises(InputError, match=r"contains no letter or digit|a field without a value"):
        archive.search(text=query)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("adenocarcinma of the stomac", "adenocarcinoma of the stomach"),
        ("adnexxal structures", "adnexal structures"),
        ("smal cell carcinoma with extnesive necrosis", "small cell carcinoma with extensive necrosis"),
        ("-necrosis gastirtis", "-necrosis gastritis"),
    ],
)
def test_misspelt_words_are_searched_corrected(archive: Archive, typed: str, meant: str) -> None:
    results = archive.search(text=typed, k=20)
    assert results.query.text == typed and results.query.searched_for == meant
    assert [one.slide_id for one in results] == found(archive, meant)
    assert f"searched for: {meant}" in str(results) and "--verbatim" in str(results)
    as_typed = archive.search(text=typed, k=20, verbatim=True)
    assert as_typed.query.searched_for is None and as_typed.warnings


@pytest.mark.parametrize(
    "query",
    [
        "perineural invasion",
        '"smal cell"',
        "diagnosis:carcinoma",
        "IDC",
        "astrocytoma",
        "qqqzzz carcinoma",
        "glands in",
    ],
)
def test_what_is_known_or_like_nothing_is_searched_as_it_is(archive: Archive, query: str) -> None:
    assert archive.search(text=query, k=1).query.searched_for is None


def test_words_that_no_report_has_are_told(archive: Archive) -> None:
    assert "qqqzzz: no report, metadata or name has this word" in archive.search(text="carcinoma qqqzzz", k=1).warnings
    for known in ("carcinoma", "astrocytoma"):  # of reports; of the vocabulary, which knows other names of it
        assert not any("no report" in warning for warning in archive.search(text=known, k=1).warnings)


def test_a_passage_of_a_long_report_finds_it(archive: Archive) -> None:
    passage = "amyloid deposits in the walls of arterioles"
    windows = split_windows(LONG, 256)
    assert 1 < len(windows) <= MOST_WINDOWS and " ".join(windows) == LONG
    way = next(
        way
        for result in archive.search(text=passage, k=20)
        for way in result.channels
        if result.slide_id == "long" and way.name == "report vectors"
    )
    encoder = load_text_encoder("minilm")
    query = encoder.encode([passage])[0]
    assert way.score == pytest.approx(float((encoder.encode([LONG, *windows]) @ query).max()), abs=2e-3)
    assert way.score > float(encoder.encode([LONG])[0] @ query) + 0.05


def test_where_words_stand_is_kept_beside_them(archive: Archive) -> None:
    slides = [record for record in archive.records() if record.report]
    for query in ("carcinoma", "no necrosis of the breast", "amyloid deposits"):
        tokens = frozenset(list_tokens(query))
        places = archive.store.places([record.slide_id for record in slides], tokens)
        assert {slide_id: join_places(own) for slide_id, own in places.items()} == {
            record.slide_id: find_spans(record.report or "", tokens) for record in slides
        }
    assert archive.store.places([], frozenset({"carcinoma"})) == {}
    assert archive.store.places(["none"], frozenset({"carcinoma"})) == {}


def test_similar_reports_leave_out_the_patient(archive: Archive) -> None:
    results = archive.search(ArchivedReport("breast3"), k=20)
    assert results.query.slide_id == "breast3" and results.query.kind == "report"
    assert not {"breast3", "breast1"} & {one.slide_id for one in results}
    assert results.results[0].slide_id == "lobular"
    assert "breast1" in {one.slide_id for one in archive.search(ArchivedReport("breast3"), k=20, same_patient=True)}
    with pytest.raises(InputError, match="has no report"):
        archive.search(ArchivedReport("none"))
    with pytest.raises(UnknownSlide):
        archive.search(ArchivedReport("nobody"))
    with pytest.raises(ConfigurationError):
        archive.search(ArchivedReport("breast3"), min_probability=0.5)


def test_a_report_file_is_no_query_language(archive: Archive, tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    path.write_text('Specimen:breast "quoted" -dash colour:red invasive ductal carcinoma')
    assert archive.search(ReportFile(path), k=1).results[0].slide_id in {"breast3", "breast1"}


def test_fields_count_beside_an_image(archive: Archive) -> None:
    results = archive.search(Composed(ArchivedSlide("benign"), "organ:breast carcinoma"), k=20)
    assert {one.slide_id for one in results} == {"breast3", "breast1", "lobular"}


def test_facets_count_slides(archive: Archive) -> None:
    counted = {(facet.source, facet.field, facet.value): facet.count for facet in archive.facets()}
    assert counted["report", "organ", "breast"] == 3
    assert counted["report", "grade", "3"] == 1 and counted["report", "absent", "necrosis"] == 1
    assert ("report", "diagnosis", "acinar-adenocarcinoma-of-prostate") in counted
    only = archive.facets("patient_id = 'P1'", ["organ", "patient_id"])
    assert [(one.source, one.field, one.value, one.count) for one in only] == [
        ("metadata", "patient_id", "P1", 2),
        ("report", "organ", "breast", 2),
    ]
    with pytest.raises(InputError, match="colour"):
        archive.facets(None, ["colour"])


def test_changed_and_reencoded_reports_are_read_anew(wordless: Archive, tmp_path: Path) -> None:
    archive = Archive.open(shutil.copytree(wordless.path, tmp_path / "archive"))
    archive.update("signet", {"report": "Liver, biopsy: steatosis."})
    assert by_words(archive, "steatosis") == ["signet"] and "signet" not in by_words(archive, "carcinoma")
    reencode(archive, SpaceChange(text_encoder="minilm"))
    events = [json.loads(line) for line in archive.layout.journal.read_text().splitlines()]
    assert [(one["encoder"], one["engine"]) for one in events if one["event"] == "texts"] == [
        ("minilm", load_text_encoder("minilm").engine)
    ]
    stored = archive.get("long").language
    assert stored.report_windows is not None and stored.report_windows.shape == (len(split_windows(LONG, 256)), 384)
    assert by_words(archive, "steatosis") == ["signet"]
    archive.update("long", {"report": "short"})
    assert archive.get("long").language.report_windows is None


def test_an_older_analyser_is_told(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not any("older version" in warning for warning in archive.search(text="carcinoma").warnings)
    monkeypatch.setattr("histoseek.search.encode.text.make_analyser_mark", lambda: "newer")
    assert any("histoseek upgrade" in warning for warning in archive.search(text="carcinoma").warnings)


def test_vectors_count_the_more_the_more_words_no_report_has(archive: Archive) -> None:
    described = (
        "The picture conveys crowded glandular outlines whose lining displays enlarged vesicular nuclei, "
        "coarse chromatin, frequent division figures and a desmoplastic background, "
        "an appearance that points towards malignancy"
    )
    shares = []
    for query in ("invasive ductal carcinoma", described):
        weights = {way.name: way.weight for one in archive.search(text=query, k=20) for way in one.channels}
        shares.append(weights["report vectors"] / (weights["report vectors"] + weights["report words"]))
        assert weights["report vectors"] + weights["report words"] == pytest.approx(REPORTS_WEIGHT)
    assert shares[0] < 0.25 and shares[1] > 0.9
    assert find_vector_share(BALANCE, False) == 0.5 and find_vector_share(100, True) == MOST_OF_LONG


def test_words_are_missing_where_no_report_has_them() -> None:
    query = {"a": 1.0, "b": 1.0, "not~c": 1.0, "maybe~a": 0.4, "diagnosis:d": 1.0}
    assert count_missing_words(query, [{"a"}, {"a", "not~c", "e"}]) == 1
    assert count_missing_words(query, []) == 3


@pytest.mark.parametrize(
    ("kind", "ways"), [("archive", "their meaning, phrases in quotes"), ("wordless", "phrases in quotes")]
)
def test_words_fall_back_where_an_engine_has_no_search_for_them(
    kind: str, ways: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive: Archive = request.getfixturevalue(kind)
    monkeypatch.setattr(SlideTable, "capabilities", Capabilities(full_text=False, spelling=False))
    results = archive.search(text="invasive lobular carcinoma", to="reports")
    told = [warning for warning in results.warnings if "cannot search for words" in warning]
    assert told == [f"the archive's server cannot search for words: reports are found by {ways} and what they state"]
    assert not any("by their words only" in warning for warning in results.warnings)
    assert "lobular" in [one.slide_id for one in results]
