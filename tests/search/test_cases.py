"""Cases found by cases: by slides of one stain, each stain once, and never the query's own patient."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoseek.api import Archive
from histoseek.encoders.bag import load_bag
from histoseek.errors import InputError
from histoseek.search.options import SearchOptions
from histoseek.search.queries import ArchivedCase, ArchivedSlide, Case, EncodedSlide, SlideFile, TextQuery
from histoseek.search.retrieve.cases import ANY_STAIN, CaseComparison
from histoseek.search.retrieve.paging import name_cases
from tests.evaluation.archives import labelled_archive

STAINS = ("H&E", "IHC Ki-67", "special pas", "unknown")


@st.composite
def comparisons(draw: st.DrawFn) -> tuple[CaseComparison, np.ndarray, np.ndarray]:
    """Points in a plane as slides, whose distances are those of the plane."""
    queries, slides = draw(st.integers(1, 5)), draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    own, others = rng.normal(size=(queries, 2)), rng.normal(size=(slides, 2))
    stains = np.array(draw(st.lists(st.sampled_from(STAINS), min_size=queries + slides, max_size=queries + slides)))
    cases = np.array(draw(st.lists(st.sampled_from(["case a", "case b", "case c"]), min_size=slides, max_size=slides)))
    return compare(own, others, stains[:queries], stains[queries:], cases), own, others


def compare(
    own: np.ndarray, others: np.ndarray, own_stains: np.ndarray, stains: np.ndarray, cases: np.ndarray
) -> CaseComparison:
    totals = np.linalg.norm(own[:, None] - others, axis=2)
    return CaseComparison(totals, own_stains, stains, cases)


def naive(comparison: CaseComparison, case: str) -> float:
    """The score of a case, spelt out."""

    def measure(stain: str | None) -> float | None:
        queries = [i for i, own in enumerate(comparison.query_stains) if stain in (None, own)]
        slides = [i for i, one in enumerate(comparison.stains) if stain in (None, one) and comparison.cases[i] == case]
        if not queries or not slides:
            return None
        there = [min(comparison.totals[q, s] for s in slides) for q in queries]
        back = [min(comparison.totals[q, s] for q in queries) for s in slides]
        return float(sum(there) / len(there) + sum(back) / len(back)) / 2

    shared = [distance for stain in STAINS if (distance := measure(stain)) is not None]
    if shared:
        return 1 - sum(shared) / len(shared)
    of_case = comparison.stains[comparison.cases == case]
    whole = measure(None)
    is_open = "unknown" in of_case or "unknown" in comparison.query_stains
    return 1 - whole if is_open and whole is not None else float("nan")


@given(comparisons())
def test_scores_are_those_spelt_out_and_parts_add_up(made: tuple[CaseComparison, np.ndarray, np.ndarray]) -> None:
    comparison, *_ = made
    expected = [naive(comparison, str(name)) for name in comparison.names]
    np.testing.assert_allclose(comparison.scores, expected, atol=1e-12)
    for case, score in enumerate(comparison.scores):
        parts = [part.distances[case] for part in comparison.parts if not np.isnan(part.distances[case])]
        if not np.isnan(score):
            assert sum((1 - distance) / len(parts) for distance in parts) == pytest.approx(score, abs=1e-12)
        else:
            assert not parts


@given(comparisons(), st.integers(0, 2**32 - 1))
def test_the_order_of_slides_is_no_matter(made: tuple[CaseComparison, np.ndarray, np.ndarray], seed: int) -> None:
    comparison, own, others = made
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(len(own)), rng.permutation(len(others))
    other = compare(
        own[rows],
        others[columns],
        comparison.query_stains[rows],
        comparison.stains[columns],
        comparison.cases[columns],
    )
    np.testing.assert_allclose(comparison.scores, other.scores, atol=1e-12)


@given(comparisons())
def test_a_stain_that_the_other_lacks_changes_nothing(made: tuple[CaseComparison, np.ndarray, np.ndarray]) -> None:
    comparison, own, others = made
    known = comparison.stains != "unknown"
    if not known.any() or "unknown" in comparison.query_stains:
        return
    few = compare(own, others[known], comparison.query_stains, comparison.stains[known], comparison.cases[known])
    more = compare(
        own,
        np.vstack([others[known], [[0.0, 0.0]]]),
        comparison.query_stains,
        np.append(comparison.stains[known], "IHC CD3"),
        np.append(comparison.cases[known], comparison.cases[known][0]),
    )
    np.testing.assert_array_equal(few.scores, more.scores)
    asked = compare(
        np.vstack([own, [[0.0, 0.0]]]),
        others[known],
        np.append(comparison.query_stains, "IHC CD3"),
        comparison.stains[known],
        comparison.cases[known],
    )
    np.testing.assert_array_equal(few.scores, asked.scores)


@given(comparisons())
def test_the_same_case_has_a_score_of_one(made: tuple[CaseComparison, np.ndarray, np.ndarray]) -> None:
    comparison, own, _ = made
    stains = comparison.query_stains
    itself = compare(own, own, stains, stains, np.full(len(own), "case a"))
    assert itself.scores.tolist() == [1.0]


def test_slides_of_different_patients_are_never_one_case() -> None:
    case_ids = np.array(["1", "1", "1", "1", "2", "2", "", ""])
    patients = np.array(["PATIENT-17", "P2", "P2", "", "P3", "", "P3", ""])
    slides = np.array([f"s{place}" for place in range(8)])
    names = name_cases(case_ids, patients, slides).tolist()
    assert names[1] == names[2] and names[4] == names[5] == "case 2" and names[6:] == ["slide s6", "slide s7"]
    assert len(set(names)) == 6
    empty = np.array([], np.str_)
    assert name_cases(empty, empty, empty).tolist() == []


def test_one_result_a_case_of_each_patient(tmp_path: Path) -> None:
    archive = labelled_archive(tmp_path, [0] * 8, [0, 1, 1, 2, 2, 2, 3, 4])
    for number, case_id in enumerate(["1", "1", "1", "1", "1", "1", "2", ""]):
        archive.update(f"slide-{number:03d}", {"case_id": case_id or None})
    cases = archive.search(like="slide-007", k=8, by_case=True)
    members = sorted(sorted((result.slide_id, *result.also)) for result in cases)
    assert [[int(slide_id[-3:]) for slide_id in case] for case in members] == [[0], [1, 2], [3, 4, 5], [6]]
    alone = archive.search(like="slide-007", k=8, by_case=True, where="slide_id <> 'slide-002'")
    assert {result.slide_id: result.also for result in alone}["slide-001"] == ()


@pytest.fixture(scope="module")
def archive(indexed: Path, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """The cohort, of whose two slides a case each second is stated to be an immunostain. Not to be changed."""
    made = Archive.open(shutil.copytree(indexed, tmp_path_factory.mktemp("cases") / "archive"))
    by_case: dict[str, list[str]] = {}
    for record in made.records():
        by_case.setdefault(record.patient_id or "", []).append(record.slide_id)
    for number, (patient, ids) in enumerate(sorted(by_case.items())):
        made.update(ids[0], {"case_id": f"K-{patient}", "stain": "HE"})
        made.update(ids[1], {"case_id": f"K-{patient}", "stain": "HE" if number == 4 else "Ki-67"})
    return made


def test_cases_are_found_by_a_case_and_its_patient_is_not(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")  # tables leave out what the terminal has no room for
    case_id = archive.records()[0].case_id or ""
    patient = archive.records()[0].patient_id
    results = archive.search(ArchivedCase(case_id), to="cases", k=10)
    assert results.query.to == "cases"
    assert [slide.stain for slide in results.query.slides] in (["H&E", "IHC Ki-67"], ["H&E", "H&E"])
    assert len(results) == len({result.case_id for result in results}) == 4
    assert patient not in {result.record.patient_id for result in results}
    assert [result.score for result in results] == sorted((result.score for result in results), reverse=True)
    for result in results:
        assert sum(part.share for part in result.case_parts) == pytest.approx(result.score, abs=1e-9)
        assert {part.stain for part in result.case_parts} <= {"H&E", "IHC Ki-67"}
        assert len(result.also) == 1
        assert result.explanation is not None
        assert result.explanation.score == pytest.approx(result.channels[0].score, abs=1e-5)
        nearest = min(result.case_parts, key=lambda part: part.nearest)
        assert (result.slide_id, result.query_slide) == (nearest.slide_id, nearest.query_slide)
    assert "H&E 0." in str(results) or "H&E -0." in str(results)


def test_the_own_case_has_the_score_one_where_it_may_be_found(archive: Archive) -> None:
    case_id = archive.records()[0].case_id or ""
    own = [record for record in archive.records() if record.case_id == case_id]
    files = Case(tuple(SlideFile(record.uri) for record in own))
    results = archive.search(files, to="cases", k=5, same_patient=True)
    assert case_id not in {result.case_id for result in results}, "the query's own slides are never found"
    patients = {record.slide_id: record.patient_id for record in archive.records()}
    assert all(patients[slide_id] != own[0].patient_id for result in results for slide_id in result.also)


def test_a_slide_meets_slides_of_its_stain(archive: Archive) -> None:
    stained = archive.records("stain = 'Ki-67'")[0]
    results = archive.search(ArchivedSlide(stained.slide_id), to="cases", k=5)
    stains = {record.slide_id: record.stain for record in archive.records()}
    assert {stains[result.slide_id] for result in results} == {"Ki-67"}
    assert {part.stain for result in results for part in result.case_parts} == {"IHC Ki-67"}
    assert any("no slide of a stain that the query has" in warning for warning in results.warnings)
    some = archive.search(ArchivedSlide(stained.slide_id), to="cases", k=1, offset=1)
    assert [result.rank for result in some] == [2]
    assert some.results[0].case_id == results.results[1].case_id


def test_what_is_no_whole_slide_finds_no_cases(archive: Archive) -> None:
    with pytest.raises(InputError, match="--to cases"):
        archive.search(TextQuery("carcinoma"), to="cases")
    bag = load_bag(archive.layout.bag(archive.records()[0].slide_id))
    with pytest.raises(InputError, match="--to cases"):
        archive.search(EncodedSlide(bag, "crop", 0.5, picture=True), to="cases")
    explained = archive.explain(
        ArchivedSlide(archive.records()[0].slide_id), archive.records()[-1].slide_id, to="cases"
    )
    assert explained.case_parts == ()
    assert replace(SearchOptions(), to="cases").to == "cases"
    assert ANY_STAIN == "any stain"
