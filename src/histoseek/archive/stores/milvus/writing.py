"""Commits: rows are added under the next version, which counts once the state says so; nothing is changed in place."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pyarrow as pa

from histoseek.archive.remote.milvus.collections import create_collection, pack
from histoseek.archive.remote.milvus.connection import AbsentCollection, Database, MilvusAddress
from histoseek.archive.remote.milvus.lock import require_lock
from histoseek.archive.stores.milvus.reading import Names
from histoseek.archive.stores.milvus.state import (
    NOTE,
    Commit,
    StoreState,
    later_than,
    read_commits,
    remove_commits,
    write_commit,
)
from histoseek.archive.stores.milvus.values import MOST_COLUMNS, WrittenRows, is_vector, large_key, write_rows
from histoseek.errors import ArchiveError

GLOBAL = "global_vector"

_WAITING = 5000
"""Rows from which on housekeeping has the server write them into files of their own, with an index."""

_KEYS_AT_ONCE = 10_000


class Writer:
    """Changes the collections of an archive's embedding space, for whoever holds its lock."""

    def __init__(self, database: Database, address: MilvusAddress, names: Names) -> None:
        self._database = database
        self._address = address
        self._names = names
        self._last_commit = ""

    def create(self, schema: pa.Schema) -> None:
        """Empty collections, in place of what a crash left."""
        require_lock(self._address)
        there = self._list_fitting(schema)
        for name in self._database.list_names(self._names.prefix):
            if name in there:
                self._database.delete(name, "key > 0 or key <= 0")
            else:
                self._database.drop(name)
        # Each takes the server some seconds.
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda name: self._create(name, schema), self._list_collections(schema)))
        first = there[self._names.rows] if there else 1
        begin = StoreState(0, "", 0, uuid.uuid4().hex, first).with_schema(schema)
        self._commit(begin, begin)

    def _list_fitting(self, schema: pa.Schema) -> Mapping[str, int]:
        """The collections of an older store of the same vectors, which need only be emptied, with its next row."""
        try:
            before = self.read_state()
        except (AbsentCollection, KeyError):
            return {}
        older = before.schema_at(before.version)
        sizes = [[(one.name, one.type.list_size) for one in each if is_vector(one.type)] for each in (older, schema)]
        fits = sizes[0] == sizes[1] and self._list_collections(older) == self._list_collections(schema)
        return dict.fromkeys(self._list_collections(schema), before.next_row) if fits else {}

    def add_columns(self, state: StoreState, schema: pa.Schema) -> None:
        """Further columns, empty."""
        self._prepare(state)
        if len(schema) > MOST_COLUMNS:
            what = f"an archive on Milvus has at most {MOST_COLUMNS} columns"
            raise ArchiveError(self._address.redacted, what, "Leave some out")
        for name in self._list_collections(schema):
            if name not in self._list_collections(state.schema_at(state.version)):
                self._create(name, schema)
        self._commit(state, state.with_schema(schema))

    def change(self, state: StoreState, ended: Sequence[int], rows: pa.Table | None) -> None:
        """Take rows out and add others, in one step."""
        self._prepare(state)
        after = replace(state, rows=state.rows - len(ended))
        if rows is not None and rows.num_rows:
            written = write_rows(rows, state.next_row, state.version + 1)
            size = self._insert(written, rows.schema)
            after = replace(
                after,
                next_row=state.next_row + rows.num_rows,
                rows=after.rows + rows.num_rows,
                bytes=state.bytes + size,
                waiting=state.waiting + rows.num_rows,
                odd=sorted({*state.odd, *written.odd}),
            )
        self._commit(state, after, ended)

    def optimize(self, state: StoreState, keep_s: float) -> None:
        """Forget versions that nobody needs any more; have the server write its files and indexes."""
        self._prepare(state)
        commits = read_commits(self._database, self._names.payload, state.oldest, state.version, state.time)
        before_s = time.time() - keep_s
        needed = [one.version - 1 for one in commits if one.made_s >= before_s and one.version > state.oldest]
        oldest = min([*needed, state.version])
        gone = [row for one in commits if one.version <= oldest for row in one.ended]
        if oldest > state.oldest or gone:
            left = (state.rows + 1) / (state.rows + len(gone) + 1)
            state = replace(state.from_oldest(oldest), bytes=int(state.bytes * left))
            self._write(state)
            self._remove_rows(gone, state)
            remove_commits(self._database, self._names.payload, 0, oldest - 1)
        if state.waiting >= _WAITING:
            self._flush(state)

    def erase(self, state: StoreState) -> None:
        """Forget all versions but the last; have the server join its files without what they held."""
        self.optimize(state, -np.inf)
        after = self.read_state()
        self._flush(after)
        for name in self._list_collections(after.schema_at(after.version)):
            self._database.compact(name)

    def clean(self, state: StoreState) -> int:
        """Take away what a commit left that never counted; gives how many rows these were."""
        found = 0
        for name in self._list_collections(state.schema_at(state.version)):
            first = large_key(state.next_row, 0, 0) if name == self._names.payload else state.next_row
            conditions = [f"key >= {first}"]
            if name == self._names.payload:
                conditions.append(later_than(state.version))
            for condition in conditions:
                number = int(self._database.query(name, condition, ["count(*)"])[0]["count(*)"])
                if number:
                    self._database.delete(name, condition)
                    found = max(found, number)
        return found

    def read_state(self) -> StoreState:
        """The last commit."""
        return StoreState.parse(self._database.read_notes(self._names.rows)[NOTE])

    def _prepare(self, state: StoreState) -> None:
        require_lock(self._address)
        # Whatever fails from here on, or others leave, is cleaned up before the next commit.
        if state.commit != self._last_commit:
            self.clean(state)
        self._last_commit = ""

    def _commit(self, before: StoreState, after: StoreState, ended: Sequence[int] = ()) -> None:
        version, commit = before.version + 1, uuid.uuid4().hex
        made = Commit(version, commit, time.time(), tuple(ended))
        write_commit(self._database, self._names.payload, made, self._require_lock)
        self._write(replace(after, version=version, commit=commit))
        self._last_commit = commit

    def _write(self, state: StoreState) -> None:
        state = replace(state, time=self._database.now())
        self._database.write_notes(self._names.rows, {NOTE: state.format_note()}, self._require_lock)

    def _insert(self, written: WrittenRows, schema: pa.Schema) -> int:
        """What lies on its own first, then what makes it found; gives the bytes."""
        sizes = [len(str(one["data"])) + 64 for one in written.large]
        self._insert_packed(self._names.payload, written.large, sizes)
        total = sum(sizes)
        for column in [GLOBAL, *(name for name in written.vectors if name != GLOBAL)]:
            vectors = written.vectors.get(column, {})
            name = self._names.rows
            filler = np.ones(schema.field(GLOBAL).type.list_size, np.float32)
            rows = [one | {"vector": vectors.get(one["key"], filler)} for one in written.small]
            if column != GLOBAL:
                name = self._names.vectors(schema.get_field_index(column))
                rows = [one for one in rows if one["key"] in vectors]
            sizes = [len(json.dumps(one, default=lambda vector: "")) + 4 * len(one["vector"]) for one in rows]
            self._insert_packed(name, rows, sizes)
            total += sum(sizes)
        return total

    def _insert_packed(self, name: str, entities: Sequence[dict[str, object]], sizes: Sequence[int]) -> None:
        for some in pack(entities, sizes):
            self._database.insert(name, some, self._require_lock)

    def _require_lock(self) -> None:
        require_lock(self._address)

    def _remove_rows(self, rows: Sequence[int], state: StoreState) -> None:
        columns = len(state.schema_at(state.version))
        for name in self._list_collections(state.schema_at(state.version)):
            self._in_parts(name, rows, columns)

    def _in_parts(self, name: str, rows: Sequence[int], columns: int) -> None:
        is_payload = name == self._names.payload
        step = 200 if is_payload else _KEYS_AT_ONCE
        for at in range(0, len(rows), step):
            some = rows[at : at + step]
            if is_payload:
                ranges = (f"(key >= {large_key(row, 0, 0)} and key < {large_key(row + 1, 0, 0)})" for row in some)
                self._database.delete(name, " or ".join(ranges))
            else:
                self._database.delete(name, f"key in [{', '.join(map(str, some))}]")

    def _flush(self, state: StoreState) -> None:
        with ThreadPoolExecutor() as pool:
            list(pool.map(self._database.flush, self._list_collections(state.schema_at(state.version))))
        self._write(replace(state, waiting=0))

    def _list_collections(self, schema: pa.Schema) -> list[str]:
        """The rows last: they are what other collections belong to."""
        others = [one.name for one in schema if is_vector(one.type) and one.name != GLOBAL]
        numbers = [schema.get_field_index(name) for name in others]
        return [self._names.payload, *map(self._names.vectors, numbers), self._names.rows]

    def _create(self, name: str, schema: pa.Schema) -> None:
        if name == self._names.payload:
            create_collection(self._database, name, "whole", texts=("data",))
            return
        number = name.removeprefix(self._names.vectors("")) if name != self._names.rows else None
        kind = schema.field(GLOBAL if number is None else int(number)).type
        create_collection(
            self._database, name, "whole", texts=("slide_id",), numbers=("since",), dimension=kind.list_size
        )
