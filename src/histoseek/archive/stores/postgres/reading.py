"""Reading one version of a store. What is read of it stays the same, so that some of it is kept at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from psycopg import errors
from psycopg.sql import SQL, Composable, Identifier

from histoseek.archive.filters.expression import And, Column, Expression, In, all_of
from histoseek.archive.remote.postgres.connection import Database
from histoseek.archive.remote.postgres.pool import Connection
from histoseek.archive.schema import VECTOR_COLUMNS
from histoseek.archive.stores.base import ROW, Neighbour, RowChanges, TextHit
from histoseek.archive.stores.postgres.columns import load_batch, name_column, pack_text, select_schema
from histoseek.archive.stores.postgres.dialect import Condition, write_condition
from histoseek.archive.stores.postgres.nearest import NearestRows, find_by_index, is_index_worthwhile
from histoseek.archive.stores.postgres.tables import StoreTables, list_indexed, prefer_indexes
from histoseek.archive.stores.postgres.versions import Version, has_version, read_changes
from histoseek.archive.stores.postgres.words import PostingsCache, find_alike, name_best, read_postings, score_rows
from histoseek.errors import ArchiveError, BadFilter, DamagedArchive, OutdatedSnapshot

Result = TypeVar("Result")

_FILTER_FAULTS = (
    errors.DataError,
    errors.ProgramLimitExceeded,
    errors.StatementTooComplex,
    errors.InvalidRegularExpression,
)

_NARROW_ROWS, _WIDE_ROWS = 20_000, 1000
"""Read at once: of columns of short values, and with any of long ones."""

_VECTORS = 4096
"""Read at once, to be compared."""

_CONDITIONS_KEPT = 16

_CASES = ("pg_unicode_fast", "und-x-icu", "pg_c_utf8", "default")
"""Collations that know all letters' cases, the best first; not every server has all."""


