"""Reading one version of the collections: pages of rows, values that lie on their own, and rows near a vector."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from histoseek.archive.filters.evaluate import find_matching, list_columns
from histoseek.archive.filters.expression import Expression
from histoseek.archive.remote.milvus.collections import count_pieces, join
from histoseek.archive.remote.milvus.connection import Database
from histoseek.archive.stores.base import ROW, Neighbour, RowChanges
from histoseek.archive.stores.milvus.dialect import ALL, ServerFilter, to_expression
from histoseek.archive.stores.milvus.state import StoreState
from histoseek.archive.stores.milvus.values import (
    PRESENT,
    is_small,
    large_key,
    read_large,
    read_small,
    small_key,
    split_key,
)

MOST_NEAR = 16_384
"""Rows that the server gives for one vector."""

_PAGE = 4096
_KEYS_AT_ONCE = 20_000
_BYTES_AT_ONCE = 8 * 2**20
_DECIMALS = 6
"""Of distances, so that the same vectors are as near wherever the server holds them."""


@dataclass(frozen=True, slots=True)
class Names:
    """Of the collections of an archive's embedding space: prefix of all; rows and payload; vectors of other columns."""

    prefix: str

    @property
    def rows(self) -> str:
        """One entity for each row, with its global vector."""
        return f"{self.prefix}rows"

    @property
    def payload(self) -> str:
        """Values that lie on their own, and what each commit did."""
        return f"{self.prefix}payload"

    def vectors(self, number: int | str) -> str:
        """The rows that have a vector in another column, by its number."""
        return f"{self.prefix}vector{number}"


