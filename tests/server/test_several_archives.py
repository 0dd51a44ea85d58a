"""Several archives asked at once: as a naive merge of their own answers, and what one can't answer spoils no other."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from histoseek.api import Archive
from histoseek.client.client import Client
from histoseek.client.errors import ServerProblem
from histoseek.errors import InputError, UnknownCase
from histoseek.geometry import Rect
from histoseek.rest.queries import Marks, ReportQuery, SearchRequest, SlideQuery, SlideRef, TextQuery
from histoseek.rest.several import SeveralSearchRequest, SeveralSearchResponse
from histoseek.search.explain import matching_fields
from histoseek.search.queries import (
    ArchivedCase,
    ArchivedReport,
    ArchivedSlide,
    Composed,
    EncodedSlide,
    Refined,
    Region,
    ReportText,
)
from histoseek.search.queries import TextQuery as Words
from histoseek.search.results import SearchResult, SearchResults
from histoseek.search.several import carry_query, merge_results
from histoseek.search.vote import LabelDistribution
from histoseek.server.context import Context
from histoseek.server.routes.several import search_archives
from histoseek.server.security.access import Caller
from histoseek.server.settings import ServerSettings

SLIDE = "SIM-0000-00"


@pytest.fixture(scope="module")
def archive(indexed: Path) -> Archive:
    return Archive.open(indexed)


@pytest.fixture
def other(indexed: Path, tmp_path: Path) -> Archive:
    """A copy without the slide that is asked with."""
    copy = Archive.open(shutil.copytree(indexed, tmp_path / "other.archive"))
    copy.remove([SLIDE])
    return copy


@pytest.fixture(scope="module")
def answer(archive: Archive) -> SearchResults:
    return archive.search(like=SLIDE, k=5)


def with_results(
    answer: SearchResults, probabilities: list[float | None], column: str | None, fits: bool = True
) -> SearchResults:
    """An answer with results of these probabilities, of the first ranks."""
    first: SearchResult = answer.results[0]
    results = tuple(replace(first, rank=rank, probability=one) for rank, one in enumerate(probabilities, 1))
    labels = LabelDistribution(column, 3, (), 0.5, 0.5) if column else None
    return replace(answer, results=results, calibrated_for=column, labels=labels, nothing_fits=not fits)


figures = st.lists(st.one_of(st.none(), st.sampled_from([0.1, 0.5, 0.9])), max_size=6)


@given(
    st.lists(st.tuples(figures, st.sampled_from(["diagnosis", "organ", None]), st.booleans()), max_size=4),
    st.integers(1, 8),
    st.integers(0, 5),
)
def test_merging_is_as_a_naive_reader_does_it(
    answer: SearchResults, drawn: list[tuple[list[float | None], str | None, bool]], k: int, offset: int
) -> None:
    answers = {f"a{n}": with_results(answer, *one) for n, one in enumerate(drawn)}
    merged = merge_results(answers, k, offset)
    places = [(name, n, result) for n, (name, one) in enumerate(answers.items()) for result in one.results]
    columns = {column for _, column, _ in drawn}
    if drawn and columns in ({"diagnosis"}, {"organ"}):
        assert merged.by == "probability"
        order = sorted(places, key=lambda one: (-(one[2].probability or 0), one[2].rank, one[1]))
    else:
        assert merged.by == "rank"
        order = sorted(places, key=lambda one: (answers[one[0]].nothing_fits, one[2].rank, one[1]))
    expected = [(name, result.rank) for name, _, result in order][offset : offset + k]
    assert [(one.archive, one.result.rank) for one in merged.results] == expected


def test_a_slide_asks_another_archive_by_its_own_tiles(archive: Archive, other: Archive) -> None:
    carried = carry_query(archive, other, ArchivedSlide(SLIDE))
    assert isinstance(carried, EncodedSlide)
    found = [(result.slide_id, result.score) for result in other.search(carried, k=20)]
    expected = [(result.slide_id, result.score) for result in archive.search(like=SLIDE, k=20)]
    assert [slide_id for slide_id, _ in found] == [slide_id for slide_id, _ in expected]
    assert [score for _, score in found] == pytest.approx([score for _, score in expected], abs=1e-4)


def test_regions_cases_reports_and_both_are_carried(archive: Archive, other: Archive) -> None:
    record = archive.get(SLIDE).record
    box = Rect(0, 0, record.width, record.height)
    region = carry_query(archive, other, Region(ArchivedSlide(SLIDE), (box,)))
    assert isinstance(region, EncodedSlide)
    assert region.regions == (box,)
    assert other.search(region, k=3).query.kind == "region"
    case = carry_query(archive, other, ArchivedCase(record.case_id or ""))
    assert len(other.search(case, k=3)) == 3
    report = carry_query(archive, other, ArchivedReport(SLIDE))
    assert report == ReportText(record.report or "", record.patient_id)
    both = carry_query(archive, other, Composed(ArchivedSlide(SLIDE), "necrosis"))
    assert isinstance(both, Composed)
    assert isinstance(both.image, EncodedSlide)
    words = Words("necrosis")
    assert carry_query(archive, other, words) is words


def test_what_can_t_be_carried_is_said(archive: Archive, other: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError):
        carry_query(archive, other, Refined(ArchivedSlide(SLIDE), (SLIDE,), ()))
    with pytest.raises(UnknownCase):
        carry_query(archive, other, ArchivedCase("none"))
    recipe = replace(other.recipe, spacing_um_per_px=other.recipe.spacing_um_per_px * 2)
    monkeypatch.setattr(type(other), "recipe", property(lambda self: recipe if self is other else archive_recipe))
    archive_recipe = replace(recipe, spacing_um_per_px=recipe.spacing_um_per_px / 2)
    with pytest.raises(InputError, match="encoded otherwise"):
        carry_query(archive, other, ArchivedSlide(SLIDE))


def test_all_archives_over_rest(client: Client) -> None:
    request = SeveralSearchRequest(query=TextQuery(text="carcinoma"), k=4)
    whole = client.search_several(request)
    assert {one.name for one in whole.archives} == {"cohort", "work"}
    assert [one.rank for one in whole.results] == [1, 2, 3, 4]
    own = {name: client.search(name, SearchRequest(query=request.query, k=4)) for name in ("cohort", "work")}
    for one in whole.results:
        assert one.result == own[one.archive].results[one.result.rank - 1]
    assert whole.field_um == own["work"].field_um
    second = client.search_several(request.model_copy(update={"offset": 2, "k": 2}))
    assert [(one.archive, one.result.slide_id) for one in second.results] == [
        (one.archive, one.result.slide_id) for one in whole.results[2:]
    ]


def test_a_slide_of_one_archive_is_asked_of_all(client: Client) -> None:
    query = SlideQuery(slide=SlideRef(slide_id=SLIDE))
    with pytest.raises(ServerProblem) as caught:
        client.search_several(SeveralSearchRequest(query=query))
    assert caught.value.problem.status == 422
    found = client.search_several(SeveralSearchRequest(query=query, home="cohort"))
    assert [one.error for one in found.archives] == [None, None]
    assert SLIDE not in {one.result.slide_id for one in found.results}


def test_what_no_archive_can_answer_is_refused(client: Client) -> None:
    query = TextQuery(text="carcinoma")
    for wrong, status in (
        (SeveralSearchRequest(query=query, where="nothing = 1"), 422),
        (SeveralSearchRequest(query=ReportQuery(slide_id="none"), home="cohort"), 404),
        (SeveralSearchRequest(query=query, archives=("cohort", "none")), 404),
    ):
        with pytest.raises(ServerProblem) as caught:
            client.search_several(wrong)
        assert caught.value.problem.status == status
    with pytest.raises(ValueError, match="marks"):
        SeveralSearchRequest(query=query, marks=Marks(relevant=(SLIDE,)))


def test_what_fails_in_one_archive_is_said_and_spoils_no_other(indexed: Path, other: Archive, tmp_path: Path) -> None:
    other.update_many({"SIM-0001-00": {"grade": "high"}}, new_columns={"grade": str})
    places = {"cohort": indexed, "other": tmp_path / "other.archive"}
    context = Context.from_settings(ServerSettings(places, tmp_path / "state"))
    request = SeveralSearchRequest(query=TextQuery(text="carcinoma"), where="grade = 'high'", vote="grade")
    answer = asyncio.run(search_archives(context, Caller("0", "ann", "read"), request))
    response = SeveralSearchResponse.model_validate_json(bytes(answer.body))
    context.close()
    refused, asked = response.archives
    assert (refused.name, asked.name, asked.error) == ("cohort", "other", None)
    assert "grade" in (refused.error or "")
    assert str(indexed) not in (refused.error or "")
    assert [(one.archive, one.result.slide_id) for one in response.results] == [("other", "SIM-0001-00")]


def test_fields_of_all_archives_are_of_one_size(
    indexed: Path, other: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {"cohort": indexed, "other": tmp_path / "other.archive"}
    context = Context.from_settings(ServerSettings(places, tmp_path / "state"))
    request = SeveralSearchRequest(query=TextQuery(text="carcinoma"), k=6)
    sizes_um = iter((100, 300))
    monkeypatch.setattr(matching_fields, "choose_size_um", lambda longest_um: next(sizes_um))
    answer = asyncio.run(search_archives(context, Caller("0", "ann", "read"), request))
    response = SeveralSearchResponse.model_validate_json(bytes(answer.body))
    context.close()
    assert response.field_um == 300
    assert {one.archive for one in response.results} == {"cohort", "other"}
    for one in response.results:
        field, spacing = one.result.field, one.result.slide.spacing_um_per_px
        assert field is not None and spacing is not None
        assert field.width == field.height == pytest.approx(300 / spacing, abs=3)
