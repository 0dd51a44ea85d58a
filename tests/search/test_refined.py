"""Searching again after some results were judged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from histoseek import ArchivedCase, ArchivedReport, ArchivedSlide, Composed, Rect, Refined, Region, TextQuery
from histoseek.api import Archive
from histoseek.errors import BadFilter, ConfigurationError, InputError, UnknownSlide
from histoseek.search.options import SearchOptions
from histoseek.search.queries import MOST_MARKED, PlainQuery, Query
from histoseek.search.results import SearchResults
from histoseek.search.search import explain_pair, search
from tests.evaluation.archives import labelled_archive

SLIDE = "SIM-0003-01"
QUERIES = (
    ArchivedSlide(SLIDE),
    Region(ArchivedSlide(SLIDE), (Rect(200, 200, 300, 300),)),
    ArchivedCase("SIM-0003"),
    TextQuery("invasive tumour", without="necrosis"),
    ArchivedReport(SLIDE),
    Composed(ArchivedSlide(SLIDE), "necrosis", weight=0.4),
)


@pytest.fixture(scope="module")
def archive(indexed: Path) -> Archive:
    return Archive.open(indexed)


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Eighty slides of two hardly different classes; only those of class 1 with an even number have a report."""
    labels = [i % 2 for i in range(80)]
    reports = ["carcinoma" if i % 4 == 1 else "" for i in range(80)]
    folder = tmp_path_factory.mktemp("classes")
    return labelled_archive(folder, labels, list(range(80)), class_effect=0.12, reports=reports)


def ids(results: SearchResults) -> list[str]:
    return [result.slide_id for result in results]


@pytest.mark.parametrize("to", ["slides", "reports"])
@pytest.mark.parametrize("query", QUERIES, ids=lambda query: type(query).__name__)
def test_marked_slides_come_first_or_go(archive: Archive, query: PlainQuery, to: str) -> None:
    options = SearchOptions(k=20, to=to)  # type: ignore[arg-type]
    plain = ids(search(archive, query, options))
    relevant, irrelevant = (plain[-1], plain[2]), (plain[0], plain[1])
    found = search(archive, Refined(query, relevant, irrelevant), options)
    assert set(ids(found)[:2]) == set(relevant)
    assert set(ids(found)) == set(plain) - set(irrelevant)
    assert (found.query.relevant, found.query.irrelevant) == (relevant, irrelevant)
    assert found.query.kind == search(archive, query, options).query.kind
    assert [result.rank for result in found] == list(range(1, len(found) + 1))
    scores = {result.slide_id: result.score for result in search(archive, query, options)}
    assert {result.slide_id: result.score for result in found} == pytest.approx({i: scores[i] for i in ids(found)})


def test_scores_and_explanations_stay_what_they_say(archive: Archive) -> None:
    plain = archive.search(like=SLIDE, k=10)
    found = archive.search(Refined(ArchivedSlide(SLIDE), (ids(plain)[4],)), k=10)
    own = {result.slide_id: result for result in plain}
    assert (found.mode, found.calibrated_for) == ("fused", None)
    for result in found:
        ways = {way.name: way for way in result.channels}
        assert set(ways) == {"similar slides", "marked slides"}
        assert result.probability is None
        assert ways["similar slides"].score == pytest.approx(own[result.slide_id].score)
        assert result.explanation
        assert result.explanation.score == pytest.approx(ways["similar slides"].score, abs=1e-6)
        assert result.matches == own[result.slide_id].matches
        assert result.score == pytest.approx(own[result.slide_id].score)


def test_the_way_of_marked_slides_is_the_mean_distance_to_them(archive: Archive) -> None:
    relevant = ("SIM-0001-00", "SIM-0004-01")
    found = archive.search(Refined(ArchivedSlide(SLIDE), relevant), k=10)
    from_each = [
        {result.slide_id: result.score for result in archive.search(like=one, k=10, same_patient=True)}
        for one in relevant
    ]
    for result in found:
        (way,) = (one for one in result.channels if one.name == "marked slides")
        scores = [from_one.get(result.slide_id, 1.0) for from_one in from_each]
        assert way.score == pytest.approx(float(np.mean(scores)), abs=1e-6)


def test_what_is_like_irrelevant_slides_falls(archive: Archive) -> None:
    """Simulated slides of one patient are alike: the other slide of the irrelevant one's patient falls."""
    plain = ids(archive.search(like=SLIDE, k=10))
    found = archive.search(Refined(ArchivedSlide(SLIDE), (), (plain[0],)), k=10)
    assert set(ids(found)) == set(plain) - {plain[0]}
    nearest = min(found, key=lambda result: next(way.rank for way in result.channels if way.weight < 0))
    assert ids(found).index(nearest.slide_id) > plain[1:].index(nearest.slide_id)
    for result in found:
        named = [way.name for way in result.channels if way.weight > 0]
        assert named == ["similar slides"]


