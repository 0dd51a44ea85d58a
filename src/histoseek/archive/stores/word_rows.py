"""The tiles of all slides in the space of words, kept in memory between searches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from histoseek.archive.filters.expression import Column, IsNull, one_of
from histoseek.archive.schema import ANALYSER_KEY, WORD_TILES
from histoseek.archive.stores.base import ROW, Store
from histoseek.archive.stores.code_rows import CodeCache, CodeRows
from histoseek.mosaics.tile_words import MOST_TILES, WordTiles, shorten_hash
from histoseek.mosaics.top_shares import CodeBlock


def read_word_tiles(store: Store | None, tower: str, dimension: int) -> CodeRows:
    """The tiles in the space of one tower's words of a snapshot's slides, None for a snapshot that has no tiles; rows
    that can't be read, or are of other words, are left out.

    The arrays are as large as they may become, of which a system gives only what is filled.
    """
    count = store.count(None) if store else 0
    filling, tower = _Filling(count * MOST_TILES, dimension), shorten_hash(tower)
    for batch in store.scan([ROW, "slide_id", WORD_TILES], None) if store else ():
        for row, slide_id, packed in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            filling.take(row, slide_id, packed, tower)
    return CodeRows(*filling.finish(), count - len(filling.slide_ids))


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

    def finish(self) -> tuple[NDArray[np.str_], NDArray[np.uint64], CodeBlock]:
        used = slice(0, self._offsets[-1])
        offsets, masses = np.array(self._offsets, np.int64), np.array(self._masses, np.float64)
        block = CodeBlock(self._codes[used], self._scales[used], self._weights[used], offsets, masses)
        return np.array(self.slide_ids, np.str_), np.array(self._rows, np.uint64), block


@dataclass(frozen=True, slots=True)
class WordTileTable:
    """The column of tiles in the space of words; only archives whose tile encoder has words have it.

    store: to be written to; view: a snapshot, of a version; cache: shared by the snapshots.
    """

    store: Store
    view: Store
    version: int
    cache: CodeCache

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

    def rows(self, tower: str, dimension: int) -> CodeRows:
        """All slides' tiles in the space of a tower's words, kept between searches until the store changes."""
        view = self.view if WORD_TILES in self.view.schema.names else None
        return self.cache.rows((self.version, tower), lambda: read_word_tiles(view, tower, dimension))

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
