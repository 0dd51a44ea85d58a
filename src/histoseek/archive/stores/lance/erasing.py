"""Taking what was deleted or replaced out of the files of the embedded store's table."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from histoseek.archive.stores.lance.engine import TABLE

_ROWS_OF_PART = 32
"""Bits of a row's number that count rows within a part of the table (a fragment); those above are the part's number."""

_DELETIONS = re.compile(r"(\d+)-\d+-\d+\.(arrow|bin)")


def rewrite_parts(table: Any, folder: Path) -> None:
    """Write those parts of a table anew that rows were deleted from: the engine only notes which rows those are, and
    its own compaction passes parts over that lack less than a tenth. Rows are streamed, in one commit."""
    rows = table.search().select(["_rowid"]).limit(None).to_arrow()["_rowid"].to_numpy()
    present = set(np.unique(rows >> _ROWS_OF_PART).tolist())
    lacking = sorted(present & _list_lacking(folder))
    if lacking:
        ranges = (f"(_rowid >= {part << _ROWS_OF_PART} AND _rowid < {(part + 1) << _ROWS_OF_PART})" for part in lacking)
        everything = lacking == sorted(present)
        table.update(where=None if everything else " OR ".join(ranges), values_sql={"slide_id": "slide_id"})


def _list_lacking(folder: Path) -> set[int]:
    """The parts that a version of the table notes deleted rows of."""
    names = (path.name for path in (folder / f"{TABLE}.lance" / "_deletions").glob("*"))
    return {int(match[1]) for name in names if (match := _DELETIONS.fullmatch(name))}
