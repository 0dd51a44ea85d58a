"""Archives move to PostgreSQL and back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from histoseek.archive.remote.postgres.connection import connect
from tests.archive.remote.copies_contract import *  # noqa: F403
from tests.servers.postgres import PostgresServer


@pytest.fixture
def address(postgres: PostgresServer) -> Iterator[str]:
    address = postgres.address("copies")
    yield address
    connect(address).drop()
