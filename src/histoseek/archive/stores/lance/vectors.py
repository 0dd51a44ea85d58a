"""One column of vectors of a version of the table, kept in memory: the engine reads it anew for each query."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from histoseek.archive.stores.base import Neighbour

MOST_BYTES = 512 * 2**20
"""A column that is larger stays on disk."""


@dataclass(frozen=True, slots=True)
class HeldVectors:
    """The rows with a vector: row_ids uint64 [n], ascending; slide_ids [n]; directions, float32 [n, D]."""

    row_ids: NDArray[np.uint64]
    slide_ids: NDArray[np.str_]
    directions: NDArray[np.float32]

    @classmethod
    def read(cls, rows: pa.Table, column: str, row: str) -> HeldVectors:
        """From a table with the numbers of its rows, their slides and vectors."""
        rows = rows.filter(pc.is_valid(rows[column])).sort_by(row).combine_chunks()
        values = rows[column].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        vectors = np.array(values, np.float32).reshape(rows.num_rows, rows.schema.field(column).type.list_size)
        lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
        vectors /= np.where(lengths > 0, lengths, 1)[:, None]
        return cls(rows[row].to_numpy(), np.array(rows["slide_id"].to_pylist(), np.str_), vectors)

    def nearest(self, vector: NDArray[np.float32], count: int, among: NDArray[np.uint64] | None) -> list[Neighbour]:
        """By cosine distance, ties by id; among: the numbers of rows, None for all."""
        places = np.arange(len(self.row_ids)) if among is None else self._find(among)
        directions = self.directions if among is None else self.directions[places]
        # Not by a BLAS, whose threads stay busy for a while and hold up what comes next.
        distances = 1 - np.einsum("ij,j->i", directions, vector / (np.linalg.norm(vector) or 1))
        near = np.arange(len(places))
        if count < len(places):
            near = np.flatnonzero(distances <= np.partition(distances, count - 1)[count - 1])
        near = near[np.lexsort((self.slide_ids[places[near]], distances[near]))][:count]
        return [
            Neighbour(slide_id, distance)
            for slide_id, distance in zip(self.slide_ids[places[near]].tolist(), distances[near].tolist(), strict=True)
        ]

    def _find(self, row_ids: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Where some rows stand, as far as they have a vector."""
        return np.flatnonzero(np.isin(self.row_ids, row_ids, assume_unique=True))
