"""Taking what was deleted or replaced out of the files of the embedded store's table."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from histoseek.archive.stores.lance.engine import TABLE

ROWS_OF_PART = 32
"""Bits of a row's number that count rows within a part of the table (a fragment); those above are the part's number."""

_ROWS_AT_ONCE = 16384

_DELETIONS = re.compile(rf"{TABLE}\.lance/_deletions/(\d+)-\d+-\d+\.(arrow|bin)")


def rewrite_parts(table: Any, files: Iterable[str]) -> None:
    """Write those parts of a table anew that rows were deleted from: the engine only notes which rows those are, and
    its own compaction passes parts over that lack less than a tenth. Some rows a commit, which bounds the memory.

    files: of the table, by their paths in the store.
    """
    rows = table.search().select(["_rowid"]).limit(None).to_arrow()["_rowid"].to_numpy()
    lacking = np.array(sorted({int(match[1]) for path in files if (match := _DELETIONS.fullmatch(path))}), np.uint64)
    moved = np.sort(rows[np.isin(rows >> np.uint64(ROWS_OF_PART), lacking)])
    for start in range(0, len(moved), _ROWS_AT_ONCE):
        some = moved[start : start + _ROWS_AT_ONCE]
        table.update(where=f"_rowid >= {some[0]} AND _rowid <= {some[-1]}", values_sql={"slide_id": "slide_id"})
