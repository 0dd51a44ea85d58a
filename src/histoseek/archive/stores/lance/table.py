"""A store over a LanceDB table, wherever its files lie: what is read and written through the engine."""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from functools import cached_property
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from histoseek.archive.filters.expression import NO_REPORT, Expression, one_of
from histoseek.archive.schema import VECTOR_COLUMNS
from histoseek.archive.stores.base import ROW, Capabilities, Neighbour, RowChanges, TextHit, VectorColumn
from histoseek.archive.stores.lance.changes import compare_rows, write_mark
from histoseek.archive.stores.lance.dialect import to_sql
from histoseek.archive.stores.lance.engine import ROW_ID
from histoseek.archive.stores.lance.erasing import rewrite_parts
from histoseek.archive.stores.lance.indexes import index_columns, index_tokens
from histoseek.archive.stores.lance.lookup import MOST_IDS, Lookup
from histoseek.archive.stores.lance.texts import find_ids, token_hits
from histoseek.archive.stores.lance.vectors import MOST_BYTES, HeldVectors
from histoseek.archive.stores.lance.versions import Fragment
from histoseek.settings import get_settings

_CONDITIONS_KEPT = 16

_BATCH = 65_536
"""Rows without vectors that are read at once: each batch takes its time."""

_NEVER = timedelta(days=36500)


