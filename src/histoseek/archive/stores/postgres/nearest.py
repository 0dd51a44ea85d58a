"""The rows nearest to a vector: by the database's index of half-precision directions, ranked anew by their vectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from psycopg.sql import Identifier

from histoseek.archive.remote.postgres.pool import Connection
from histoseek.archive.stores.base import Neighbour
from histoseek.archive.stores.postgres.columns import NEAR, name_column
from histoseek.archive.stores.postgres.dialect import Condition
from histoseek.archive.stores.postgres.tables import StoreTables

LEAST_INDEXED = 2000
"""Of fewer rows the vectors are read and compared, which takes no longer than the index."""

_MORE = 1.1
_MORE_AT_LEAST = 30
"""How many more rows than wanted are taken by half precision."""

_MOST_WIDTH = 1000


class NearestRows:
    """Collects the nearest of rows that come in parts."""

    def __init__(self, vector: NDArray[np.float32], count: int) -> None:
        self._direction = vector / (np.linalg.norm(vector) or 1)
        self._count = count
        self._slide_ids = np.zeros(0, object)
        self._distances = np.zeros(0, np.float32)

    def add(self, rows: Sequence[tuple[object, ...]]) -> None:
        """Ids and vectors of some rows."""
        if not rows:
            return
        vectors = np.frombuffer(b"".join(_as_bytes(row[1]) for row in rows), "<f4").reshape(len(rows), -1)
        lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
        directions = vectors / np.where(lengths > 0, lengths, 1)[:, None]
        distances = 1 - np.einsum("ij,j->i", directions, self._direction)
        slide_ids = np.concatenate([self._slide_ids, np.array([row[0] for row in rows], object)])
        distances = np.concatenate([self._distances, distances])
        order = np.lexsort((slide_ids.astype(np.str_), distances))[: self._count]
        self._slide_ids, self._distances = slide_ids[order], distances[order]

    def list(self) -> list[Neighbour]:
        """Nearest first, ties by id."""
        pairs = zip(self._slide_ids.tolist(), self._distances.tolist(), strict=True)
        return [Neighbour(slide_id, distance) for slide_id, distance in pairs]


def is_index_worthwhile(matching: int, rows: int, count: int) -> bool:
    """Whether the index finds the nearest of those that match sooner than all of their vectors are read: to find
    `count` it has to pass `count * rows / matching`, which take about as long each."""
    return matching > LEAST_INDEXED and matching**2 > count * rows


def find_by_index(
    connection: Connection, tables: StoreTables, column: str, where: Condition, vector: NDArray[np.float32], count: int
) -> list[Neighbour]:
    """The nearest rows of a condition as the index finds them, less than `count` where it finds no more."""
    nearest = NearestRows(vector, count)
    taken = max(int(count * _MORE), count + _MORE_AT_LEAST)
    settings = {
        "hnsw.ef_search": min(max(taken, 100), _MOST_WIDTH),
        "hnsw.iterative_scan": "relaxed_order",
        "hnsw.max_scan_tuples": 10_000_000,
        "hnsw.scan_mem_multiplier": 64,
        "enable_seqscan": "off",
        "enable_sort": "off",
        "enable_bitmapscan": "off",
    }
    connection.execute(
        "SELECT set_config(name, value, true) FROM unnest(%s::text[], %s::text[]) AS one (name, value)",
        (list(settings), [str(value) for value in settings.values()]),
    )
    direction = vector / (float(np.abs(vector).max(initial=0)) or 1)
    direction = direction / (np.linalg.norm(direction) or 1)
    found = connection.execute(
        tables.write(
            "SELECT slide_id, {vector} FROM {slides} WHERE {where} "
            " ORDER BY {near} <=> %(nearest)s::halfvec LIMIT %(most)s",
            vector=Identifier(name_column(column)),
            near=Identifier(f"{NEAR}{column}"),
            where=where.sql,
        ),
        {**where.values, "nearest": f"[{','.join(map(repr, direction.tolist()))}]", "most": taken},
        binary=True,
        prepare=False,
    )
    nearest.add(found.fetchall())
    return nearest.list()


def _as_bytes(value: object) -> bytes:
    assert isinstance(value, bytes)
    return value
