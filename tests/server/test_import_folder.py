"""The server's import folder over REST: listed, chosen from, indexed, and tried again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from histoseek.client.client import Client
from histoseek.client.errors import ServerProblem
from histoseek.rest.workspace import FileToIndex, Job
from histoseek.server.jobs.import_folder import find_import_file, list_import_files
from histoseek.server.jobs.job_store import JobStore, Outcome, StoredRefusal, add_outcomes
from histoseek.server.routes.jobs import to_job
from histoseek.server.state.database import State
from tests.server.running import RunningServer

WRITTEN = "work"


def ended(client: Client, job: Job) -> Job:
    return [*client.watch_job(job.job_id)][-1]


@pytest.fixture
def folder(kept_server: RunningServer) -> Iterator[Path]:
    """A folder below the import folder, removed with all in it."""
    below = kept_server.state.parent / "import" / "ward 7"
    below.mkdir()
    yield below
    shutil.rmtree(below)


def test_chosen_files_are_indexed_refused_and_tried_again(client: Client, cohort: Path, folder: Path) -> None:
    good, *_ = sorted(cohort.glob("*.tiff"))
    content = good.read_bytes()
    (folder / "N-1.tiff").write_bytes(content + b"1")
    (folder / "N-2.tiff").write_bytes(b"no slide")
    (folder / "N-3.tiff").write_bytes(content + b"3")
    chosen = [
        FileToIndex(name="ward 7/N-1.tiff", slide_id="NEW-1", metadata={"organ": "spleen"}, report="Normal spleen."),
        FileToIndex(name="ward 7/N-2.tiff"),
    ]
    try:
        first = ended(client, client.index("work", files=chosen))
        assert (first.state, first.added) == ("done", 1)
        assert [(one.file, one.name) for one in first.refused] == [("ward 7/N-2.tiff", "ward 7/N-2.tiff")]
        slide = client.get_slide("work", "NEW-1")
        assert slide.organ == "spleen"
        listed = {file.name: file for file in client.list_import_folder("work") if file.name.startswith("ward 7/")}
        assert [(file.slide_id, bool(file.refused)) for file in listed.values()] == [
            ("NEW-1", False),
            (None, True),
            (None, False),
        ]
        (folder / "N-2.tiff").write_bytes(content + b"2")
        again = ended(client, client.retry_job(first.job_id))
        assert (again.added, again.refused) == (1, ())
        with pytest.raises(ServerProblem, match="refused no file"):
            client.retry_job(again.job_id)
    finally:
        for slide_id in ("NEW-1", "N-2"):
            with suppress(ServerProblem):
                client.remove_slide("work", slide_id)


@pytest.mark.parametrize(
    "name", ["../secret.tiff", "/etc/passwd", "link.tiff", "up/a.tiff", "uploaded/a.tiff", "a.txt"]
)
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, client: Client, name: str) -> None:
    inside = tmp_path / "import"
    (inside / "uploaded").mkdir(parents=True)
    for file in (tmp_path / "secret.tiff", inside / "uploaded" / "a.tiff", inside / "a.txt"):
        file.write_bytes(b"x")
    (inside / "link.tiff").symlink_to(tmp_path / "secret.tiff")
    (inside / "up").symlink_to(tmp_path)
    (tmp_path / "a.tiff").write_bytes(b"x")
    with pytest.raises(Exception, match="is no slide of the import folder"):
        find_import_file(inside, name)
    assert list_import_files(inside).names == ()
    with pytest.raises(ServerProblem) as caught:
        client.index("work", files=[FileToIndex(name=name)])
    assert caught.value.problem.status == 422


def test_data_folders_and_hidden_files_are_not_listed(tmp_path: Path) -> None:
    for name in ("S.mrxs", "S/Data.png", ".hidden.svs", ".git/a.svs", "deep/er/b.SVS", "c.pdf"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert list_import_files(tmp_path).names == ("S.mrxs", "deep/er/b.SVS")


def test_pages_of_the_import_folder_follow_each_other(raw: httpx2.Client, folder: Path) -> None:
    for number in range(5):
        (folder / f"P-{number}.svs").write_bytes(b"x")
    names, after = [], None
    while True:
        parameters = {"limit": 2} | ({"after": after} if after else {})
        page = raw.get(f"/archives/{WRITTEN}/import", params=parameters).json()
        names += [item["name"] for item in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert [name for name in names if name.startswith("ward 7/")] == [f"ward 7/P-{number}.svs" for number in range(5)]
    assert len(names) == len(set(names)) == page["total"]


def test_readers_see_nothing_of_it(reader: Client) -> None:
    for ask in (lambda: [*reader.list_import_folder("work")], lambda: reader.index("work")):
        with pytest.raises(ServerProblem) as caught:
            ask()
        assert caught.value.problem.status == 403


def test_a_running_job_tells_how_long_it_will_take(kept_server: RunningServer) -> None:
    state = State(kept_server.state)
    try:
        job = JobStore(state).list(limit=1)[0]
    finally:
        state.close()
    running = replace(job, state="running", started=100.0, ended=None, done=5, total=20)
    shown = to_job(running, 110.0)
    assert (shown.per_minute, shown.seconds_left) == (30.0, 30.0)
    assert to_job(replace(running, done=0), 110.0).seconds_left is None
    assert to_job(replace(running, state="done", ended=110.0), 120.0).per_minute is None


def test_outcomes_add_up() -> None:
    first = Outcome(added=1, refused=(StoredRefusal("a", "E", "r"),), warnings=("w",), passed_over={"x": 1})
    assert add_outcomes([first, first]) == Outcome(2, 0, 0, first.refused * 2, ("w",), {"x": 2})
