"""Rows of signatures as the arrays that ranking works on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from histoseek.archive.schema import CONTEXT, MOSAIC_KEY
from histoseek.archive.stores.base import ROW, Store
from histoseek.archive.stores.ranking_cache import RankingPart
from histoseek.archive.stores.rows import Outline
from histoseek.mosaics.barcodes import count_barcode_words
from histoseek.mosaics.distances import SignatureBlock

SIGNATURE = ("barcodes", "global_vector")
"""What ranking has at hand of every slide, beside its context."""

_IDS = ("slide_id", "patient_id", "case_id")


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
        ids, patients, cases = (np.array([one or "" for one in rows[name].to_pylist()], np.str_) for name in _IDS)
        shares = rows["shares"].combine_chunks().value_lengths().to_numpy()
        counts = shares.astype(np.int64) + 1
        dimensions = self.dimension, self.mosaic_dimension, self._context_dimension
        return Outline(ids, patients, cases, rows[ROW].to_numpy(), counts, *dimensions)

    def parts(self) -> Iterator[RankingPart]:
        """As the engine reads them."""
        for batch in self.store.scan([*list_signature_columns(self.store.schema), ROW], None):
            rows = pa.Table.from_batches([batch])
            yield RankingPart(rows[ROW].to_numpy(), signature_block(rows, self.dimension, self.mosaic_dimension))

    @property
    def _context_dimension(self) -> int:
        schema = self.store.schema
        return int(schema.field(CONTEXT).type.list_size) if CONTEXT in schema.names else 0


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
