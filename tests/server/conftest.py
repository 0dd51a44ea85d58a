"""One server for tests that leave it as it was, one that they may change, and tokens for both."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from histoseek.client.client import Client
from histoseek.server.security.tokens import Role, TokenStore
from histoseek.server.state.database import State
from tests.server.running import RunningServer, serving
from tests.waiting import HANG_S

_numbers = itertools.count()


def new_token(server: RunningServer, role: Role = "write") -> str:
    """A token that the server has not heard of before."""
    state = State(server.state)
    try:
        return TokenStore(state).add(f"client {next(_numbers)}", role).text
    finally:
        state.close()


def new_client(server: RunningServer, role: Role = "write") -> Client:
    """A client of a running server with a token of its own."""
    return Client(server.url, new_token(server, role))


def raw_client(server: RunningServer, token: str) -> httpx2.Client:
    """Sends requests as they are, below /api/v1."""
    headers = {"Authorization": f"Bearer {token}"}
    return httpx2.Client(base_url=f"{server.url.rstrip('/')}/api/v1", headers=headers, timeout=HANG_S)


@pytest.fixture(scope="session")
def kept_server(indexed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server of the archive "cohort" and a copy, "work"; the former is not to be changed."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "import").mkdir()
    copy = folder / "work.archive"
    shutil.copytree(indexed, copy)
    options = ("--write", "--import-folder", str(folder / "import"))
    with serving([indexed, copy], folder / "state", *options) as server:
        yield server


@pytest.fixture
def token(kept_server: RunningServer) -> str:
    """A token that may change things: rate limits, quotas and uploads are each token's."""
    return new_token(kept_server)


@pytest.fixture
def client(kept_server: RunningServer, token: str) -> Iterator[Client]:
    """A client that may change things."""
    with Client(kept_server.url, token) as made:
        yield made


@pytest.fixture
def raw(kept_server: RunningServer, token: str) -> Iterator[httpx2.Client]:
    """Requests as they are, below /api/v1, with the token of `client`."""
    with raw_client(kept_server, token) as made:
        yield made


@pytest.fixture
def reader(kept_server: RunningServer) -> Iterator[Client]:
    """A client that may only look and search."""
    with new_client(kept_server, "read") as made:
        yield made
