"""LanceDB, imported in one place: its own log would print paths, and what it logs is read when it is imported."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from histoseek.archive.stores.lance.deferral import import_deferring
from histoseek.errors import DamagedArchive

__all__ = ["TABLE", "keep_schema", "lancedb", "open_remote_table", "open_table"]

os.environ.setdefault("LANCEDB_LOG", "error")
# The REST client is for databases behind a server, and costs more than all else that a short command does.
lancedb = import_deferring(("lancedb", "lancedb.index", "lancedb.query"), "lance_namespace_urllib3_client")

TABLE = "slides"


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


def keep_schema(table: Any) -> Any:
    """A table that always shows one version, which no longer asks for its schema: each query does two to five times."""
    table.__class__ = type("SteadyTable", (type(table),), {"schema": table.schema})
    return table
