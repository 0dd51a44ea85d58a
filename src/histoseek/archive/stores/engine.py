"""LanceDB, imported in one place: its own log would print paths, and what it logs is read when it is imported."""

from __future__ import annotations

import os

os.environ.setdefault("LANCEDB_LOG", "error")
import lancedb
import lancedb.index
import lancedb.query

__all__ = ["lancedb"]
