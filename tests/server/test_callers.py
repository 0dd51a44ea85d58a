"""Who sends requests is remembered for some seconds, and forgotten at once when a token is revoked."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from histoseek.server.app import create_app
from histoseek.server.security.access import Caller, CallerMemory
from histoseek.server.security.tokens import TokenStore
from histoseek.server.settings import ServerSettings
from histoseek.server.state.database import State
from tests.server.test_access import GET

ANN = Caller("1", "ann", "read")
TILE = "/api/v1/archives/cohort/slides/none/image_files/0/0_0.jpg"


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path / "state")


def test_callers_are_remembered_for_five_seconds(state: State) -> None:
    now = [0.0]
    memory = CallerMemory(state.read_mark, lambda: now[0])
    memory.keep(GET, ANN, memory.read_mark())
    now[0] = 4.9
    assert memory.recall(GET) == ANN
    now[0] = 5.1
    assert memory.recall(GET) is None


def test_whatever_another_process_writes_makes_them_unknown(state: State) -> None:
    memory = CallerMemory(state.read_mark, lambda: 0.0)
    memory.keep(GET, ANN, memory.read_mark())
    TokenStore(State(state.folder)).add("another", "read")
    assert memory.recall(GET) is None


@pytest.mark.parametrize(("path", "status"), [("/api/v1/archives", 200), (TILE, 404)])
def test_a_revoked_token_is_refused_by_the_next_request(indexed: Path, state: State, path: str, status: int) -> None:
    # As the command line does it while the server runs: through a connection of its own.
    tokens = TokenStore(State(state.folder))
    token = tokens.add("ann", "read")
    app = create_app(ServerSettings({"cohort": indexed}, state.folder))
    client = TestClient(app, "http://127.0.0.1:8750", headers={"Authorization": f"Bearer {token.text}"})
    assert [client.get(path).status_code for _ in range(3)] == [status] * 3
    tokens.revoke("ann")
    assert client.get(path).status_code == 401
