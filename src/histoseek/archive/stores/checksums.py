"""Checksums of rows: what each part of a row was when it was written, whatever engine has held it since.

A checksum is of values, not of bytes of files: columns by name, those without a value left out. So it stays the same
when columns are added, files are joined, or a row is copied to another store.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from histoseek.archive.schema import (
    CHECKSUM,
    CONTEXT,
    LANGUAGE_COLUMNS,
    RECORD_TOKENS,
    SIGNATURE_COLUMNS,
    VECTOR_COLUMNS,
    WORD_TILES,
)

METADATA, REPORT, SIGNATURE, LANGUAGE, WORDS = "metadata", "report", "signature", "language", "words"
PARTS = (METADATA, REPORT, SIGNATURE, LANGUAGE, WORDS)
"""In the order of their digests: metadata of all columns; the report; vectors and tiles; what was read from the report
with its vectors; the tokens of the metadata."""

_DIGEST_BYTES = 8
_ALTERED = bytes(_DIGEST_BYTES)
"""In place of the digest of a part that was written again although it was not what it had been."""


def with_checksums(rows: pa.Table, altered: Sequence[Sequence[str]]) -> pa.Table:
    """Whole rows with the checksums of their parts; altered: by row those that stay marked. As they are without the
    column."""
    if CHECKSUM not in rows.column_names:
        return rows
    sums = [
        b"".join(_ALTERED if part in marked else digest for part, digest in zip(PARTS, digests, strict=True))
        for marked, digests in zip(altered, _digest_rows(rows), strict=True)
    ]
    return _with_sums(rows, sums)


def make_checksums(batches: Iterable[pa.RecordBatch]) -> pa.Table:
    """Ids and checksums of rows as they are, one batch after the other."""
    tables = (pa.Table.from_batches([batch]) for batch in batches)
    sums = (with_checksums(rows, [()] * rows.num_rows).select(["slide_id", CHECKSUM]) for rows in tables)
    return pa.concat_tables(list(sums))


def with_new_tokens(rows: pa.Table) -> pa.Table:
    """Rows of ids, checksums and new tokens of metadata, with the checksums of these tokens."""
    if CHECKSUM not in rows.column_names:
        return rows
    tokens = _digest_columns(rows, [RECORD_TOKENS])
    old = rows[CHECKSUM].to_pylist()
    size = _DIGEST_BYTES * PARTS.index(WORDS)
    return _with_sums(rows, [sums and sums[:size] + new for sums, new in zip(old, tokens, strict=True)])


def list_altered(rows: pa.Table) -> list[tuple[str, ...]]:
    """Of whole rows the parts that are not what they were when written; none of rows without checksums."""
    if CHECKSUM not in rows.column_names:
        return [()] * rows.num_rows
    return [
        ()
        if sums is None
        else tuple(part for part, own, new in zip(PARTS, _split(sums), digests, strict=True) if own != new)
        for sums, digests in zip(rows[CHECKSUM].to_pylist(), _digest_rows(rows), strict=True)
    ]


def digest_rows(rows: pa.Table) -> Iterator[bytes]:
    """By whole row, its checksums as they would be now."""
    return (b"".join(digests) for digests in _digest_rows(rows))


def find_signature_digest(sums: bytes | None) -> bytes | None:
    """Of the checksums of a row that of its vectors, None where there are none or they were altered."""
    digest = _split(sums)[PARTS.index(SIGNATURE)] if sums else _ALTERED
    return None if digest == _ALTERED else digest


def _split(sums: bytes) -> list[bytes]:
    return [sums[start : start + _DIGEST_BYTES] for start in range(0, _DIGEST_BYTES * len(PARTS), _DIGEST_BYTES)]


def _with_sums(rows: pa.Table, sums: Sequence[bytes | None]) -> pa.Table:
    place = rows.column_names.index(CHECKSUM)
    return rows.set_column(place, rows.schema.field(place), pa.array(sums, pa.binary()))


def _digest_rows(rows: pa.Table) -> Iterator[tuple[bytes, ...]]:
    """By row, the digests of its parts."""
    metadata = [name for name in rows.column_names if name not in VECTOR_COLUMNS and name != "report"]
    columns = (metadata, ["report"], (*SIGNATURE_COLUMNS, CONTEXT, WORD_TILES), LANGUAGE_COLUMNS, [RECORD_TOKENS])
    return zip(*(_digest_columns(rows, names) for names in columns), strict=True)


def _digest_columns(rows: pa.Table, names: Iterable[str]) -> list[bytes]:
    hashers = [hashlib.blake2b(digest_size=_DIGEST_BYTES) for _ in range(rows.num_rows)]
    for name in sorted(set(names).intersection(rows.column_names)):
        head = name.encode() + b"\0"
        for hasher, value in zip(hashers, _list_bytes(rows[name]), strict=True):
            if value is not None:
                hasher.update(head + struct.pack("<q", len(value)))
                hasher.update(value)
    return [hasher.digest() for hasher in hashers]


def _list_bytes(column: pa.ChunkedArray) -> Iterator[bytes | None]:
    """The values of a column as bytes that are the same on every machine, None for none."""
    array, kind = column.combine_chunks(), column.type
    if pa.types.is_list(kind) and pa.types.is_string(kind.value_type):
        return (None if texts is None else _join(text.encode() for text in texts) for texts in array.to_pylist())
    if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
        return _list_numbers(array)
    if pa.types.is_string(kind):
        return (None if text is None else text.encode() for text in array.to_pylist())
    if pa.types.is_binary(kind):
        return iter(array.to_pylist())
    if pa.types.is_floating(kind):
        return (None if number is None else struct.pack("<d", number) for number in array.to_pylist())
    whole = array.cast(pa.int32()) if pa.types.is_date32(kind) else array
    return (None if number is None else struct.pack("<q", number) for number in whole.cast(pa.int64()).to_pylist())


def _list_numbers(array: pa.Array) -> Iterator[bytes | None]:
    if pa.types.is_fixed_size_list(array.type):
        starts = (array.offset + np.arange(len(array) + 1)) * array.type.list_size
    else:
        starts = array.offsets.to_numpy()
    values = array.values.to_numpy(zero_copy_only=False)
    values = values.astype(values.dtype.newbyteorder("<"), copy=False)
    there = array.is_valid().to_numpy(zero_copy_only=False)
    return (values[starts[i] : starts[i + 1]].tobytes() if there[i] else None for i in range(len(array)))


def _join(texts: Iterable[bytes]) -> bytes:
    return b"".join(struct.pack("<q", len(text)) + text for text in texts)
