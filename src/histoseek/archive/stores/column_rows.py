"""Columns of all slides of a version of the store, kept in memory: lists are sorted by them, facets counted of them."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from histoseek.archive.filters.expression import Expression
from histoseek.archive.stores.base import ROW, Store

Kept = TypeVar("Kept")
Places = NDArray[np.int64]

_FILTERS_KEPT = 8
_ORDERS_KEPT = 8


@dataclass(frozen=True, slots=True)
class CodedColumn:
    """A column of S slides by its V different values.

    values: ascending, texts as if in small letters, those that differ in nothing else as they are; codes: int32 [S],
    the place of each slide's value, V for an empty cell, so that those come last; folded: texts in small letters.
    """

    values: pa.Array
    codes: NDArray[np.int32]
    folded: pa.Array | None = None

    @classmethod
    def encode(cls, cells: pa.Array) -> CodedColumn:
        """Of cells; a number that is none counts as empty."""
        if pa.types.is_floating(cells.type):
            cells = pc.if_else(pc.is_nan(cells), pa.scalar(None, cells.type), cells)
        encoded = pc.dictionary_encode(cells)
        values = encoded.dictionary
        folded = pc.utf8_lower(values) if pa.types.is_string(values.type) else None
        order = pc.sort_indices(
            pa.table({"folded": values if folded is None else folded, "value": values}),
            sort_keys=[("folded", "ascending"), ("value", "ascending")],
        )
        rank = np.empty(len(order) + 1, np.int32)
        rank[order.to_numpy()] = np.arange(len(order), dtype=np.int32)
        rank[-1] = len(order)
        codes = rank[pc.fill_null(encoded.indices, len(order)).to_numpy()]
        return cls(values.take(order), codes, None if folded is None else folded.take(order))

    def find(self, value: Any) -> int:
        """The place where a value stands among the values, or would."""
        if value is None:
            return len(self.values)
        if self.folded is None:
            return bisect_left(self.values, value, key=lambda one: one.as_py())
        wanted = (pc.utf8_lower(pa.scalar(value)).as_py(), value)
        key = lambda place: (self.folded[place].as_py(), self.values[place].as_py())  # noqa: E731
        return bisect_left(range(len(self.values)), wanted, key=key)

    def count(self, places: Places | None) -> NDArray[np.int64]:
        """How many slides of some places, None for all, have each value, and at the end how many have none; [V + 1]."""
        codes = self.codes if places is None else self.codes[places]
        return np.bincount(codes, minlength=len(self.values) + 1)


@dataclass(frozen=True, slots=True)
class CodedLists:
    """A column of lists of texts: values [V], and of each of T members its slide's place and its value's code."""

    values: pa.Array
    owners: NDArray[np.int32]
    codes: NDArray[np.int32]

    @classmethod
    def encode(cls, cells: pa.Array) -> CodedLists:
        """Of lists, empty where there is none."""
        encoded = pc.dictionary_encode(cells.flatten())
        owners = pc.list_parent_indices(cells).to_numpy().astype(np.int32)
        return cls(encoded.dictionary, owners, encoded.indices.to_numpy().astype(np.int32))

    def count(self, places: Places | None, slides: int) -> NDArray[np.int64]:
        """How often slides of some places, None for all, have each value; [V]."""
        if places is None:
            return np.bincount(self.codes, minlength=len(self.values))
        among = np.zeros(slides, np.bool_)
        among[places] = True
        return np.bincount(self.codes[among[self.owners]], minlength=len(self.values))


class ColumnRows:
    """The S slides of one version of a store, with columns that are read when first asked for.

    A place is a slide's number here, by the engine's own number of its row. Safe to use from several threads.
    """

    def __init__(self, store: Store) -> None:
        """Of a snapshot."""
        self._store = store
        self._lock = threading.RLock()
        self._made: dict[str, Any] = {}
        self._places: OrderedDict[str, Places] = OrderedDict()
        self._orders: OrderedDict[tuple[str, bool], NDArray[np.int32]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._rows)

    def column(self, name: str) -> CodedColumn:
        """A column with one value a slide."""
        return self.make(name, lambda: CodedColumn.encode(self.read([name])[name]))

    def lists(self, name: str) -> CodedLists:
        """A column of lists of texts."""
        return self.make(name, lambda: CodedLists.encode(self.read([name])[name]))

    def make(self, name: str, make: Callable[[], Kept]) -> Kept:
        """What is made of all slides under a name, once."""
        if name not in self._made:
            with self._lock:
                if name not in self._made:
                    self._made[name] = make()
        kept: Kept = self._made[name]
        return kept

    def read(self, names: Sequence[str]) -> dict[str, pa.Array]:
        """Columns as they are stored, by place; not kept."""
        rows = pa.Table.from_batches(self._store.scan([ROW, *names], None)).combine_chunks()
        order = pa.array(np.argsort(rows[ROW].to_numpy()))
        return {name: _join(rows[name]).take(order) for name in names}

    def places(self, where: Expression | None) -> Places | None:
        """The slides of a filter that was checked, ascending; None for no filter. Those of the last few are kept."""
        if where is None:
            return None
        return self._keep(self._places, str(where), _FILTERS_KEPT, lambda: self._find(where))

    def order(self, name: str, column: CodedColumn, descending: bool) -> NDArray[np.int32]:
        """All places by a column, kept under its name: slides without a value last, those with the same one by id."""

        def sort() -> NDArray[np.int32]:
            empty = len(column.values)
            keys = np.where(column.codes == empty, empty, empty - 1 - column.codes) if descending else column.codes
            ids = self.column("slide_id").codes
            return np.argsort(keys.astype(np.int64) * (len(self) + 1) + ids, kind="stable").astype(np.int32)

        return self._keep(self._orders, (name, descending), _ORDERS_KEPT, sort)

    def take(self, places: Places, names: Sequence[str]) -> pa.Table:
        """Columns of the slides of some places, in their order."""
        wanted = self._rows[places]
        table = self._store.take(wanted, [ROW, *names]).combine_chunks()
        row_of = {row: at for at, row in enumerate(table[ROW].to_pylist())}
        return table.select(list(names)).take(pa.array([row_of[row] for row in wanted.tolist()], pa.int64()))

    @cached_property
    def _rows(self) -> NDArray[np.uint64]:
        rows = pa.Table.from_batches(self._store.scan([ROW], None))[ROW].to_numpy()
        return np.sort(rows)

    def _find(self, where: Expression) -> Places:
        return np.searchsorted(self._rows, np.sort(self._store.find_rows(where))).astype(np.int64)

    def _keep(self, kept: OrderedDict[Any, Kept], key: object, most: int, make: Callable[[], Kept]) -> Kept:
        with self._lock:
            if key in kept:
                kept.move_to_end(key)
                return kept[key]
        made = make()
        with self._lock:
            kept[key] = made
            while len(kept) > most:
                kept.popitem(last=False)
        return made


class ColumnCache:
    """Holds the columns of the version that was used last. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: tuple[int, ColumnRows] | None = None

    def rows(self, version: int, store: Store) -> ColumnRows:
        """Those of a snapshot of this version."""
        with self._lock:
            if self._held is None or self._held[0] != version:
                self._held = version, ColumnRows(store)
            return self._held[1]

    def clear(self) -> None:
        """Forget what is held."""
        with self._lock:
            self._held = None


def _join(cells: pa.ChunkedArray) -> pa.Array:
    joined = cells.combine_chunks()
    return joined if isinstance(joined, pa.Array) else pa.concat_arrays(joined.chunks or [pa.array([], cells.type)])
