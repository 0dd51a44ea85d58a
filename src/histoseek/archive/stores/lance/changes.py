"""How the rows of two versions of the table differ, by the parts that they lie in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
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


def compare_rows(mark: str, fragments: Sequence[Fragment], rows: Rows) -> RowChanges | None:
    """How the rows of a version with these parts differ from those of one with a mark; None for what is no mark."""
    try:
        before = {Fragment(number, size, tuple(files)) for number, size, *files in json.loads(mark)}
    except (ValueError, TypeError):
        return None
    rows = np.sort(rows)
    added, ended = [np.empty(0, np.uint64)], [np.empty(0, np.uint64)]
    for one in fragments:
        first = np.uint64(one.number) << np.uint64(ROWS_OF_PART)
        own = rows[slice(*np.searchsorted(rows, [first, first + np.uint64(one.rows)]))]
        if one not in before:
            added.append(own)
        elif len(own) < one.rows:
            is_gone = np.ones(one.rows, np.bool_)
            is_gone[(own - first).astype(np.int64)] = False
            ended.append(first + np.flatnonzero(is_gone).astype(np.uint64))
    for one in sorted(before.difference(fragments), key=lambda one: one.number):
        ended.append((np.uint64(one.number) << np.uint64(ROWS_OF_PART)) + np.arange(one.rows, dtype=np.uint64))
    return RowChanges(np.concatenate(added), np.concatenate(ended))
