"""How the rows of two versions of the table differ, by the parts that they lie in."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.stores.base import RowChanges
from histoseek.archive.stores.lance.erasing import ROWS_OF_PART
from histoseek.archive.stores.lance.versions import Fragment, name_manifest, parse_manifest

Rows = NDArray[np.uint64]


def read_fragments(folder: Path, version: int) -> tuple[Fragment, ...]:
    """The parts of a version in the store's folder; raises OSError, ValueError where its manifest is gone or torn."""
    return parse_manifest((folder / name_manifest(folder, version)).read_bytes()).fragments


def write_mark(fragments: Iterable[Fragment]) -> str:
    """What tells the rows of a version, as text: its parts by the files that they lie in."""
    return json.dumps([[one.number, one.rows, *one.files] for one in fragments])


def compare_rows(mark: str, fragments: Iterable[Fragment], rows: Rows) -> RowChanges | None:
    """How the rows of a version with these parts differ from those of one with a mark; None for what is no mark."""
    try:
        before = {Fragment(number, size, tuple(files)) for number, size, *files in json.loads(mark)}
    except (ValueError, TypeError):
        return None
    same = before.intersection(fragments)
    kept = np.array([one.number for one in same], np.uint64)
    added = rows[~np.isin(rows >> np.uint64(ROWS_OF_PART), kept)]
    gone = [_number_rows(one) for one in sorted(before - same, key=lambda one: one.number)]
    deleted = [np.setdiff1d(_number_rows(one), rows, assume_unique=True) for one in same]
    return RowChanges(added, np.concatenate([np.empty(0, np.uint64), *gone, *deleted]))


def _number_rows(fragment: Fragment) -> Rows:
    first = np.uint64(fragment.number) << np.uint64(ROWS_OF_PART)
    return first + np.arange(fragment.rows, dtype=np.uint64)
