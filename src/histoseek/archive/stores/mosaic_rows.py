"""The mosaic vectors of all slides in the space that slides and texts share, in eight bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from histoseek.archive.stores.base import ROW, Store
from histoseek.archive.stores.code_rows import CodeCache, CodeRows
from histoseek.encoders.alignment import Alignment
from histoseek.mosaics.tile_words import quantise
from histoseek.mosaics.top_shares import CodeBlock

_AT_ONCE = 2048
"""Vectors that are mapped together."""

Floats = NDArray[np.float32]
Codes = NDArray[np.int8]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class MosaicTable:
    """The column of mosaics of a snapshot, of a version; dimension: of their vectors; cache: shared by snapshots."""

    view: Store
    version: int
    dimension: int
    cache: CodeCache

    def rows(self, alignment: Alignment, fingerprint: str, own: Booleans | None = None) -> CodeRows:
        """All slides' mosaics as an alignment of this fingerprint maps them, each vector with its share of the slide;
        kept between searches until the store changes.

        own: bool [S], which numbers of the space count, None for all. A vector that has only zeros there, as one of the
        other of two encoders side by side, has no place in the space, and is left out.
        """
        key = fingerprint if own is None else f"{fingerprint} {np.packbits(own).tobytes().hex()}"
        return self.cache.rows((self.version, key), lambda: self._read(alignment, own))

    def _read(self, alignment: Alignment, own_numbers: Booleans | None) -> CodeRows:
        counts = [_count_vectors(batch.column(0)) for batch in self.view.scan(["shares"], None)]
        total = int(sum(own.sum() for own in counts))
        codes = np.empty((total, alignment.dimension(self.dimension)), np.int8)
        scales, weights = np.empty(total, np.float32), np.empty(total, np.float32)
        is_placed = np.empty(total, np.bool_)
        ids, rows, sizes, end = [], [], [np.zeros(1, np.int64)], 0
        for batch in self.view.scan([ROW, "slide_id", "mosaic", "shares"], None):
            row, slide_id, mosaic, share = batch.columns
            own = _count_vectors(share)
            part = slice(end, end := end + int(own.sum()))
            self._fill(mosaic, alignment, codes[part], scales[part])
            is_placed[part] = (codes[part] if own_numbers is None else codes[part][:, own_numbers]).any(axis=1)
            weights[part] = share.flatten().to_numpy(zero_copy_only=False)
            ids += slide_id.to_pylist()
            rows.append(row.to_numpy(zero_copy_only=False))
            sizes.append(own)
        block = CodeBlock(codes, scales, weights, np.cumsum(np.concatenate(sizes)), np.ones(len(ids)))
        all_rows = CodeRows(np.array(ids, np.str_), np.concatenate([np.empty(0, np.uint64), *rows]), block)
        return all_rows if is_placed.all() else _keep_placed(all_rows, is_placed)

    def _fill(self, mosaic: pa.Array, alignment: Alignment, codes: Codes, scales: Floats) -> None:
        """Some at a time, so that they stay near the processor."""
        vectors = mosaic.flatten().to_numpy(zero_copy_only=False).reshape(-1, self.dimension)
        for start in range(0, len(vectors), _AT_ONCE):
            run = slice(start, start + _AT_ONCE)
            mapped = alignment.mosaics(vectors[run].astype(np.float32))
            codes[run], scales[run] = quantise(mapped)
            scales[run] *= np.linalg.norm(mapped, axis=1)


def _keep_placed(rows: CodeRows, is_placed: Booleans) -> CodeRows:
    """The slides that have vectors with a place, and these alone; is_placed: bool [T], of all vectors."""
    block = rows.block
    counts = np.diff(np.concatenate([[0], np.cumsum(is_placed)])[block.offsets])
    has_any = counts > 0
    kept = CodeBlock(
        block.codes[is_placed],
        block.scales[is_placed],
        block.weights[is_placed],
        np.concatenate([[0], np.cumsum(counts[has_any])]).astype(np.int64),
        block.masses[has_any],
    )
    return CodeRows(rows.slide_ids[has_any], rows.row_ids[has_any], kept, int((~has_any).sum()))


def _count_vectors(shares: pa.Array) -> np.ndarray:
    """How many vectors each slide has, int64 [S]."""
    return np.asarray(shares.value_lengths().to_numpy(zero_copy_only=False), np.int64)
