"""Rows of signatures as the arrays that ranking works on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from histoseek.archive.schema import CHECKSUM, CONTEXT, MOSAIC_KEY
from histoseek.archive.stores.base import ROW, RowChanges, Store, TracksRows
from histoseek.archive.stores.checksums import find_signature_digest
from histoseek.archive.stores.rows import NO_DIGEST, Outline, RankingPart, RowIds
from histoseek.mosaics.barcodes import count_barcode_words
from histoseek.mosaics.distances import SignatureBlock

SIGNATURE = ("barcodes", "global_vector")
"""What ranking has at hand of every slide, beside its context."""

_IDS = ("slide_id", "patient_id", "case_id")

_ROWS_AT_ONCE = 4096
_IDS_AT_ONCE = 65536


@dataclass(frozen=True, slots=True)
class StoreSource:
    """The rows of a snapshot for ranking; dimension: of its global vectors; mosaic_dimension: of its mosaics."""

    store: Store
    dimension: int
    mosaic_dimension: int

    @property
    def mark(self) -> str:
        """Of the snapshot."""
        return self.store.mark

    def outline(self) -> Outline:
        """Ids and counts only: a slide has one barcode for each share, and one of its global vector."""
        rows = pa.Table.from_batches(self.store.scan([*_IDS, "shares", ROW], None))
        ids, patients, cases = (_read_texts(rows[name]) for name in _IDS)
        shares = rows["shares"].combine_chunks().value_lengths().to_numpy()
        counts = shares.astype(np.int64) + 1
        dimensions = self.dimension, self.mosaic_dimension, self._context_dimension
        return Outline(ids, patients, cases, rows[ROW].to_numpy(), counts, *dimensions)

    def parts(self) -> Iterator[RankingPart]:
        """As the engine reads them."""
        for batch in self.store.scan([*self.columns, ROW], None):
            yield self.make_part(pa.Table.from_batches([batch]))

    @property
    def rows_mark(self) -> str | None:
        """What `changes_since` has to know of the snapshot; None where the store can't tell its rows' changes."""
        return self.store.rows_mark if isinstance(self.store, TracksRows) else None

    def changes_since(self, rows_mark: str) -> RowChanges | None:
        """How the snapshot's rows differ from those of another version; None where that can't be told."""
        return self.store.changes_since(rows_mark) if isinstance(self.store, TracksRows) else None

    def count(self) -> int:
        """How many slides there are."""
        return self.store.count(None)

    def read_ids(self, row_ids: NDArray[np.uint64] | None = None) -> Iterator[RowIds]:
        """Whose some rows are, all of them for None."""
        for rows in self.read_rows([], row_ids, _IDS_AT_ONCE):
            yield read_row_ids(rows)

    def read(self, row_ids: NDArray[np.uint64] | None = None) -> Iterator[tuple[RowIds, RankingPart]]:
        """Some rows, all of them for None."""
        for rows in self.read_rows(self.columns, row_ids):
            yield read_row_ids(rows), self.make_part(rows)

    @property
    def columns(self) -> tuple[str, ...]:
        """What a signature is made of."""
        return list_signature_columns(self.store.schema)

    def make_part(self, rows: pa.Table) -> RankingPart:
        """The signatures of some rows."""
        return RankingPart(rows[ROW].to_numpy(), signature_block(rows, self.dimension, self.mosaic_dimension))

    def read_rows(
        self, columns: Sequence[str], row_ids: NDArray[np.uint64] | None, at_once: int = _ROWS_AT_ONCE
    ) -> Iterator[pa.Table]:
        """Whose some rows are, all of them for None, and columns of them."""
        sums = [CHECKSUM] if CHECKSUM in self.store.schema.names else []
        names = list(dict.fromkeys([*_IDS, *sums, *columns]))
        if row_ids is None:
            for batch in self.store.scan([*names, ROW], None):
                yield pa.Table.from_batches([batch])
            return
        for start in range(0, len(row_ids), at_once):
            yield self.store.take(row_ids[start : start + at_once], [*names, ROW])

    @property
    def _context_dimension(self) -> int:
        schema = self.store.schema
        return int(schema.field(CONTEXT).type.list_size) if CONTEXT in schema.names else 0


def read_row_ids(rows: pa.Table) -> RowIds:
    """Whose some rows are, with the checksums of their vectors where they have such."""
    ids, patients, cases = (_read_texts(rows[name]) for name in _IDS)
    digests = np.full(rows.num_rows, NO_DIGEST, np.uint64)
    if CHECKSUM in rows.column_names:
        for place, sums in enumerate(rows[CHECKSUM].to_pylist()):
            digest = find_signature_digest(sums)
            if digest is not None:
                digests[place] = int.from_bytes(digest, "little")
    return RowIds(rows[ROW].to_numpy(), ids, patients, cases, digests)


def _read_texts(column: pa.ChunkedArray) -> NDArray[np.str_]:
    return np.array([one or "" for one in column.to_pylist()], np.str_)


def list_signature_columns(schema: pa.Schema) -> tuple[str, ...]:
    """What ranking needs of the rows of a store: also the contexts, where it has such."""
    return (*SIGNATURE, CONTEXT) if CONTEXT in schema.names else SIGNATURE


def with_signatures(rows: pa.Table, block: SignatureBlock) -> pa.Table:
    """Rows with the columns that a block of the same slides gives."""
    words = pa.array(block.barcodes.reshape(-1))
    barcodes = pa.ListArray.from_arrays(pa.array(block.offsets * block.barcodes.shape[1], pa.int32()), words)
    vectors = pa.FixedSizeListArray.from_arrays(block.global_vectors.reshape(-1), block.global_vectors.shape[1])
    return rows.append_column("barcodes", barcodes).append_column("global_vector", vectors)


def signature_block(rows: pa.Table, dimension: int, mosaic_dimension: int) -> SignatureBlock:
    """Barcodes, which are of the mosaics' dimension, and global vectors."""
    globals_ = flat(rows["global_vector"]).reshape(rows.num_rows, dimension)
    words = flat(rows["barcodes"]).reshape(-1, count_barcode_words(mosaic_dimension))
    counts = rows["barcodes"].combine_chunks().value_lengths().to_numpy() // words.shape[1]
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return SignatureBlock(words, offsets, globals_, contexts=_read_contexts(rows))


def _read_contexts(rows: pa.Table) -> np.ndarray | None:
    """The contexts, NaN for a slide without one; None without the column."""
    if CONTEXT not in rows.column_names:
        return None
    contexts = np.full((rows.num_rows, rows.schema.field(CONTEXT).type.list_size), np.nan, np.float32)
    there = rows[CONTEXT].is_valid().to_numpy()
    contexts[there] = flat(rows[CONTEXT]).reshape(-1, contexts.shape[1])
    return contexts


def flat(column: pa.ChunkedArray) -> np.ndarray:
    """The values of a column of lists, one after the other."""
    return np.asarray(column.combine_chunks().flatten().to_numpy(zero_copy_only=False))


def lists(rows: pa.Table) -> dict[str, np.ndarray]:
    """A table of keys and lists as arrays by key."""
    keys, values = rows.columns
    return {key: flat(values.slice(place, 1)) for place, key in enumerate(keys.to_pylist())}


def read_dimensions(schema: pa.Schema) -> tuple[int, int]:
    """Of the global vectors of a slides' table, and of its mosaics."""
    dimension = int(schema.field("global_vector").type.list_size)
    return dimension, int((schema.field("mosaic").metadata or {}).get(MOSAIC_KEY, dimension))
