"""PostgreSQL holds the files of archives."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from histoseek.archive.remote.base import RemoteFiles
from histoseek.archive.remote.postgres.connection import connect
from histoseek.archive.remote.postgres.files import PostgresFiles
from tests.archive.remote.files_contract import *  # noqa: F403
from tests.archive.remote.files_contract import Opener
from tests.servers.postgres import PostgresServer


@pytest.fixture
def opener(postgres: PostgresServer) -> Iterator[Opener]:
    address = postgres.address("archive")
    yield partial(PostgresFiles.open, address)
    connect(address).drop()


@pytest.fixture
def files(opener: Opener) -> RemoteFiles:
    return opener()


@pytest.fixture
def neighbour(postgres: PostgresServer) -> Iterator[RemoteFiles]:
    address = postgres.address("archive2")
    yield PostgresFiles.open(address)
    connect(address).drop()
