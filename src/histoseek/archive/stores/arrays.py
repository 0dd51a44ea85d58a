"""Columns of slides' tables as contiguous arrays."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from histoseek.mosaics.barcodes import count_barcode_words
from histoseek.mosaics.distances import SignatureBlock

SIGNATURE = ("barcodes", "global_vector")


def with_signatures(rows: pa.Table, block: SignatureBlock) -> pa.Table:
    """Rows with the columns that a block of the same slides gives."""
    words = pa.array(block.barcodes.reshape(-1))
    barcodes = pa.ListArray.from_arrays(pa.array(block.offsets * block.barcodes.shape[1], pa.int32()), words)
    vectors = pa.FixedSizeListArray.from_arrays(block.global_vectors.reshape(-1), block.global_vectors.shape[1])
    return rows.append_column("barcodes", barcodes).append_column("global_vector", vectors)


def signature_block(rows: pa.Table, dimension: int) -> SignatureBlock:
    """Barcodes and global vectors."""
    globals_ = flat(rows["global_vector"]).reshape(rows.num_rows, dimension)
    words = flat(rows["barcodes"]).reshape(-1, count_barcode_words(dimension))
    counts = rows["barcodes"].combine_chunks().value_lengths().to_numpy() // words.shape[1]
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return SignatureBlock(words, offsets, globals_)


def flat(column: pa.ChunkedArray) -> np.ndarray:
    """The values of a column of lists, one after the other."""
    return np.asarray(column.combine_chunks().flatten().to_numpy(zero_copy_only=False))


def lists(rows: pa.Table) -> dict[str, np.ndarray]:
    """A table of keys and lists as arrays by key."""
    keys, values = rows.columns
    return {key: flat(values.slice(place, 1)) for place, key in enumerate(keys.to_pylist())}
