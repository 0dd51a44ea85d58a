"""Taking what was deleted or replaced out of the files of the embedded store's table."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from histoseek.archive.stores.lance.engine import TABLE

ROWS_OF_PART = 32
"""Bits of a row's number that count rows within a part of the table (a fragment); those above are the part's number."""

_ROWS_AT_ONCE = 16384

_DELETIONS = re.compile(r"(\d+)-\d+-\d+\.(arrow|bin)")


def rewrite_parts(table: Any, folder: Path) -> None:
    """Write those parts of a table anew that rows were deleted from: the engine only notes which rows those are, and
    its own compaction passes parts over that lack less than a tenth. Some rows a commit, which bounds the memory."""
    rows = table.search().select(["_rowid"]).limit(None).to_arrow()["_rowid"].to_numpy()
    lacking = np.array(sorted(_list_lacking(folder)), np.uint64)
    moved = np.sort(rows[np.isin(rows >> np.uint64(ROWS_OF_PART), lacking)])
    for start in range(0, len(moved), _ROWS_AT_ONCE):
        some = moved[start : start + _ROWS_AT_ONCE]
        table.update(where=f"_rowid >= {some[0]} AND _rowid <= {some[-1]}", values_sql={"slide_id": "slide_id"})


def _list_lacking(folder: Path) -> set[int]:
    """The parts that a version of the table notes deleted rows of."""
    names = (path.name for path in (folder / f"{TABLE}.lance" / "_deletions").glob("*"))
    return {int(match[1]) for name in names if (match := _DELETIONS.fullmatch(name))}