class VersionRows:
    """The rows of one version."""

    def __init__(self, database: Database, tables: StoreTables, version: Version) -> None:
        self.version = version
        self._database, self._tables = database, tables
        self._postings = PostingsCache()
        self._matching: dict[Expression, NDArray[np.uint64]] = {}

    def count(self, where: Expression | None) -> int:
        """Number of rows."""
        if where is None:
            return self.version.rows
        statement = "SELECT count(*) FROM {slides} WHERE {where}"
        return int(str(self._select(statement, where)[0][0]))

    def scan(self, columns: Sequence[str], where: Expression | None) -> Iterator[pa.RecordBatch]:
        """In the order of the rows' numbers, each part in a transaction of its own, however long the pauses are."""
        schema = select_schema(self.version.schema, columns)
        yield pa.RecordBatch.from_pylist([], schema)
        most = _WIDE_ROWS if any(name in VECTOR_COLUMNS or name == "report" for name in columns) else _NARROW_ROWS
        text = "SELECT _row, {names} FROM {slides} WHERE {where} AND _row > %(after)s ORDER BY _row LIMIT %(most)s"
        after = 0
        while True:
            values = {"after": after, "most": most}
            rows = self._select(text, where, values, names=_name(columns))
            if rows:
                yield self._load([row[1:] for row in rows], schema)
                after = int(str(rows[-1][0]))
            if len(rows) < most:
                return

    def find_rows(self, where: Expression) -> NDArray[np.uint64]:
        """The numbers of a filter's rows."""
        rows = self._matching.get(where)
        if rows is None:
            statement = "SELECT coalesce(string_agg(int8send(_row), ''::bytea), ''::bytea) FROM {slides} WHERE {where}"
            rows = _parse_numbers(self._select(statement, where)[0][0]).astype(np.uint64)
            if len(self._matching) >= _CONDITIONS_KEPT:
                self._matching.clear()
            self._matching[where] = rows
        return rows

    def take(self, rows: NDArray[np.uint64], columns: Sequence[str]) -> pa.Table:
        """Rows by their numbers."""
        schema = select_schema(self.version.schema, columns)
        text = "SELECT {names} FROM {slides} WHERE {where} AND _row = ANY(%(rows)s::bigint[])"
        batches = [
            self._load(
                self._select(text, None, {"rows": rows[start : start + _WIDE_ROWS].tolist()}, names=_name(columns)),
                schema,
            )
            for start in range(0, len(rows), _WIDE_ROWS)
        ]
        return pa.Table.from_batches(batches, schema)

    def nearest(
        self, vector: NDArray[np.float32], count: int, where: Expression | None, column: str
    ) -> list[Neighbour]:
        """By the index, where there are many rows and it finds enough, else by all vectors."""
        if column not in self.version.schema.names or count < 1:
            return []
        matching = self.version.rows if where is None else len(self.find_rows(where))
        if is_index_worthwhile(matching, self.version.rows, count) and column in self._indexed:
            found = self._read(
                where,
                lambda connection, condition: find_by_index(connection, self._tables, column, condition, vector, count),
            )
            if len(found) >= min(count, matching):
                return found
        nearest = NearestRows(vector, count)
        for rows in self._list_parts(where):
            nearest.add(self._read_vectors(column, rows))
        return nearest.list()

    def text(self, weights: Mapping[str, float], count: int, where: Expression | None, spelling: bool) -> list[TextHit]:
        """By BM25 over the version's rows, whatever the filter."""
        if not weights or not self.version.worded or count < 1:
            return []
        if spelling:
            weights = self._read(None, lambda connection, _: find_alike(connection, self._tables, weights))
        held = self._postings.find(weights)
        missing = [token for token in weights if token not in held]
        if missing:
            ended = self._ended
            read = self._read(
                None, lambda connection, _: read_postings(connection, self._tables, self.version, missing, ended)
            )
            self._postings.keep(read)
            held |= read
        rows, scores = score_rows(weights, held, self.version)
        if where is not None:
            among = np.isin(rows, self.find_rows(where).astype(np.int64))
            rows, scores = rows[among], scores[among]
        return self._read(None, lambda connection, _: name_best(connection, self._tables, rows, scores, count))

    def changes_since(self, version: int, mark: str) -> RowChanges | None:
        """How the rows differ from those of another version."""
        return self._read(
            None, lambda connection, _: read_changes(connection, self._tables, self.version, version, mark)
        )

    def _list_parts(self, where: Expression | None) -> Iterator[tuple[int, int] | list[int]]:
        """The numbers of a filter's rows, some at a time; of all rows the first and last of some."""
        if where is None:
            for first in range(1, self.version.next_row, _VECTORS):
                yield first, first + _VECTORS - 1
            return
        rows = self.find_rows(where)
        for start in range(0, len(rows), _VECTORS):
            yield rows[start : start + _VECTORS].tolist()

    def _read_vectors(self, column: str, rows: tuple[int, int] | list[int]) -> list[tuple[object, ...]]:
        """Ids and vectors of some rows, as far as they have one."""
        among = "BETWEEN %(first)s AND %(last)s" if isinstance(rows, tuple) else "= ANY(%(rows)s::bigint[])"
        values = {"first": rows[0], "last": rows[1]} if isinstance(rows, tuple) else {"rows": rows}
        text = (
            f"SELECT slide_id, {{vector}} FROM {{slides}} WHERE {{where}} AND {{vector}} IS NOT NULL AND _row {among}"
        )
        return self._select(text, None, values, vector=Identifier(name_column(column)))

    @cached_property
    def _ended(self) -> NDArray[np.int64]:
        """The rows that older versions had."""
        statement = (
            "SELECT coalesce(string_agg(int8send(_row), ''::bytea), ''::bytea) FROM {ended}"
            " WHERE version <= %(version)s AND NOT is_removed"
        )
        return _parse_numbers(self._select(statement, None)[0][0])

    @cached_property
    def _indexed(self) -> frozenset[str]:
        return self._read(None, lambda connection, _: list_indexed(connection, self._tables))

    @cached_property
    def _case_collation(self) -> str:
        there = self._read(
            None,
            lambda connection, _: connection.execute(
                "SELECT collname FROM pg_collation WHERE collname = ANY(%s) AND collencoding IN (-1, 6)",
                (list(_CASES),),
            ).fetchall(),
        )
        return next(name for name in _CASES if (name,) in there)

    def _select(
        self,
        text: str,
        where: Expression | None,
        values: Mapping[str, object] | None = None,
        **parts: Composable,
    ) -> list[tuple[object, ...]]:
        """The rows of a statement with {where} in it."""

        def work(connection: Connection, condition: Condition) -> list[tuple[object, ...]]:
            statement = self._tables.write(text, where=condition.sql, **parts)
            return connection.execute(statement, {**condition.values, **(values or {})}, binary=True).fetchall()

        return self._read(where, work)

    def _read(self, where: Expression | None, work: Callable[[Connection, Condition], Result]) -> Result:
        """What is read in a transaction that still sees this version; raises OutdatedSnapshot, BadFilter."""
        slide_ids, rest = split_ids(where)
        condition = self._write_condition(rest)

        def read(connection: Connection) -> Result:
            if not has_version(connection, self._tables, self.version):
                raise OutdatedSnapshot(self._database.address)
            chosen = condition if slide_ids is None else self._choose(connection, condition, slide_ids)
            return work(connection, chosen)

        try:
            return self._database.read(read)
        except ArchiveError as error:
            if where is None or not isinstance(error.__cause__, _FILTER_FAULTS):
                raise
            named = [name for name in self.version.schema.names if name not in VECTOR_COLUMNS]
            raise BadFilter(str(where), error.__cause__.diag.message_primary or "cannot be used", named) from error

    def _choose(self, connection: Connection, condition: Condition, slide_ids: Sequence[str]) -> Condition:
        """A condition of some slides alone, whose rows are looked up."""
        prefer_indexes(connection)
        seen = self._write_condition(None)
        found = connection.execute(
            self._tables.write(
                "SELECT _row FROM {slides} WHERE slide_id = ANY(%(slides)s::text[]) AND {seen}", seen=seen.sql
            ),
            {**seen.values, "slides": [pack_text(one) for one in slide_ids]},
            binary=True,
        ).fetchall()
        values = {**condition.values, "chosen": [row for (row,) in found]}
        return Condition(SQL("_row = ANY(%(chosen)s::bigint[]) AND {}").format(condition.sql), values)

    def _write_condition(self, where: Expression | None) -> Condition:
        """That a row is of this version, and satisfies a filter."""
        seen = SQL("_from_version <= %(version)s AND _to_version > %(version)s")
        values: dict[str, object] = {"version": self.version.number}
        if where is None:
            return Condition(seen, values)
        types = {column.name: column.type for column in self.version.schema}
        condition = write_condition(where, types, self._case_collation)
        return Condition(SQL("{} AND {}").format(seen, condition.sql), {**values, **condition.values})

    def _load(self, rows: Sequence[Sequence[object]], schema: pa.Schema) -> pa.RecordBatch:
        try:
            return load_batch(rows, schema)
        except (ValueError, TypeError, pa.ArrowException) as error:
            raise DamagedArchive(self._database.address, "values of its rows are not what they should be") from error


def split_ids(where: Expression | None) -> tuple[Sequence[str] | None, Expression | None]:
    """The slides that a filter names, None where it may be any, and the rest of it."""
    conditions = where.conditions if isinstance(where, And) else (where,) if where is not None else ()
    for place, one in enumerate(conditions):
        if isinstance(one, In) and one.operand == Column("slide_id"):
            texts = [value for value in one.values if isinstance(value, str)]
            return texts, all_of(*conditions[:place], *conditions[place + 1 :])
    return None, where


def _name(columns: Sequence[str]) -> Composable:
    return SQL(", ").join(Identifier("_row" if name == ROW else name_column(name)) for name in columns)


def _parse_numbers(numbers: object) -> NDArray[np.int64]:
    assert isinstance(numbers, bytes)
    return np.frombuffer(numbers, ">i8").astype(np.int64)
