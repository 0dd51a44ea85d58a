"""The tiles of all slides in the space of words, kept in memory between searches."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from histoseek.archive.filters.expression import Column, IsNull, one_of
from histoseek.archive.schema import ANALYSER_KEY, WORD_TILES
from histoseek.archive.stores.base import ROW, Store
from histoseek.mosaics.tile_words import MOST_TILES, WordTiles, shorten_hash
from histoseek.mosaics.top_shares import WordTileBlock


@dataclass(frozen=True, slots=True)
class WordTileRows:
    """The S slides of one version of a store that have tiles in the space of one tower's words, by id.

    slide_ids: text [S]; row_ids: uint64 [S], the engine's own; block: their tiles; rest: how many other slides the
    store has.
    """

    slide_ids: NDArray[np.str_]
    row_ids: NDArray[np.uint64]
    block: WordTileBlock
    rest: int

    def __len__(self) -> int:
        return len(self.slide_ids)

    @classmethod
    def read(cls, store: Store | None, tower: str, dimension: int) -> Self:
        """Of a snapshot, None for one that has no tiles; rows that can't be read, or are of other words, are left out.

        The arrays are as large as they may become, of which a system gives only what is filled.
        """
        count = store.count(None) if store else 0
        filling, tower = _Filling(count * MOST_TILES, dimension), shorten_hash(tower)
        for batch in store.scan([ROW, "slide_id", WORD_TILES], None) if store else ():
            for row, slide_id, packed in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                filling.take(row, slide_id, packed, tower)
        return cls(*filling.finish(), count - len(filling.slide_ids))

    def among(self, rows: NDArray[np.uint64] | None) -> NDArray[np.bool_]:
        """Which slides are among some rows of the engine, None for all."""
        return np.ones(len(self), np.bool_) if rows is None else np.isin(self.row_ids, rows)


class _Filling:
    def __init__(self, tiles: int, dimension: int) -> None:
        self.slide_ids: list[str] = []
        self._rows: list[int] = []
        self._masses: list[float] = []
        self._offsets = [0]
        self._codes = np.empty((tiles, dimension), np.int8)
        self._scales, self._weights = np.empty(tiles, np.float32), np.empty(tiles, np.float32)

    def take(self, row: int, slide_id: str, packed: bytes | None, tower: str) -> None:
        own = _unpack(packed)
        if own is None or own.tower != tower or own.codes.shape[1] != self._codes.shape[1]:
            return
        start, end = self._offsets[-1], self._offsets[-1] + len(own.scales)
        if end > len(self._codes):
            return
        self._codes[start:end], self._scales[start:end], self._weights[start:end] = own.codes, own.scales, own.weights
        self._offsets.append(end)
        self._masses.append(own.top_mass)
        self._rows.append(row)
        self.slide_ids.append(slide_id)

    def finish(self) -> tuple[NDArray[np.str_], NDArray[np.uint64], WordTileBlock]:
        used = slice(0, self._offsets[-1])
        offsets, masses = np.array(self._offsets, np.int64), np.array(self._masses, np.float64)
        block = WordTileBlock(self._codes[used], self._scales[used], self._weights[used], offsets, masses)
        return np.array(self.slide_ids, np.str_), np.array(self._rows, np.uint64), block


class WordTileCache:
    """Holds the rows of the version that was used last. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: tuple[tuple[int, str], WordTileRows] | None = None

    def rows(self, version: int, store: Store | None, tower: str, dimension: int) -> WordTileRows:
        """The rows of a version, read where they are not at hand."""
        with self._lock:
            if self._held is None or self._held[0] != (version, tower):
                self._held = None
                self._held = (version, tower), WordTileRows.read(store, tower, dimension)
            return self._held[1]

    def clear(self) -> None:
        """Forget what is held."""
        with self._lock:
            self._held = None


@dataclass(frozen=True, slots=True)
class WordTileTable:
    """The column of tiles in the space of words; only archives whose tile encoder has words have it.

    store: to be written to; view: a snapshot, of a version; cache: shared by the snapshots.
    """

    store: Store
    view: Store
    version: int
    cache: WordTileCache

    @property
    def tower(self) -> str:
        """The hash of the word tower that projected the archive's tiles, "" where none did."""
        schema = self.store.schema
        if WORD_TILES not in schema.names:
            return ""
        return str((schema.field(WORD_TILES).metadata or {}).get(ANALYSER_KEY, b"").decode())

    def ensure(self, tower: str) -> None:
        """Add the column, and say which tower projects the tiles."""
        self.store.add_columns({WORD_TILES: pa.binary()})
        if self.tower != tower:
            self.store.describe(WORD_TILES, ANALYSER_KEY.decode(), tower)

    def list_missing(self) -> list[str]:
        """Slides without tiles, by id."""
        where = IsNull(Column(WORD_TILES)) if WORD_TILES in self.view.schema.names else None
        ids = (batch.column(0).to_pylist() for batch in self.view.scan(["slide_id"], where))
        return sorted(chain.from_iterable(ids))

    def rows(self, tower: str, dimension: int) -> WordTileRows:
        """All slides' tiles in the space of a tower's words, kept between searches until the store changes."""
        has_tiles = WORD_TILES in self.view.schema.names
        return self.cache.rows(self.version, self.view if has_tiles else None, tower, dimension)

    def of(self, slide_ids: Sequence[str]) -> Mapping[str, WordTiles]:
        """The tiles of those of some slides that have any that can be read."""
        if WORD_TILES not in self.view.schema.names or not slide_ids:
            return {}
        batches = self.view.scan(["slide_id", WORD_TILES], one_of("slide_id", slide_ids))
        pairs = chain.from_iterable(zip(*(one.to_pylist() for one in batch.columns), strict=True) for batch in batches)
        return {slide_id: tiles for slide_id, packed in pairs if (tiles := _unpack(packed)) is not None}


def _unpack(packed: Any) -> WordTiles | None:
    try:
        return WordTiles.unpack(packed) if packed else None
    except ValueError:
        return None
