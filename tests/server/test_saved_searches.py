"""Saved searches: kept without persons, and what is new since they were looked at."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from histoseek.api import Archive
from histoseek.client.client import Client
from histoseek.client.errors import ServerProblem
from histoseek.errors import InputError
from histoseek.rest.archives import FieldFilter
from histoseek.rest.queries import Marks, ReportQuery, SearchRequest, SlideQuery, SlideRef, TextQuery
from histoseek.rest.saved_searches import SavedSearchContent, SlideCondition
from histoseek.search.news import LastLook, count_news, find_news, list_news
from histoseek.search.options import SearchOptions
from histoseek.search.queries import ArchivedSlide
from histoseek.server.errors import NotFound
from histoseek.server.state.database import State
from histoseek.server.state.saved_searches import COMMIT_LAG_S, MAX_SAVED, SavedSearchStore
from histoseek.server.state.slide_traces import SlideTraces
from tests.server.conftest import new_client
from tests.server.running import RunningServer

SLIDE, OTHER = "SIM-0000-00", "SIM-0001-00"
BROWSE = {"browse": {"where": None, "filters": []}}
NOW = 1_000_000.0


class Time:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def store(tmp_path: Path, clock: Time) -> Iterator[SavedSearchStore]:
    state = State(tmp_path / "state")
    yield SavedSearchStore(state, clock)
    state.close()


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def test_a_search_is_its_owner_s_alone(store: SavedSearchStore) -> None:
    saved = store.save("ann", "kidney", "biopsies of Dr. Anna Schmidt", BROWSE)
    assert store.list("ann") == (saved,)
    assert "Schmidt" not in saved.name
    assert store.list("ben") == ()
    for attempt in (
        lambda: store.get("ben", saved.search_id),
        lambda: store.rename("ben", saved.search_id, "x"),
        lambda: store.delete("ben", saved.search_id),
        lambda: store.mark_seen("ben", saved.search_id, at(NOW), ()),
    ):
        with pytest.raises(NotFound):
            attempt()
    assert store.rename("ann", saved.search_id, "biopsies").name == "biopsies"
    store.delete("ann", saved.search_id)
    assert store.list("ann") == ()


def test_there_is_a_bound(store: SavedSearchStore) -> None:
    for number in range(MAX_SAVED):
        store.save("ann", "kidney", f"search {number}", BROWSE)
    with pytest.raises(InputError):
        store.save("ann", "kidney", "one more", BROWSE)
    store.save("ben", "kidney", "his", BROWSE)


@pytest.mark.parametrize("name", ["", "  ", "n" * 201])
def test_bad_names_are_refused(store: SavedSearchStore, name: str) -> None:
    with pytest.raises(InputError):
        store.save("ann", "kidney", name, BROWSE)


def test_what_was_on_its_way_at_a_look_is_news_and_what_was_seen_is_not(store: SavedSearchStore, clock: Time) -> None:
    key = store.save("ann", "kidney", "all", BROWSE).search_id
    clock.now += 10 * COMMIT_LAG_S
    saved = store.mark_seen("ann", key, at(clock.now), ["a"])
    assert saved.seen == at(clock.now)
    assert saved.since == at(clock.now - COMMIT_LAG_S)
    assert saved.shown == {"a"}
    later = store.mark_seen("ann", key, at(clock.now + 99), ["b"])
    assert (later.seen, later.shown) == (at(clock.now), {"a", "b"}), "nobody has seen the future"


def test_a_search_just_saved_has_no_news_of_before(store: SavedSearchStore, clock: Time) -> None:
    key = store.save("ann", "kidney", "all", BROWSE).search_id
    clock.now += 1
    assert store.mark_seen("ann", key, at(clock.now), []).since == at(NOW)


def test_removed_slides_are_forgotten(store: SavedSearchStore) -> None:
    def save(name: str, question: dict[str, object]) -> str:
        return store.save("ann", "kidney", name, question).search_id  # type: ignore[arg-type]

    gone = [
        save("slide", {"search": {"query": {"kind": "slide", "slide": {"slide_id": "a"}}}}),
        save("report", {"search": {"query": {"kind": "report", "text": "Report  of a."}}}),
        save("where", {"browse": {"where": "slide_id = 'a'", "filters": []}}),
        save("filter", {"browse": {"where": None, "filters": [{"field": "slide_id", "values": ["a"]}]}}),
        save(
            "file", {"browse": {"where": None, "filters": [{"source": "name", "field": "name", "values": ["A.SVS"]}]}}
        ),
        save("case", {"search": {"query": {"kind": "case", "case_id": "case of a"}}}),
        save("patient", {"browse": {"where": "patient_id IN ('other', 'patient of a')", "filters": []}}),
    ]
    kept = save("value", {"browse": {"where": None, "filters": [{"field": "organ", "values": ["a"]}]}})
    marked = save("marks", {"search": {"query": {"kind": "text"}, "marks": {"relevant": ["a", "b"], "irrelevant": []}}})
    seen = save("grade a", BROWSE)
    other = store.save("ann", "lung", "other", {"search": {"query": {"slide_id": "a"}}}).search_id
    store.mark_seen("ann", seen, at(NOW), ["a", "c"])
    assert store.list_slides("kidney") == {"a", "b", "c", "A.SVS", "other", "patient of a"}
    groups = frozenset({"case of a", "patient of a"})
    store.forget_slide("kidney", SlideTraces("a", "Report of\na.", frozenset({"a.svs"}), groups))
    left = {saved.search_id: saved for saved in store.list("ann")}
    assert not set(gone) & set(left)
    assert left[marked].question["search"]["marks"] == {"relevant": ["b"], "irrelevant": []}  # type: ignore[index, call-overload]
    assert left[seen].shown == {"c"}
    assert {other, kept} <= left.keys()


@pytest.fixture
def changed(indexed: Path, tmp_path: Path) -> tuple[Archive, datetime]:
    """An archive one slide of which was changed after a time."""
    archive = Archive.open(shutil.copytree(indexed, tmp_path / "work.archive"))
    before = max(record.updated for record in archive.records())
    archive.update(SLIDE, {"organ": "lung"})
    return archive, before


def test_news_are_as_a_naive_reader_finds_them(changed: tuple[Archive, datetime]) -> None:
    archive, before = changed
    updated = archive.get(SLIDE).record.updated
    for look in (
        LastLook(before, before),
        LastLook(before, before, frozenset({SLIDE})),
        LastLook(updated, before, frozenset({SLIDE})),
        LastLook(updated, before, frozenset({OTHER})),
        LastLook(updated, updated),
        LastLook(before, before - timedelta(days=900)),
    ):
        for where in (None, "organ = 'lung'", "organ <> 'lung'"):
            expected = [record for record in archive.records(where) if look.is_news(record)]
            news = list_news(archive, where, look)
            assert {record.slide_id for record in news.records} == {record.slide_id for record in expected}
            assert news.count == count_news(archive, where, look) == len(expected)


def test_of_many_news_the_latest_are_listed(changed: tuple[Archive, datetime]) -> None:
    archive, before = changed
    last = max(record.slide_id for record in archive.records())
    archive.update(last, {"organ": "lung"})
    news = list_news(archive, None, LastLook(before, before), most=1)
    assert ([record.slide_id for record in news.records], news.count) == ([last], 2)


def test_news_of_a_question_are_among_its_first_results(changed: tuple[Archive, datetime]) -> None:
    archive, before = changed
    query = ArchivedSlide(OTHER)
    ranks = {result.slide_id: result.rank for result in archive.search(query, k=50, same_patient=True)}
    for k, expected in ((ranks[SLIDE], [SLIDE]), (ranks[SLIDE] - 1, [])):
        if k:
            news = find_news(archive, query, SearchOptions(k=k, same_patient=True), LastLook(before, before))
            assert [record.slide_id for record in news.records] == expected


@pytest.fixture
def ann(kept_server: RunningServer) -> Iterator[Client]:
    with new_client(kept_server) as made:
        yield made


def test_a_condition_tells_of_what_changes(ann: Client, reader: Client) -> None:
    condition = SlideCondition(filters=(FieldFilter(field="site", values=("elsewhere",)),))
    saved = ann.save_search(SavedSearchContent(archive="work", name="from elsewhere", browse=condition))
    assert (saved.new, saved.to_request()) == (0, condition)
    ann.change_slide("work", SLIDE, {"site": "elsewhere"})
    assert [one.new for one in ann.list_saved_searches()] == [1]
    news = ann.get_news(saved.search_id)
    assert [(slide.slide_id, slide.added) for slide in news.slides] == [(SLIDE, False)]
    assert news.slide_ids == (SLIDE,)
    assert ann.mark_news_seen(news).new == 0
    assert ann.get_news(saved.search_id).count == 0
    ann.change_slide("work", SLIDE, {"site": None})
    ann.change_slide("work", SLIDE, {"site": "elsewhere"})
    assert ann.get_saved_search(saved.search_id).new == 1
    assert reader.list_saved_searches() == ()
    ann.delete_saved_search(saved.search_id)


def test_a_question_tells_of_what_changes(ann: Client) -> None:
    request = SearchRequest(query=SlideQuery(slide=SlideRef(slide_id=OTHER)), k=50, same_patient=True)
    saved = ann.save_search(SavedSearchContent(archive="work", name="like this", search=request))
    assert (saved.new, saved.to_request()) == (None, request)
    assert ann.get_news(saved.search_id).slides == ()
    ann.change_slide("work", SLIDE, {"organ": "lung"})
    assert [slide.slide_id for slide in ann.get_news(saved.search_id).slides] == [SLIDE]
    assert ann.rename_saved_search(saved.search_id, "similar").name == "similar"


def test_reports_are_kept_without_persons(ann: Client, kept_server: RunningServer) -> None:
    text = "Patient: Johanna Weber, born 03/04/1950. Renal biopsy with necrosis."
    request = SearchRequest(query=ReportQuery(text=text, patient_id="Johanna Weber"), to="reports")
    saved = ann.save_search(SavedSearchContent(archive="cohort", name="Johanna Weber", search=request))
    with sqlite3.connect(kept_server.state / "state.sqlite") as connection:
        rows = json.dumps(connection.execute("SELECT * FROM saved_searches").fetchall())
    assert "Weber" not in rows
    assert "03/04" not in rows
    assert "[DATE]" in rows
    kept = saved.to_request()
    assert isinstance(kept, SearchRequest)
    assert isinstance(kept.query, ReportQuery)
    assert "necrosis" in (kept.query.text or "")
    assert ann.get_news(saved.search_id).count == 0


def test_a_patient_that_the_archive_knows_is_still_left_out(ann: Client) -> None:
    patient = ann.get_slide("cohort", SLIDE).patient_id
    request = SearchRequest(query=TextQuery(text="necrosis", patient_id=patient))
    saved = ann.save_search(SavedSearchContent(archive="cohort", name="necrosis", search=request))
    assert saved.to_request() == request


def test_what_can_t_be_saved_is_refused(ann: Client) -> None:
    upload = SearchRequest(query=SlideQuery(slide=SlideRef(upload_id="0" * 32)))
    named = SlideCondition(where="site = 'Dr. Johanna Weber'")
    wrong = SlideCondition(where="uri = 'x'")
    unknown = SlideCondition(filters=(FieldFilter(field="nothing", values=("x",)),))
    contents = [SavedSearchContent(archive="cohort", name="x", search=upload)] + [
        SavedSearchContent(archive="cohort", name="x", browse=browse) for browse in (named, wrong, unknown)
    ]
    for content in contents:
        with pytest.raises(ServerProblem) as caught:
            ann.save_search(content)
        assert caught.value.problem.status == 422
    with pytest.raises(ServerProblem) as caught:
        ann.save_search(SavedSearchContent(archive="none", name="x", browse=SlideCondition()))
    assert caught.value.problem.status == 404


def test_a_removed_slide_takes_its_searches_along(kept_server: RunningServer, indexed: Path, tmp_path: Path) -> None:
    from histoseek.server.context import Context
    from histoseek.server.settings import ServerSettings

    copy = shutil.copytree(indexed, tmp_path / "work.archive")
    context = Context.from_settings(ServerSettings({"work": Path(copy)}, tmp_path / "state", write=True))
    request = SearchRequest(query=SlideQuery(slide=SlideRef(slide_id=SLIDE)))
    marked = SearchRequest(query=TextQuery(text="x"), marks=Marks(relevant=(SLIDE,)))
    for one in (request, marked):
        context.saved_searches.save("ann", "work", "x", {"search": one.model_dump(mode="json")})
    context.removal.remove(context.archives.get("work"), SLIDE)
    assert SLIDE not in json.dumps([dict(saved.question) for saved in context.saved_searches.list("ann")])
    assert len(context.saved_searches.list("ann")) == 1
    context.close()