def test_marks_bring_more_of_the_same(classes: Archive) -> None:
    label = {record.slide_id: record.diagnosis for record in classes.records()}
    gains = []
    for number in range(20):
        query = f"slide-{number:03d}"
        plain = ids(classes.search(like=query, k=40))
        relevant = tuple(one for one in plain if label[one] == label[query])[:3]
        found = ids(classes.search(Refined(ArchivedSlide(query), relevant), k=40))

        def right(some: list[str], marked: tuple[str, ...] = relevant, query: str = query) -> int:
            return sum(label[one] == label[query] for one in [i for i in some if i not in marked][:10])

        gains.append(right(found) - right(plain))
    assert np.mean(gains) > 0.5


def test_words_and_marks_reach_slides_without_a_report(classes: Archive) -> None:
    plain = classes.search(text="carcinoma", k=80)
    assert {result.record.report for result in plain} == {"carcinoma"}
    found = classes.search(Refined(TextQuery("carcinoma"), tuple(ids(plain)[:3])), k=80)
    assert len(found) == 80
    assert ids(found)[:3] == sorted(ids(plain)[:3], key=ids(found).index)
    beyond = [result for result in found if not result.record.report]
    assert {way.name for result in beyond for way in result.channels} == {"marked slides"}
    assert beyond[0].local is None
    first = [result.record.diagnosis for result in beyond[:10]]
    assert first.count("class 1") > 5


def test_filters_patients_and_pages_hold(archive: Archive) -> None:
    record = archive.get(SLIDE).record
    sibling = next(r.slide_id for r in archive.records() if r.patient_id == record.patient_id and r.slide_id != SLIDE)
    other = "SIM-0001-00"
    found = archive.search(Refined(ArchivedSlide(SLIDE), (sibling, other)), k=10)
    assert record.patient_id not in {result.record.patient_id for result in found}
    assert ids(found)[0] == other
    assert "SIM-0001-01" in ids(found)
    second = archive.search(Refined(ArchivedSlide(SLIDE), (sibling, other)), k=3, offset=2)
    assert ids(second) == ids(found)[2:5]
    where = "slide_id <> 'SIM-0001-00'"
    filtered = archive.search(Refined(ArchivedSlide(SLIDE), (other,)), k=10, where=where)
    assert other not in ids(filtered)
    cases = archive.search(Refined(ArchivedSlide(SLIDE), (other,), ("SIM-0001-01",)), k=10, by_case=True)
    assert (ids(cases)[0], cases.results[0].also) == (other, ())
    with pytest.raises(BadFilter):
        archive.search(Refined(ArchivedSlide(SLIDE), (other,)), where="nothing = 1")


def test_a_refined_search_is_explained_slide_by_slide(archive: Archive) -> None:
    query = Refined(ArchivedSlide(SLIDE), ("SIM-0001-00",), ("SIM-0002-00",))
    own = explain_pair(archive, query, "SIM-0004-00")
    assert {way.name for way in own.channels} == {"similar slides", "marked slides"}
    assert own.explanation
    gone = explain_pair(archive, query, "SIM-0002-00")
    assert gone.slide_id == "SIM-0002-00"
    assert explain_pair(archive, Refined(ArchivedSlide(SLIDE), (), ("SIM-0002-00",)), "SIM-0002-00") == explain_pair(
        archive, ArchivedSlide(SLIDE), "SIM-0002-00"
    )


def test_novelty_is_the_query_s_own_and_there_are_no_probabilities(tmp_path: Path) -> None:
    archive = labelled_archive(tmp_path, [i % 2 for i in range(60)], list(range(60)), class_effect=0.5)
    archive.calibrate()
    plain = archive.search(like="slide-000", k=5, vote="diagnosis")
    found = archive.search(Refined(ArchivedSlide("slide-000"), ("slide-010",)), k=5, vote="diagnosis")
    assert plain.calibrated_for == "diagnosis"
    assert (found.calibrated_for, found.novelty) == (None, plain.novelty)
    assert found.vote_
    assert (found.labels, found.vote_.calibrated) == (None, None)
    with pytest.raises(ConfigurationError, match="min-probability"):
        archive.search(Refined(ArchivedSlide("slide-000"), ("slide-010",)), min_probability=0.5)


def test_wrong_marks_are_refused(archive: Archive) -> None:
    query: Query = ArchivedSlide(SLIDE)
    assert isinstance(query, ArchivedSlide)
    with pytest.raises(InputError, match="no slide is marked"):
        Refined(query)
    with pytest.raises(InputError, match="both as relevant"):
        Refined(query, ("a", "b"), ("b",))
    with pytest.raises(InputError, match="are marked"):
        Refined(query, tuple(map(str, range(MOST_MARKED + 1))))
    with pytest.raises(InputError, match="refined already"):
        Refined(Refined(query, ("a",)), ("b",))  # type: ignore[arg-type]
    for marks in ((("nobody",), ()), ((), ("nobody",))):
        with pytest.raises(UnknownSlide):
            archive.search(Refined(query, *marks))
