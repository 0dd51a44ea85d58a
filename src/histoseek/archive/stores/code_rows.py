"""Vectors of all slides in eight bits, kept in memory between searches."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.stores.column_rows import ColumnCache
from histoseek.mosaics.top_shares import CodeBlock


@dataclass(frozen=True, slots=True)
class CodeRows:
    """The S slides of one version of a store that have vectors of one kind.

    slide_ids: text [S]; row_ids: uint64 [S], the engine's own; block: their vectors; rest: how many other slides the
    store has.
    """

    slide_ids: NDArray[np.str_]
    row_ids: NDArray[np.uint64]
    block: CodeBlock
    rest: int = 0

    def __len__(self) -> int:
        return len(self.slide_ids)

    def among(self, rows: NDArray[np.uint64] | None) -> NDArray[np.bool_]:
        """Which slides are among some rows of the engine, None for all."""
        return np.ones(len(self), np.bool_) if rows is None else np.isin(self.row_ids, rows)


class CodeCache:
    """Holds the rows that were used last. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: tuple[tuple[int, str], CodeRows] | None = None

    def rows(self, key: tuple[int, str], read: Callable[[], CodeRows]) -> CodeRows:
        """The rows of a version of the store and of a space, read where they are not at hand."""
        with self._lock:
            if self._held is None or self._held[0] != key:
                self._held = None
                self._held = key, read()
            return self._held[1]

    def clear(self) -> None:
        """Forget what is held."""
        with self._lock:
            self._held = None


@dataclass(frozen=True, slots=True)
class CodeCaches:
    """What a store and its snapshots share: tiles in the space of words, mosaics in that of slides and texts, and
    columns of metadata."""

    word_tiles: CodeCache
    mosaics: CodeCache
    columns: ColumnCache

    @classmethod
    def create(cls) -> CodeCaches:
        """Empty ones."""
        return cls(CodeCache(), CodeCache(), ColumnCache())

    def clear(self) -> None:
        """Forget what they hold."""
        self.word_tiles.clear()
        self.mosaics.clear()
        self.columns.clear()
