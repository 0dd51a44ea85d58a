"""Several servers over one archive and one state on PostgreSQL: a request may go to any of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest

from histoseek.api import Archive
from histoseek.archive.remote.postgres.connection import connect
from histoseek.client.client import Client
from histoseek.rest.queries import SearchRequest, SlideQuery, SlideRef
from histoseek.rest.workspace import CollectionContent, CollectionItem, UploadToIndex
from tests.server.running import RunningServer, serving
from tests.servers.postgres import PostgresServer
from tests.waiting import HANG_S, wait_for

SLIDE = "SIM-0000-00"
REQUEST = SearchRequest(query=SlideQuery(slide=SlideRef(slide_id=SLIDE)))


@pytest.fixture(scope="module")
def address(indexed: Path, postgres: PostgresServer) -> Iterator[str]:
    address = postgres.address("served")
    Archive.open(indexed).copy_to(address)
    yield address
    connect(address).drop()


@pytest.fixture(scope="module")
def pair(
    address: str, postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[RunningServer, RunningServer]]:
    folder = tmp_path_factory.mktemp("several")
    (folder / "import").mkdir()
    state = postgres.address("department")
    with ExitStack() as stack:

        def start(name: str) -> RunningServer:
            environment = {"HISTOSEEK_CACHE_DIR": str(folder / f"cache-{name}"), "HISTOSEEK_SERVER_SECONDS": "30"}
            (folder / name).mkdir()
            options = ("--state", state, "--state-folder", str(folder / "files"), "--write")
            importing = ("--import-folder", str(folder / "import"))
            made = serving([Path(address)], folder / name / "log", *options, *importing, environment=environment)
            return stack.enter_context(made)

        yield start("one"), start("other")


def client_of(server: RunningServer, token: str) -> Client:
    return Client(server.url, token, timeout_s=HANG_S)


def test_one_logs_in_here_and_searches_there(pair: tuple[RunningServer, RunningServer]) -> None:
    one, other = pair
    assert one.token
    assert not other.token
    headers = {"X-Histoseek": "page"}
    with httpx2.Client(base_url=one.url, headers=headers, timeout=HANG_S) as browser:
        begun = browser.post("/api/v1/session", json={"token": one.token})
        assert begun.status_code == 200
    cookie = begun.headers["set-cookie"].partition(";")[0]
    with httpx2.Client(base_url=other.url, headers=headers | {"Cookie": cookie}, timeout=HANG_S) as browser:
        assert browser.get("/api/v1/archives").json()[0]["name"] == "served"
        body = REQUEST.model_dump(mode="json", exclude_none=True)
        answer = browser.post("/api/v1/archives/served/search", json=body)
        assert answer.status_code == 200
        assert answer.json()["results"]
        assert browser.delete("/api/v1/session").status_code == 204
    with httpx2.Client(base_url=one.url, headers=headers | {"Cookie": cookie}, timeout=HANG_S) as browser:
        assert browser.get("/api/v1/archives").status_code == 401


def test_what_is_noted_here_is_seen_there(pair: tuple[RunningServer, RunningServer]) -> None:
    one, other = pair
    with client_of(one, one.token) as here, client_of(other, one.token) as there:
        content = CollectionContent(name="rare", items=(CollectionItem(archive="served", slide_id=SLIDE),))
        made = here.create_collection(content)
        assert there.get_collection(made.collection_id) == made
        assert here.search("served", REQUEST).results == there.search("served", REQUEST).results


def test_a_job_begun_here_is_followed_there_and_both_find_its_slide(
    pair: tuple[RunningServer, RunningServer], cohort: Path, tmp_path: Path
) -> None:
    one, other = pair
    slide = tmp_path / "NEW-1.tiff"
    shutil.copyfile(cohort / f"{SLIDE}.tiff", slide)
    with slide.open("ab") as file:
        file.write(b"\0" * 64)
    with client_of(one, one.token) as here, client_of(other, one.token) as there:
        upload = here.upload(slide)
        assert [found.upload_id for found in there.list_uploads()] == [upload.upload_id]
        job = here.index("served", [UploadToIndex(upload_id=upload.upload_id)])
        last = [*there.watch_job(job.job_id)][-1]
        assert (last.state, last.error) == ("done", None)
        for client in (here, there):
            wait_for(lambda client=client: len([*client.list_slides("served")]) == 11)  # type: ignore[misc]


def test_when_one_is_killed_the_other_goes_on(pair: tuple[RunningServer, RunningServer]) -> None:
    """Last in this file."""
    one, other = pair
    with client_of(other, one.token) as there:
        before = there.search("served", REQUEST).results
        one.process.kill()
        one.process.wait(HANG_S)
        assert there.search("served", REQUEST).results == before
        job = there.index("served")
        assert [*there.watch_job(job.job_id)][-1].state == "done"
        assert httpx2.get(f"{other.url}api/v1/ready", timeout=HANG_S).status_code == 200