class TableStore(ABC):
    """All of a Store that does not depend on where the table's files lie."""

    def __init__(self, table: Any, stays: bool) -> None:
        """stays: the table always shows the version that it was opened at."""
        self._stays = stays
        self._table = table
        self._snapshot: tuple[int, Self] | None = None
        self._conditions: dict[Expression, str] = {}
        self._matching: dict[Expression, NDArray[np.uint64]] = {}
        self._held: dict[str, HeldVectors | None] = {}

    @abstractmethod
    def _open_snapshot(self) -> Self:
        """A store that stays at the last commit."""

    @abstractmethod
    def _committing(self) -> AbstractContextManager[None]:
        """All that makes versions is asked of the engine in here."""

    @abstractmethod
    def _translating(self, where: str | None) -> AbstractContextManager[None]:
        """Turns what the engine raises into errors of ours; where: a filter, which may be at fault."""

    @abstractmethod
    def _list_files(self) -> Collection[str]:
        """The files of the table, by their paths in the store."""

    @abstractmethod
    def _read_fragments(self) -> tuple[Fragment, ...]:
        """The parts of the version of a store that stays as it is; raises OSError, ValueError."""

    @abstractmethod
    def _clean(self, history_s: float) -> None:
        """Remove versions that were not the newest any more for so long, and the files that no other needs."""

    @property
    def capabilities(self) -> Capabilities:
        """All of them."""
        return Capabilities()

    @property
    def version(self) -> int:
        """The engine's number of the last commit."""
        return self._version if self._stays else self._latest()

    @property
    def rows_mark(self) -> str:
        """The parts of the table."""
        return write_mark(self._fragments)

    def changes_since(self, rows_mark: str) -> RowChanges | None:
        """By the parts that both versions have, and the rows that are left of them."""
        rows = pa.Table.from_batches(self.scan([ROW], None))[ROW].to_numpy()
        return compare_rows(rows_mark, self._fragments, rows)

    @property
    def schema(self) -> pa.Schema:
        """All columns."""
        return self._schema if self._stays else self._read_schema()

    def add_columns(self, columns: Mapping[str, pa.DataType]) -> None:
        """Add missing columns, empty."""
        there = self.schema.names
        new = [pa.field(name, kind) for name, kind in columns.items() if name not in there]
        if new:
            with self._committing():
                self._table.add_columns(pa.schema(new))

    def describe(self, column: str, key: str, value: str) -> None:
        """In one commit."""
        with self._committing():
            self._table.update_field_metadata({"path": column, "metadata": {key: value}})

    def upsert(self, rows: pa.Table) -> None:
        """Insert or replace in one commit."""
        with self._committing():
            merge = self._table.merge_insert("slide_id").when_matched_update_all().when_not_matched_insert_all()
            # "null" only says that a missing language vector may stay missing; vectors were checked when made.
            merge.execute(rows, on_bad_vectors="null")

    def fill(self, rows: pa.Table) -> None:
        """Columns of rows that are there, in one commit."""
        with self._committing():
            self._table.merge_insert("slide_id").when_matched_update_all().execute(rows)

    def delete(self, slide_ids: Sequence[str]) -> None:
        """Take slides out."""
        with self._committing():
            self._table.delete(self._sql(one_of("slide_id", slide_ids)))

    def count(self, where: Expression | None) -> int:
        """Number of rows."""
        with self._reading(where):
            return int(self._table.count_rows(self._sql(where)))

    def scan(self, columns: Sequence[str], where: Expression | None) -> Iterator[pa.RecordBatch]:
        """As the engine reads them."""
        with self._reading(where):
            query = self._table.search().select([ROW_ID if name == ROW else name for name in columns]).limit(None)
            query = query if ROW in columns else query.with_row_id(False)
            sql = self._sql(where)
            is_light = not set(columns).intersection(VECTOR_COLUMNS)
            reader = (query.where(sql) if sql is not None else query).to_batches(_BATCH if is_light else None)
            named = pa.schema([column.with_name(ROW) if column.name == ROW_ID else column for column in reader.schema])
            yield pa.RecordBatch.from_pylist([], named)
            yield from (pa.RecordBatch.from_arrays(batch.columns, schema=named) for batch in reader)

    def find_rows(self, where: Expression) -> NDArray[np.uint64]:
        """As the engine reads them."""
        rows = self._matching.get(where)
        if rows is None:
            rows = pa.Table.from_batches(self.scan([ROW], where))[ROW].to_numpy()
            if self._stays:
                _keep(self._matching, where, rows)
        return rows

    def take(self, rows: NDArray[np.uint64], columns: Sequence[str]) -> pa.Table:
        """Rows by the engine's ids."""
        with self._reading(None):
            query = self._table.take_row_ids(rows.tolist()).select([name for name in columns if name != ROW])
            found = (query.with_row_id() if ROW in columns else query).to_arrow()
            return found.rename_columns([ROW if name == ROW_ID else name for name in found.column_names])

    def nearest(
        self, vector: NDArray[np.float32], count: int, where: Expression | None, column: VectorColumn
    ) -> list[Neighbour]:
        """Nearest by cosine distance."""
        held = self._hold(column)
        if held is not None:
            return held.nearest(vector, count, self.find_rows(where) if where is not None else None)
        query = self._table.search(vector, vector_column_name=column).distance_type("cosine")
        with self._reading(where):
            sql = self._sql(where)
            query = query.where(sql, prefilter=True) if sql is not None else query
            rows = query.limit(count).select(["slide_id", "_distance"]).to_arrow()
        pairs = zip(rows["slide_id"].to_pylist(), rows["_distance"].to_pylist(), strict=True)
        near = (Neighbour(*pair) for pair in pairs)
        return sorted(near, key=lambda neighbour: (neighbour.cosine_distance, neighbour.slide_id))

    def text(
        self, tokens: Mapping[str, float], count: int, where: Expression | None, spelling: bool = False
    ) -> list[TextHit]:
        """Full-text hits; rows that the index has not taken in yet are looked through as well."""
        with self._reading(where):
            return token_hits(self._table, tokens, count, self._sql(where), spelling)

    def snapshot(self) -> Self:
        """A view of the last commit that stays as it is: the one before, as long as nobody has committed since."""
        if self._stays:
            return self
        latest = self.version
        held = self._snapshot
        if held is None or held[0] != latest:
            store = self._open_snapshot()
            held = self._snapshot = store.version, store
        return held[1]

    def optimize(self) -> None:
        """Compact; bring the indexes up to date; drop versions older than HISTOSEEK_HISTORY_MINUTES."""
        with self._committing(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            index_columns(self._table)
            # The engine would remove older versions before the new one is safe.
            self._table.optimize(cleanup_older_than=_NEVER)
        self._clean(get_settings().history_minutes * 60)

    def erase(self) -> None:
        """Rewrite the parts of the table that rows were taken out of; make its indexes anew; drop other versions."""
        with self._committing(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rewrite_parts(self._table, self._list_files())
            index_tokens(self._table)
            index_columns(self._table, anew=True)
        # Whatever the clocks say, and together with what dead processes and repairs left.
        self._clean(-math.inf)

    @cached_property
    def _version(self) -> int:
        """Of a store that stays as it is."""
        return self._latest()

    @cached_property
    def _schema(self) -> pa.Schema:
        """Of a store that stays as it is."""
        return self._read_schema()

    def _read_schema(self) -> pa.Schema:
        with self._reading(None):
            return self._table.schema

    def _latest(self) -> int:
        with self._reading(None):
            return int(self._table.version)

    def _sql(self, where: Expression | None) -> str | None:
        """A filter in parentheses: the engine joins it to conditions of its own."""
        if where is None:
            return None
        if not self._stays:
            return self._write(where)
        sql = self._conditions.get(where)
        if sql is None:
            simpler = self._lookup.simplify(where)
            sql = self._write(simpler)
            if simpler != where:
                _keep(self._conditions, where, sql)
        return sql

    def _write(self, where: Expression) -> str:
        return f"({to_sql(where, {column.name: column.type for column in self.schema})})"

    @cached_property
    def _lookup(self) -> Lookup:
        """Of a store that stays as it is."""
        return Lookup(self._find_tokens, self._find)

    def _hold(self, column: VectorColumn) -> HeldVectors | None:
        """The column in memory, where the store stays as it is and the column is small enough."""
        if not self._stays or column not in self.schema.names:
            return None
        if column not in self._held:
            size = self.count(None) * int(self.schema.field(column).type.list_size) * 4
            rows = self.scan([ROW, "slide_id", column], None) if size <= MOST_BYTES else None
            self._held[column] = HeldVectors.read(pa.Table.from_batches(rows), column, ROW) if rows else None
        return self._held[column]

    def _find_tokens(self, tokens: Sequence[str]) -> list[str]:
        return find_ids(self._table, tokens, MOST_IDS + 1)

    def _find(self, where: Expression) -> list[str]:
        return self._without_report if where == NO_REPORT else self._read_ids(where)

    @cached_property
    def _without_report(self) -> list[str]:
        """Of a store that stays as it is: many searches ask for it, and it takes reading all reports."""
        return self._read_ids(NO_REPORT)

    def _read_ids(self, where: Expression) -> list[str]:
        query = self._table.search().where(self._write(where)).select(["slide_id"]).limit(MOST_IDS + 1)
        ids: list[str] = query.to_arrow()["slide_id"].to_pylist()
        return ids

    @cached_property
    def _fragments(self) -> tuple[Fragment, ...]:
        """Of a store that stays as it is."""
        with self._reading(None):
            return self._read_fragments()

    def _reading(self, where: Expression | None) -> AbstractContextManager[None]:
        """All that the engine is asked for is asked for in here."""
        return self._translating(str(where) if where is not None else None)

    def _name_columns(self) -> list[str]:
        """Those that filters may name."""
        return [name for name in self.schema.names if name not in VECTOR_COLUMNS]


def _keep(kept: dict[Expression, Any], where: Expression, value: Any) -> None:
    """Remember something of the last few conditions."""
    if len(kept) >= _CONDITIONS_KEPT:
        kept.clear()
    kept[where] = value
