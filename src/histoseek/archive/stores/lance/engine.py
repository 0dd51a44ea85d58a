"""LanceDB, imported in one place: its own log would print paths, and what it logs is read when it is imported."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from histoseek.archive.stores.lance.deferral import import_deferring
from histoseek.errors import DamagedArchive

__all__ = ["ROW_ID", "TABLE", "lancedb", "make_steady", "open_remote_table", "open_table"]

os.environ.setdefault("LANCEDB_LOG", "error")
# The REST client is for databases behind a server, and costs more than all else that a short command does.
lancedb = import_deferring(("lancedb", "lancedb.index", "lancedb.query"), "lance_namespace_urllib3_client")

TABLE = "slides"

ROW_ID = "_rowid"
"""The engine's column of the numbers of rows."""


def open_table(folder: Path, consistency: timedelta | None) -> Any:
    """The slides' table in a store's folder; consistency: how old its view may become, None for one that stays.

    Raises DamagedArchive when it can't be opened.
    """
    if not folder.is_dir():
        # The engine would make the folder anew.
        raise DamagedArchive(folder, "its table is not there")
    try:
        return lancedb.connect(folder, read_consistency_interval=consistency).open_table(TABLE)
    except (ValueError, OSError, RuntimeError) as error:
        raise DamagedArchive(folder, "its table cannot be opened") from error


def open_remote_table(address: str, consistency: timedelta | None, options: Mapping[str, str]) -> Any:
    """The same of a store in object storage; options: of its client. Raises what the engine raises."""
    return lancedb.connect(address, read_consistency_interval=consistency, storage_options=dict(options)).open_table(
        TABLE
    )


def make_steady(table: Any) -> Any:
    """A table that always shows one version, which hands less to the engine's thread and back: threads that compute for
    others are waited for each time.

    It no longer asks for its schema, which each query does two to five times, and takes what is small (so many of the
    best, numbers of rows) at once, in place of one hand-over to begin, one for each part and one to learn that there is
    no other.
    """
    kind = type(table)

    def execute(self: Any, query: Any, *, batch_size: int | None = None, timeout: timedelta | None = None) -> Any:
        if query.limit is None and query.columns != [ROW_ID]:
            return kind._execute_query(self, query, batch_size=batch_size, timeout=timeout)

        async def read() -> pa.RecordBatchReader:
            reader = await self._table._execute_query(query, batch_size=batch_size, timeout=timeout)
            return pa.RecordBatchReader.from_batches(reader.schema, await reader.read_all())

        return lancedb.background_loop.LOOP.run(read())

    table.__class__ = type("SteadyTable", (kind,), {"schema": table.schema, "_execute_query": execute})
    return table
