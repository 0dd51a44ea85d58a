"""Worklists: every slide has what a search finds; they belong to their owner, forget removed slides, and end."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from histoseek.api import Archive
from histoseek.cli.app import app
from histoseek.client.client import Client
from histoseek.client.errors import ServerProblem
from histoseek.errors import ConfigurationError, InputError
from histoseek.rest.archives import FieldFilter
from histoseek.rest.saved_searches import SlideCondition
from histoseek.rest.worklists import Worklist, WorklistInfo, WorklistRequest, WorklistSlide
from histoseek.rest.workspace import CollectionContent, CollectionItem
from histoseek.search.queries import ArchivedSlide, SlideFile
from histoseek.search.worklist import NearestSlide, WorklistOptions, WorklistRow, list_columns, to_cells
from histoseek.server.errors import NotFound
from histoseek.server.state.database import State
from histoseek.server.state.slide_traces import SlideTraces
from histoseek.server.state.worklists import KEPT_S, MAX_WORKLISTS, ListedSlide, WorklistStore, WorklistTask

A, B = "SIM-0000-00", "SIM-0001-00"
TASK = WorklistTask(2, "diagnosis", 0, None)


@pytest.fixture
def archive(indexed: Path) -> Archive:
    return Archive.open(indexed)


def test_a_row_says_what_a_search_finds(archive: Archive) -> None:
    options = WorklistOptions(k=3, phrases=2, where="slide_id <> 'nothing'")
    rows = list(archive.worklist([ArchivedSlide(A), ArchivedSlide(B)], options))
    for slide_id, row in zip((A, B), rows, strict=True):
        results = archive.search(like=slide_id, k=3, vote="diagnosis")
        assert (row.slide_id, row.error) == (slide_id, None)
        assert [near.slide_id for near in row.nearest] == [result.slide_id for result in results]
        assert [near.score for near in row.nearest] == [result.score for result in results]
        assert [near.label for near in row.nearest] == [result.record.diagnosis for result in results]
        assert results.vote_
        assert row.agreement == results.vote_.sentence != ""


def test_a_copy_of_an_archived_slide_keeps_its_own_name(archive: Archive, cohort: Path, tmp_path: Path) -> None:
    copy = tmp_path / "mine.tiff"
    copy.write_bytes((cohort / f"{archive.records()[0].slide_id}.tiff").read_bytes())
    (row,) = archive.worklist([copy], WorklistOptions(k=1))
    assert (row.name, row.error) == ("mine.tiff", None)


def test_a_slide_that_can_t_be_read_stops_no_other(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "broken.svs").write_bytes(b"nothing")
    queries = [SlideFile(tmp_path / "broken.svs"), ArchivedSlide("none"), ArchivedSlide(A)]
    broken, unknown, good = archive.worklist(queries)
    assert broken.name == "broken.svs"
    assert broken.error
    assert "none" in (unknown.error or "")
    assert good.nearest


def test_wrong_options_are_refused_at_once(archive: Archive) -> None:
    with pytest.raises(InputError):
        archive.worklist([ArchivedSlide(A)], WorklistOptions(label="nothing"))
    with pytest.raises(InputError):
        archive.worklist([ArchivedSlide(A)], WorklistOptions(where="nothing = 1"))
    for wrong in ({"k": 0}, {"k": 21}, {"phrases": 11}):
        with pytest.raises((ConfigurationError, InputError)):
            WorklistOptions(**wrong)  # type: ignore[arg-type]


def test_cells_fit_the_columns() -> None:
    options = WorklistOptions(k=2)
    near = NearestSlide(B, "b.svs", "sarcoma", 0.5, 0.91234567)
    for row in (WorklistRow("a.svs"), WorklistRow("a", "a", nearest=(near,), phrases=("x", "y"), error=None)):
        assert len(to_cells(row, options)) == len(list_columns(options))
    cells = dict(zip(list_columns(options), to_cells(row, options), strict=True))
    assert (cells["nearest 1"], cells["diagnosis of nearest 1"], cells["score of nearest 1"]) == (B, "sarcoma", 0.9123)
    assert (cells["nearest 2"], cells["phrases"]) == (None, "x; y")


def test_the_command_writes_the_table(indexed: Path, tmp_path: Path) -> None:
    for name in ("table.csv", "table.json"):
        out = tmp_path / name
        done = CliRunner().invoke(app, ["worklist", A, B, "--archive", str(indexed), "--out", str(out), "-k", "2"])
        assert done.exit_code == 0, done.output
        text = out.read_text("utf-8")
        rows = json.loads(text) if name.endswith("json") else list(csv.DictReader(io.StringIO(text)))
        assert [row["slide_id"] for row in rows] == [A, B]
        assert all(row["nearest 2"] for row in rows)
    refused = CliRunner().invoke(app, ["worklist", A, "--archive", str(indexed), "--out", str(tmp_path / "table.txt")])
    assert refused.exit_code


class Time:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1e6

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Time:
    return Time()


UPLOAD = "0123456789abcdef" * 2


@pytest.fixture
def store(tmp_path: Path, clock: Time) -> Iterator[WorklistStore]:
    state = State(tmp_path / "state")
    yield WorklistStore(state, clock)
    state.close()


def add(store: WorklistStore, owner: str = "ann", slides: Sequence[str] = (A, B), job_id: str = "1") -> str:
    listed = [ListedSlide(slide_id, None) for slide_id in slides]
    return store.add(owner, "kidney", "Monday", job_id, TASK, listed).worklist_id


def test_a_worklist_is_its_owner_s_alone_and_expires(store: WorklistStore, clock: Time) -> None:
    key = add(store)
    assert store.get("ann", key).task == TASK
    assert [one.worklist_id for one in store.list("ann")] == [key]
    assert store.list("ben") == ()
    for attempt in (store.get, store.delete):
        with pytest.raises(NotFound):
            attempt("ben", key)
    clock.now += KEPT_S
    assert store.list("ann") == ()
    with pytest.raises(NotFound):
        store.get("ann", key)


def test_the_oldest_makes_room(store: WorklistStore, clock: Time) -> None:
    keys = []
    for _ in range(MAX_WORKLISTS + 2):
        clock.now += 1
        keys.append(add(store))
    assert [one.worklist_id for one in store.list("ann")] == keys[:1:-1]


def test_removed_slides_are_forgotten(store: WorklistStore) -> None:
    key = add(store, slides=(A, B, "c"))
    near = (NearestSlide(A, "a.svs", "x", None, 0.5), NearestSlide("d", "d.svs", "y", None, 0.4))
    store.put_row(key, 1, WorklistRow(B, B, nearest=near))
    assert store.list_slides("kidney") == {A, B, "c", "d"}
    assert store.count(key) == (1, 3)
    store.forget_slide("lung", SlideTraces(A))
    assert store.list_slides("kidney") == {A, B, "c", "d"}
    store.forget_slide("kidney", SlideTraces(A))
    assert store.list_slides("kidney") == {B, "c", "d"}
    store.put_row(key, 0, WorklistRow(A, A))
    assert A not in store.list_slides("kidney")


def test_what_else_names_a_removed_slide_goes(store: WorklistStore) -> None:
    named = WorklistTask(3, "diagnosis", 0, f"NOT slide_id = '{A}'")
    filtered = store.add("ann", "kidney", "others", "2", named, [ListedSlide(B, None)]).worklist_id
    uploaded = store.add("ann", "kidney", "mine", "3", TASK, [ListedSlide(None, UPLOAD), ListedSlide(B, None)])
    store.put_row(uploaded.worklist_id, 0, WorklistRow("a.svs", None))
    assert store.list_slides("kidney") == {A, B}
    store.forget_slide("kidney", SlideTraces(A))
    with pytest.raises(NotFound):
        store.get("ann", filtered)
    store.forget_upload(UPLOAD)
    assert store.count(uploaded.worklist_id) == (0, 1)


def ended(client: Client, info: WorklistInfo) -> Worklist:
    assert [*client.watch_job(info.job_id)][-1].state == "done"
    return client.get_worklist(info.worklist_id)


def test_a_worklist_over_rest(client: Client, reader: Client) -> None:
    slides = tuple(WorklistSlide(slide_id=slide_id) for slide_id in (A, B))
    filters = (FieldFilter(field="organ", values=("kidney", "lung", None)),)
    made = client.start_worklist("cohort", WorklistRequest(name="Monday", slides=slides, k=2, filters=filters))
    table = ended(client, made)
    assert (table.done, table.total, table.state, table.error) == (2, 2, "done", None)
    assert [(row.slide_id, row.done, row.error) for row in table.rows] == [(A, True, None), (B, True, None)]
    assert [one.worklist_id for one in client.list_worklists()] == [made.worklist_id]
    rows = list(csv.DictReader(io.StringIO(client.export_worklist(made.worklist_id).decode("utf-8-sig"))))
    assert [row["slide_id"] for row in rows] == [A, B]
    assert len(json.loads(client.export_worklist(made.worklist_id, "json"))) == 2
    for ask in (reader.get_worklist, reader.export_worklist, reader.delete_worklist):
        with pytest.raises(ServerProblem) as caught:
            ask(made.worklist_id)
        assert caught.value.problem.status == 404
    client.delete_worklist(made.worklist_id)
    assert client.list_worklists() == ()


def test_rows_of_uploads_are_called_by_their_own_names(client: Client, cohort: Path, tmp_path: Path) -> None:
    copy = tmp_path / "mine.tiff"
    copy.write_bytes((cohort / f"{B}.tiff").read_bytes())
    upload = client.upload(copy)
    made = client.start_worklist(
        "cohort", WorklistRequest(name="x", slides=(WorklistSlide(upload_id=upload.upload_id),), phrases=0)
    )
    (row,) = ended(client, made).rows
    assert (row.title, row.error) == ("mine.tiff", None)


def test_a_worklist_of_a_condition_of_a_collection_and_of_an_upload(client: Client, shared_data: Path) -> None:
    condition = SlideCondition(where=f"slide_id IN ('{A}', '{B}')")
    made = client.start_worklist("cohort", WorklistRequest(name="x", condition=condition, phrases=0))
    assert [row.slide_id for row in ended(client, made).rows] == [A, B]
    items = tuple(CollectionItem(archive=archive, slide_id=A) for archive in ("cohort", "work"))
    collection = client.create_collection(CollectionContent(name="x", items=items))
    request = WorklistRequest(name="x", collection_id=collection.collection_id, phrases=0)
    assert [row.slide_id for row in ended(client, client.start_worklist("cohort", request)).rows] == [A]
    upload = client.upload(shared_data / "slides" / "CMU-1-Small-Region.svs")
    request = WorklistRequest(name="x", slides=(WorklistSlide(upload_id=upload.upload_id),), phrases=0)
    (row,) = ended(client, client.start_worklist("cohort", request)).rows
    assert (row.title, row.upload_id, row.error) == (upload.name, upload.upload_id, None)
    assert row.nearest


def test_what_can_t_be_a_worklist_is_refused(client: Client, reader: Client) -> None:
    foreign = client.create_collection(CollectionContent(name="mine")).collection_id
    for request, status in (
        (WorklistRequest(name="x", slides=(WorklistSlide(slide_id="none"),)), 404),
        (WorklistRequest(name="x", slides=(WorklistSlide(upload_id="0" * 32),)), 404),
        (WorklistRequest(name="x", condition=SlideCondition(where="slide_id = 'none'")), 422),
        (WorklistRequest(name="x", collection_id=foreign), 404),
        (WorklistRequest(name="x", slides=(WorklistSlide(slide_id=A),), vote="nothing"), 422),
        (WorklistRequest(name="x", slides=(WorklistSlide(slide_id=A),), where="uri = 'x'"), 422),
    ):
        with pytest.raises(ServerProblem) as caught:
            reader.start_worklist("cohort", request)
        assert caught.value.problem.status == status
    assert reader.list_worklists() == ()
