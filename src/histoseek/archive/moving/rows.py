"""Rows from one store to another, and whether two stores have the same ones, whatever engines hold them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from histoseek.archive.filters.expression import one_of
from histoseek.archive.schema import CHECKSUM
from histoseek.archive.stores.base import ROW, Store
from histoseek.archive.stores.checksums import digest_rows
from histoseek.progress import Reporter

_ROWS_AT_ONCE = 1024
_IDS_AT_ONCE = 500
_ID = "slide_id"


@dataclass(frozen=True, slots=True)
class RowDifferences:
    """Ids of slides that differ between a store and another: missing in the other, in it alone, of other values."""

    missing: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    altered: tuple[str, ...] = ()


def copy_rows(old: Store, new: Store, reporter: Reporter) -> int:
    """Let a store have the rows of a snapshot of another, some at a time; how many were not there yet.

    Killed, it goes on where it was. What the store has of others is erased.
    """
    _copy_columns(old, new)
    mine, there = _read_sums(old, ROW), _read_sums(new)
    keys = [_ID, CHECKSUM] if CHECKSUM in old.schema.names else [_ID]
    # A row without checksums may be another than it was.
    same = there.filter(there[CHECKSUM].is_valid()) if CHECKSUM in keys else there.slice(0, 0)
    wanted = np.sort(mine.join(same, keys, join_type="left anti")[ROW].to_numpy())
    gone = there.join(mine, _ID, join_type="left anti")[_ID].to_pylist()
    for part in _parts(gone, _IDS_AT_ONCE):
        new.delete(part)
    kept = there.num_rows - len(gone)
    reporter.expect(mine.num_rows)
    reporter.advance(mine.num_rows - len(wanted))
    for start in range(0, len(wanted), _ROWS_AT_ONCE):
        rows = old.take(wanted[start : start + _ROWS_AT_ONCE], new.schema.names)
        new.upsert(pa.table([rows[name].cast(new.schema.field(name).type) for name in new.schema.names], new.schema))
        reporter.advance(rows.num_rows)
    replaced = kept + len(wanted) - mine.num_rows
    if gone or replaced:
        new.erase()
    new.optimize()
    return len(wanted)


def _copy_columns(old: Store, new: Store) -> None:
    schema, there = old.schema, new.schema
    new.add_columns({field.name: field.type for field in schema if field.name not in there.names})
    for field in schema:
        known = (new.schema.field(field.name).metadata or {}).items()
        for key, value in (field.metadata or {}).items():
            if (key, value) not in known:
                new.describe(field.name, key.decode(), value.decode())


def compare_rows(old: Store, new: Store, reporter: Reporter) -> RowDifferences:
    """How the rows of `new` differ from those of `old`, a snapshot: every value of it is read, and compared by
    checksums with what `old` says of its rows, or where these are no more what they should be, with its rows."""
    sums = dict(_pairs(_read_sums(old)))
    suspects: dict[str, tuple[bytes | None, bytes]] = {}
    added, seen = [], set()
    reporter.expect(len(sums))
    for slide_id, stated, digest in _digest(new, None):
        seen.add(slide_id)
        if slide_id not in sums:
            added.append(slide_id)
        elif stated != sums[slide_id] or digest != stated:
            suspects[slide_id] = (stated, digest)
        reporter.advance()
    for part in _parts(sorted(suspects), _IDS_AT_ONCE):
        for slide_id, stated, digest in _digest(old, part):
            if suspects[slide_id] == (stated, digest):
                del suspects[slide_id]
    missing = tuple(sorted(slide_id for slide_id in sums if slide_id not in seen))
    return RowDifferences(missing, tuple(sorted(added)), tuple(sorted(suspects)))


def _read_sums(store: Store, *more: str) -> pa.Table:
    """Ids with the checksums that the rows state, as far as there are such."""
    names = [_ID, *([CHECKSUM] if CHECKSUM in store.schema.names else []), *more]
    rows = pa.Table.from_batches(store.scan(names, None))
    return rows.cast(pa.schema([pa.field(column.name, column.type) for column in rows.schema]))


def _pairs(sums: pa.Table) -> Iterator[tuple[str, bytes | None]]:
    stated = sums[CHECKSUM].to_pylist() if CHECKSUM in sums.column_names else [None] * sums.num_rows
    return zip(sums[_ID].to_pylist(), stated, strict=True)


def _digest(store: Store, slide_ids: Sequence[str] | None) -> Iterator[tuple[str, bytes | None, bytes]]:
    """By row its id, the checksums that it states, and those of its values as they are."""
    for batch in store.scan(store.schema.names, None if slide_ids is None else one_of(_ID, slide_ids)):
        rows = pa.Table.from_batches([batch])
        for (slide_id, stated), digest in zip(_pairs(rows), digest_rows(rows), strict=True):
            yield slide_id, stated, digest


def _parts(ids: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (ids[start : start + size] for start in range(0, len(ids), size))
