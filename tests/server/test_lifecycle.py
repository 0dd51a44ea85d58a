"""A server as it begins, ends and begins again; and as several processes that are one to their users."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from histoseek.client.client import Client
from histoseek.client.errors import NoServer, ServerProblem
from histoseek.rest.queries import SearchRequest, SlideQuery, SlideRef, TextQuery
from histoseek.rest.workspace import CollectionContent, CollectionItem, UploadToIndex
from histoseek.server.security.tokens import TokenStore
from histoseek.server.state.database import State
from tests.server.attacking import connect, request
from tests.server.conftest import new_token
from tests.server.running import RunningServer, serving
from tests.waiting import HANG_S, wait_for

SLIDE = "SIM-0000-00"


@pytest.fixture(scope="module")
def several(indexed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Two processes that share a state."""
    with serving([indexed], tmp_path_factory.mktemp("several") / "state", "--workers", "2") as server:
        yield server


def fresh(server: RunningServer, token: str, times: int) -> Iterator[Client]:
    """Clients with a connection of their own each, so that each process gets its share of them."""
    for _ in range(times):
        with Client(server.url, token) as client:
            yield client


def processes(server: RunningServer) -> set[int]:
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
    return {int(pid) for pid in children.split()}


def test_what_one_process_takes_all_of_them_know(several: RunningServer, cohort: Path) -> None:
    token = new_token(several)
    query = TextQuery(text="necrosis")
    with Client(several.url, token) as client:
        upload = client.upload(cohort / f"{SLIDE}.tiff")
        collection = client.create_collection(CollectionContent(name="shared"))
        judged = client.judge("cohort", query, SLIDE, True)
        job = client.encode(upload.upload_id, "cohort")
    assert judged
    request_ = SearchRequest(query=SlideQuery(slide=SlideRef(upload_id=upload.upload_id)), k=2)
    found = set()
    for client in fresh(several, token, 8):
        assert client.get_upload(upload.upload_id) == upload
        assert client.get_collection(collection.collection_id) == collection
        assert client.list_judgements("cohort", judged.query_key) == (judged,)
        assert [*client.watch_job(job.job_id)][-1].state == "done"
        assert client.get_upload_thumbnail(upload.upload_id).startswith(b"\xff\xd8")
        found.add(tuple(one.slide_id for one in client.search("cohort", request_).results))
    assert len(found) == 1


def test_a_token_that_is_revoked_is_so_everywhere(several: RunningServer) -> None:
    token = new_token(several)
    assert all(client.get_session().role == "write" for client in fresh(several, token, 8))
    store = TokenStore(State(several.state))
    revoked = next(one for one in store.list_tokens() if token.startswith(f"hs_{one.token_id}_"))
    store.revoke(revoked.token_id)
    for client in fresh(several, token, 8):
        with pytest.raises(ServerProblem) as caught:
            client.get_session()
        assert caught.value.problem.status in (401, 429)


def test_counts_are_those_of_all_processes(several: RunningServer) -> None:
    token = new_token(several, "read")
    headers = {"Authorization": f"Bearer {token}"}

    def asked() -> int:
        text = httpx2.get(f"{several.url}metrics", headers=headers, timeout=HANG_S).text
        named = 'histoseek_requests_total{method="GET",route="/api/v1/archives",status="200"}'
        return next((int(float(line.split()[-1])) for line in text.splitlines() if line.startswith(named)), 0)

    before = asked()
    for client in fresh(several, token, 10):
        client.list_archives()
    assert {asked() for _ in range(6)} == {before + 10}


def test_several_processes_end_together(indexed: Path, tmp_path: Path) -> None:
    with serving([indexed], tmp_path / "state", "--workers", "2") as server:
        with server.client() as client:
            client.list_archives()
        workers = processes(server)
        assert len(workers) >= 2
        assert server.stop() == 0
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    assert "Traceback" not in server.log.read_text()


def test_a_server_ends_well_while_it_warms_up(indexed: Path, tmp_path: Path) -> None:
    with serving([indexed], tmp_path / "state") as server:
        with server.client() as client:
            client.list_archives()
        assert server.stop() == 0
    assert "Traceback" not in server.log.read_text()


def test_the_end_waits_for_nobody_and_leaves_nothing_half_done(indexed: Path, tmp_path: Path, cohort: Path) -> None:
    """A job is watched, a slide is being sent, another encoded, and a connection idles when the server is to end."""
    copy, imported = tmp_path / "cohort.archive", tmp_path / "import"
    shutil.copytree(indexed, copy)
    shutil.copytree(cohort, imported)
    options = ("--write", "--import-folder", str(imported))
    state = tmp_path / "state"
    with serving([copy], state, *options) as server, server.client() as client:
        token, upload = server.token, client.upload(cohort / f"{SLIDE}.tiff")
        job = client.index("cohort", [UploadToIndex(upload_id=upload.upload_id, slide_id="again")])
        watched: list[str] = []

        def watch() -> None:
            try:
                watched.extend(one.state for one in client.watch_job(job.job_id))
            except Exception as error:
                watched.append(type(error).__name__)

        watching = threading.Thread(target=watch)
        watching.start()
        headers = (("Authorization", f"Bearer {token}"), ("Content-Length", "9999"))
        head = request("POST", "/api/v1/uploads?filename=a.svs", headers)
        with connect(server) as sending, connect(server):
            sending.sendall(head + b"x" * 5000)
            wait_for(lambda: [*(state / "uploads").glob("*.part")])
            assert server.stop() == 0
        watching.join(HANG_S)
        assert not watching.is_alive()
        assert watched
        with pytest.raises(NoServer):
            client.list_archives()
    assert not [*(state / "uploads").glob("*.part")]
    assert "Traceback" not in server.log.read_text()
    with serving([copy], state, *options) as server, Client(server.url, token) as again:
        assert [one.upload_id for one in again.list_uploads()] == [upload.upload_id]
        assert [*again.watch_job(job.job_id)][-1].state == "done"


def test_a_new_start_knows_what_was_kept(indexed: Path, tmp_path: Path, cohort: Path) -> None:
    state = tmp_path / "state"
    query = TextQuery(text="necrosis")
    with serving([indexed], state) as server:
        token = server.token
        with server.client() as client:
            upload = client.upload(cohort / f"{SLIDE}.tiff")
            job = [*client.watch_job(client.encode(upload.upload_id, "cohort").job_id)][-1]
            items = (CollectionItem(archive="cohort", slide_id=SLIDE),)
            collection = client.create_collection(CollectionContent(name="kept", items=items))
            judged = client.judge("cohort", query, SLIDE, True)
        assert server.stop() == 0
    with serving([indexed], state) as server, Client(server.url, token) as client:
        assert server.token == ""
        assert client.list_uploads() == (upload,)
        assert client.list_jobs() == (job,)
        assert client.list_collections() == (collection,)
        assert client.list_judgements("cohort", client.search("cohort", SearchRequest(query=query)).query_key) == (
            judged,
        )
        found = client.search(
            "cohort", SearchRequest(query=SlideQuery(slide=SlideRef(upload_id=upload.upload_id)), k=2)
        )
        assert found.results
