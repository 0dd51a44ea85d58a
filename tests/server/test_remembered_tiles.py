"""Tiles in memory are answered before the application, and by its rules."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from histoseek.server.app import create_app
from histoseek.server.security import access
from histoseek.server.security.tokens import TokenStore
from histoseek.server.settings import Limits, Rates, ServerSettings
from histoseek.server.state.database import State
from histoseek.server.tiles import service
from histoseek.server.work_queue import WorkQueue
from tests.waiting import HANG_S

TILE = "/api/v1/archives/cohort/slides/SIM-0000-00/image_files/8/0_0.jpg"
VARYING = ("x-request-id",)


class Served:
    """A server of the archive, two people, and how often a thread was taken for a tile."""

    def __init__(self, archive: Path, folder: Path, threads: list[str], tiles_a_minute: int = 100) -> None:
        tokens = TokenStore(State(folder))
        limits = Limits(rates=Rates(tiles=tiles_a_minute))
        self.folder, self.threads = folder, threads
        self._tokens = tokens
        self._texts = {name: tokens.add(name, "read").text for name in ("ann", "bob")}
        settings = ServerSettings({"cohort": archive}, folder, limits=limits)
        self._client = TestClient(create_app(settings), "http://127.0.0.1:8750")

    def get(self, name: str | None = "ann", **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of an answer."""
        given = {"Authorization": f"Bearer {self._texts[name]}"} if name else {}
        answer = self._client.get(TILE, headers={**given, **headers})
        told = {key: value for key, value in answer.headers.items() if key not in VARYING}
        return answer.status_code, told, answer.content

    def revoke(self, name: str) -> None:
        """From now on the token is none."""
        self._tokens.revoke(name)


@pytest.fixture
def serve(indexed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Served]:
    threads: list[str] = []
    original = WorkQueue.run

    async def run(self: WorkQueue, work: Callable[[], object]) -> object:
        threads.append(self._what)
        return await original(self, work)

    monkeypatch.setattr(WorkQueue, "run", run)
    # However slow the machine is: neither is a test's subject.
    monkeypatch.setattr(access, "_REMEMBERED_S", HANG_S)
    monkeypatch.setattr(service, "_BELIEVED_S", HANG_S)
    return lambda **options: Served(indexed, tmp_path / "state", threads, **options)


def test_a_remembered_answer_is_the_first_and_takes_no_thread(serve: Callable[..., Served]) -> None:
    served = serve()
    served.get()  # whose token was never used before: that is written down
    first = served.get()
    asked = len(served.threads)
    assert [served.get() for _ in range(3)] == [first] * 3
    assert (first[0], first[1]["content-type"]) == (200, "image/jpeg")
    assert len(served.threads) == asked
    status, _, body = served.get(**{"If-None-Match": first[1]["etag"]})
    assert (status, body) == (304, b"")


def test_memory_is_for_those_who_may_look(serve: Callable[..., Served]) -> None:
    served = serve()
    assert [served.get()[0], served.get("bob")[0], served.get("bob")[0]] == [200] * 3
    assert served.get(None)[0] == 401
    served.revoke("bob")
    assert [served.get("bob")[0], served.get()[0]] == [401, 200]


def test_remembered_tiles_are_counted_and_noted(serve: Callable[..., Served]) -> None:
    served = serve(tiles_a_minute=3)
    assert [served.get()[0] for _ in range(4)] == [200, 200, 200, 429]
    lines = [json.loads(line) for line in (served.folder / "audit.jsonl").read_text().splitlines()]
    routes = {line["route"] for line in lines}
    assert len(routes) == 1
    assert routes.pop().endswith("/image_files/{level}/{column}_{row}.jpg")
    assert {(line["token"], line["archive"], line["status"]) for line in lines} == {
        ("ann", "cohort", 200),
        ("ann", "cohort", 429),
    }
