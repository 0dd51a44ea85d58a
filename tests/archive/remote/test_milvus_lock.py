"""What is repeated while a Milvus server is away is not written once another process may hold the lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from histoseek.archive.remote.milvus.connection import Database, MilvusAddress
from histoseek.errors import ArchiveError


class ConnectError(Exception):
    """As the client's own is called."""


class CutOffClient:
    """Every call fails, and is counted."""

    def __init__(self) -> None:
        self.calls = 0

    def alter_collection_properties(self, *_: object, **__: object) -> None:
        self.calls += 1
        raise ConnectError

    def _get_connection(self) -> Any:
        return self

    def _generate_call_context(self) -> None: ...

    insert_rows = upsert_rows = alter_collection_properties


@pytest.mark.parametrize("write", ["notes", "rows"])
def test_a_lost_lock_ends_repeated_writes(write: str) -> None:
    database, client = Database(MilvusAddress.parse("milvus://127.0.0.1:9/a")), CutOffClient()
    database._held = client

    def check() -> None:
        if client.calls:
            raise ArchiveError("a", "lost", "")

    writes: dict[str, Callable[[], None]] = {
        "notes": lambda: database.write_notes("a", {}, check),
        "rows": lambda: database.insert("a", [{"key": 1}], check),
    }
    with pytest.raises(ArchiveError, match="lost"):
        writes[write]()
    assert client.calls == 1