@dataclass
class VersionReader:
    """One version: ended: by number, the rows that some version up to it took out."""

    database: Database
    names: Names
    state: StoreState
    schema: pa.Schema
    ended: Mapping[int, int]
    _sizes: dict[int, float] = field(default_factory=dict)

    def count(self, where: Expression | None) -> int:
        """How many rows satisfy a filter."""
        if where is None:
            return self.state.rows
        said = to_expression(where, self.schema, self.state.odd)
        if said.rest is not None or len(self.ended) > _KEYS_AT_ONCE:
            return sum(len(rows) for rows in self._find(where))
        expression = self._within(said.expression)
        found = self._ask_count(expression)
        return found - (self._ask_count(f"({expression}) and {_among(list(self.ended))}") if self.ended else 0)

    def find_rows(self, where: Expression) -> NDArray[np.uint64]:
        """The numbers of the rows of a filter."""
        found = [one["key"] for rows in self._find(where) for one in rows]
        return np.array(found, np.uint64)

    def scan(self, columns: Sequence[str], where: Expression | None) -> Iterator[pa.RecordBatch]:
        """Columns of the rows of a filter."""
        yield self._empty(columns)
        for rows in self._find(where, columns):
            yield from self._table(rows, columns).to_batches()

    def take(self, rows: NDArray[np.uint64], columns: Sequence[str]) -> pa.Table:
        """Columns of rows by their numbers."""
        keys = [int(row) for row in rows]
        needs_rows = any(self._lies_with_rows(name) for name in columns)
        tables = []
        for start in range(0, len(keys), _PAGE):
            some = keys[start : start + _PAGE]
            found = [{"key": key} for key in some]
            if needs_rows:
                found = self._query(_among(some), self._fields(columns))
            tables.append(self._table(found, columns))
        return pa.concat_tables(tables) if tables else pa.Table.from_batches([self._empty(columns)])

    @property
    def rows_mark(self) -> str:
        """Store, version, and the number of the row that came next."""
        return f"{self.state.store}:{self.state.version}:{self.state.next_row}"

    def changes_since(self, rows_mark: str, ended_later: Callable[[int, int], Mapping[int, int]]) -> RowChanges | None:
        """How the rows differ from those of a version; ended_later: what versions from one to another took out."""
        store, _, rest = rows_mark.partition(":")
        if store != self.state.store:
            return None
        version, next_row = map(int, rest.split(":"))
        if version > self.state.version:
            back = [row for row in ended_later(self.state.version + 1, version) if row < self.state.next_row]
            return RowChanges(np.array(back, np.uint64), np.arange(self.state.next_row, next_row, dtype=np.uint64))
        said = ServerFilter(f"key >= {next_row if version >= self.state.oldest else 1}", None)
        there = np.array([one["key"] for rows in self._find_said(said) for one in rows], np.uint64)
        if version >= self.state.oldest:
            gone = np.array([row for row, since in self.ended.items() if since > version and row < next_row], np.uint64)
        else:
            # What took rows out is forgotten: all that are not there count.
            gone = np.setdiff1d(np.arange(1, next_row, dtype=np.uint64), there)
        return RowChanges(there[there >= next_row], gone)

    def nearest(
        self, vector: NDArray[np.float32], count: int, where: Expression | None, collection: str, column: str
    ) -> list[Neighbour]:
        """The rows whose vectors in a column, which a collection has, are nearest; ties by id."""
        said = to_expression(where, self.schema, self.state.odd)
        conditions = [said.expression]
        if said.rest is not None and where is not None:
            keys = [int(key) for key in self.find_rows(where)]
            conditions = [_among(keys[at : at + _KEYS_AT_ONCE]) for at in range(0, len(keys), _KEYS_AT_ONCE)]
        unit = vector / (float(np.linalg.norm(vector)) or 1.0)
        near = [one for condition in conditions for one in self._near(unit, count, condition, collection, column)]
        return sorted(near, key=lambda one: (one.cosine_distance, one.slide_id))[:count]

    def list_faults(self, deep: bool) -> Iterator[str]:
        """Rows that are fewer or more than were committed; deep: values that are not there."""
        found = 0
        for rows in self._find(None, ["slide_id"]):
            found += len(rows)
            for number, column in enumerate(self.schema.names if deep else ()):
                has = [one["key"] for one in rows if number in one.get(PRESENT, ())]
                lost = len(has) - len(self._read_values(has, number)) if has else 0
                if lost:
                    yield f"{self.names.payload}: {lost} values of {column} are missing"
        if found != self.state.rows:
            yield f"{self.names.rows}: has {found} rows where {self.state.rows} were committed"

    def _near(
        self, unit: NDArray[np.float32], count: int, condition: str, collection: str, column: str
    ) -> list[Neighbour]:
        """Asked for more until the last of those that are wanted is nearer than the last of all."""
        few = 0 < len(self.ended) <= _KEYS_AT_ONCE
        left_out = f" and not ({_among(list(self.ended))})" if few else ""
        expression = self._within(condition) + left_out
        wanted = min(count + 16, MOST_NEAR)
        while True:
            ef = min(max(2 * wanted, 128), 32_768)
            found = self.database.search(
                collection, unit.tolist(), wanted, expression, ["key", "slide_id"], ef, self.state.time
            )
            is_short = len(found) < wanted
            if count > MOST_NEAR or (is_short and len(found) < self._ask_count(expression, collection)):
                return self._compare_all(unit, condition, column)
            near = {
                one["key"]: Neighbour(one["slide_id"], round(1 - one["distance"], _DECIMALS))
                for one in found
                if one["key"] not in self.ended
            }
            kept = list(near.values())
            is_settled = len(kept) > count and kept[-1].cosine_distance > kept[count - 1].cosine_distance
            if is_short or is_settled:
                return kept
            if wanted == MOST_NEAR:
                return self._compare_all(unit, condition, column)
            wanted = min(2 * wanted, MOST_NEAR)

    def _compare_all(self, unit: NDArray[np.float32], condition: str, column: str) -> list[Neighbour]:
        """Each row on its own: of parts that have no graph yet the server looks into some lists of vectors only, in
        which a filter may leave nothing."""
        number, near = self.schema.get_field_index(column), []
        for rows in self._find_said(ServerFilter(condition, None), ["slide_id"]):
            values = self._read_values([one["key"] for one in rows], number)
            own = [one for one in rows if one["key"] in values]
            vectors = np.array([np.frombuffer(values[one["key"]], np.float32) for one in own]).reshape(len(own), -1)
            lengths = np.linalg.norm(vectors, axis=1)
            distances = 1 - vectors @ unit / np.where(lengths > 0, lengths, 1)
            pairs = zip(own, distances.tolist(), strict=True)
            near += [Neighbour(one["slide_id"], round(distance, _DECIMALS)) for one, distance in pairs]
        return near

    def _find(self, where: Expression | None, columns: Sequence[str] = ()) -> Iterator[list[dict[str, Any]]]:
        """Entities of the rows of a filter, with what columns need of them, page by page."""
        return self._find_said(to_expression(where, self.schema, self.state.odd), columns)

    def _find_said(self, said: ServerFilter, columns: Sequence[str] = ()) -> Iterator[list[dict[str, Any]]]:
        expression = self._within(said.expression)
        needed = ("slide_id", *list_columns(said.rest)) if said.rest is not None else ()
        fields = self._fields((*columns, *needed))
        for page in self._list_pages(expression, is_filtered=said.expression != ALL):
            found = [one for one in self._query(page, fields) if one["key"] not in self.ended]
            if said.rest is not None and found:
                fits = find_matching(said.rest, self._table(found, list(dict.fromkeys(needed))))
                found = [one for one, is_fit in zip(found, fits, strict=True) if is_fit]
            if found:
                yield found

    def _list_pages(self, expression: str, is_filtered: bool) -> Iterator[str]:
        """Expressions of so many rows at most as one answer may have."""
        last = self.state.next_row
        if last <= _PAGE or (is_filtered and self._ask_count(expression) <= _PAGE):
            yield expression
            return
        for first in range(1, last, _PAGE):
            yield f"({expression}) and key >= {first} and key < {first + _PAGE}"

    def _within(self, expression: str) -> str:
        return f"({expression}) and since <= {self.state.version}"

    def _ask_count(self, expression: str, collection: str = "") -> int:
        rows = self.database.query(collection or self.names.rows, expression, ["count(*)"], self.state.time)
        return int(rows[0]["count(*)"])

    def _query(self, expression: str, fields: Sequence[str]) -> list[dict[str, Any]]:
        rows = self.database.query(self.names.rows, expression, fields, self.state.time)
        # One that was sent twice, as an answer was lost, counts once.
        return list({one["key"]: one for one in rows}.values())

    def _fields(self, columns: Sequence[str]) -> list[str]:
        small = [small_key(name) for name in columns if name not in (ROW, "slide_id") and self._is_small(name)]
        return list(dict.fromkeys(["key", "slide_id", *small, PRESENT])) if columns else ["key"]

    def _is_small(self, name: str) -> bool:
        return is_small(name, self.schema.field(name).type)

    def _lies_with_rows(self, name: str) -> bool:
        return name != ROW and self._is_small(name)

    def _empty(self, columns: Sequence[str]) -> pa.RecordBatch:
        fields = [pa.field(ROW, pa.uint64()) if name == ROW else self.schema.field(name) for name in columns]
        return pa.RecordBatch.from_pylist([], pa.schema(fields))

    def _table(self, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> pa.Table:
        """Columns of entities."""
        arrays = []
        for name in columns:
            if name == ROW:
                arrays.append(pa.array([one["key"] for one in rows], pa.uint64()))
            elif name == "slide_id":
                arrays.append(pa.array([one["slide_id"] for one in rows], pa.string()))
            else:
                arrays.append(self._column(rows, name))
        return pa.Table.from_arrays(arrays, schema=self._empty(columns).schema)

    def _column(self, rows: Sequence[Mapping[str, Any]], name: str) -> pa.Array:
        kind, number = self.schema.field(name).type, self.schema.get_field_index(name)
        is_mixed = self._is_small(name)
        if is_mixed and name not in self.state.odd:
            return read_small(rows, name, kind)
        has = [one for one in rows if PRESENT not in one or number in one[PRESENT]]
        values = self._read_values([one["key"] for one in has], number)
        large = read_large([values.get(one["key"]) for one in rows], name, kind)
        if not is_mixed:
            return large
        small = read_small(rows, name, kind)
        return pa.array(
            [one if one is not None else two for one, two in zip(small.to_pylist(), large.to_pylist(), strict=True)],
            kind,
        )

    def _read_values(self, rows: Sequence[int], column: int) -> dict[int, bytes]:
        """Values that lie on their own, by row; those that are there."""
        texts: dict[int, dict[int, str]] = {}
        start = 0
        while start < len(rows):
            step = int(np.clip(_BYTES_AT_ONCE / self._sizes.get(column, 4096.0), 64, _PAGE))
            keys = [large_key(row, column, 0) for row in rows[start : start + step]]
            self._read_parts(keys, texts)
            start += step
            if texts:
                self._sizes[column] = sum(len(one[0]) for one in texts.values()) / len(texts) + 64
        further = [
            large_key(row, column, part) for row, one in texts.items() for part in range(1, count_pieces(one[0]))
        ]
        for at in range(0, len(further), 128):
            self._read_parts(further[at : at + 128], texts)
        return {row: join([one[part] for part in sorted(one)]) for row, one in texts.items()}

    def _read_parts(self, keys: Sequence[int], texts: dict[int, dict[int, str]]) -> None:
        for one in self.database.query(self.names.payload, _among(keys), ["key", "data"], self.state.time):
            row, _, part = split_key(one["key"])
            texts.setdefault(row, {})[part] = one["data"]


def _among(keys: Sequence[int]) -> str:
    return f"key in [{', '.join(map(str, keys))}]"
