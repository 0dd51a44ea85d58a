"""Milvus keeps the contracts of files and of stores, against one real server.

All in one file: a server takes a while to start.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from histoseek.archive.remote.base import RemoteFiles
from histoseek.archive.remote.milvus.connection import connect
from histoseek.archive.remote.milvus.files import MilvusFiles, make_files_collection
from histoseek.archive.stores.base import Engine, StorePlace
from histoseek.archive.stores.milvus.store import MilvusStore
from tests.archive.remote.copies_contract import *  # noqa: F403
from tests.archive.remote.files_contract import *  # noqa: F403
from tests.archive.store_contract import *  # noqa: F403
from tests.servers.milvus import MilvusServer, start_milvus

LEASE_S = 3.0

_NUMBERS = itertools.count()
_ARCHIVES = 24


@pytest.fixture(scope="module")
def server() -> Iterator[MilvusServer]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = start_milvus(Path(folder) / "milvus")
        # A collection takes two seconds to be served: they are made ahead, all at once.
        with ThreadPoolExecutor(_ARCHIVES) as pool:
            list(pool.map(lambda number: make_files_collection(*connect(_address(server, number))), range(_ARCHIVES)))
        yield server
        server.kill()


def _address(server: MilvusServer, number: int) -> str:
    return f"milvus://{server.host}/files{number}"


@dataclass(frozen=True)
class OpenFiles:
    address: str

    def __call__(self) -> RemoteFiles:
        return MilvusFiles(self.address, LEASE_S)


@pytest.fixture
def opener(server: MilvusServer) -> Callable[[], RemoteFiles]:
    return OpenFiles(_address(server, next(_NUMBERS)))


@pytest.fixture
def files(opener: Callable[[], RemoteFiles]) -> RemoteFiles:
    return opener()


@pytest.fixture
def neighbour(opener: OpenFiles) -> RemoteFiles:
    return MilvusFiles(f"{opener.address}0", LEASE_S)


@pytest.fixture
def address(server: MilvusServer) -> str:
    return f"milvus://{server.host}/copies"


@pytest.fixture
def stops() -> tuple[int, ...]:
    """Every command takes a while."""
    return (30,)


@pytest.fixture
def engine() -> Engine:
    return MilvusStore


@pytest.fixture
def place(server: MilvusServer, tmp_path: Path) -> StorePlace:
    """One for all: a store that is made in place of another one only empties its collections."""
    return StorePlace(tmp_path / "store", f"milvus://{server.host}/slides")
