"""LanceDB, imported in one place: its own log would print paths, and what it logs is read when it is imported."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from histoseek.errors import DamagedArchive

os.environ.setdefault("LANCEDB_LOG", "error")
import lancedb
import lancedb.index
import lancedb.query

__all__ = ["TABLE", "lancedb", "open_table"]

TABLE = "slides"


def open_table(folder: Path, consistency: timedelta | None) -> Any:
    """The slides' table in a store's folder; consistency: how old its view may become, None for one that stays.

    Raises DamagedArchive when it can't be opened.
    """
    try:
        return lancedb.connect(folder, read_consistency_interval=consistency).open_table(TABLE)
    except (ValueError, OSError, RuntimeError) as error:
        raise DamagedArchive(folder, "its table cannot be opened") from error
