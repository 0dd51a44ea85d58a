"""The store on PostgreSQL keeps the contract of stores."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from histoseek.archive.remote.postgres.connection import connect
from histoseek.archive.stores.base import Engine, StorePlace
from histoseek.archive.stores.postgres.store import PostgresStore
from tests.archive.store_contract import *  # noqa: F403
from tests.servers.postgres import PostgresServer

NUMBERS = count(1)


@pytest.fixture
def engine() -> Engine:
    return PostgresStore


@pytest.fixture
def place(tmp_path: Path, postgres: PostgresServer) -> Iterator[StorePlace]:
    address = postgres.address(f"contract{next(NUMBERS)}")
    yield StorePlace(tmp_path / "kept", address)
    connect(address).close()
