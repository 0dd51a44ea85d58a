"""A Store over collections in Milvus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from threading import Lock

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from histoseek.archive.filters.expression import Expression, one_of
from histoseek.archive.remote.milvus.connection import AbsentCollection, Database, MilvusAddress, connect
from histoseek.archive.stores.base import (
    ROW,
    Capabilities,
    Neighbour,
    RowChanges,
    StorePlace,
    StoreStats,
    TextHit,
    VectorColumn,
)
from histoseek.archive.stores.milvus.reading import Names, VersionReader
from histoseek.archive.stores.milvus.state import FORMAT, NOTE, StoreState, read_commits
from histoseek.archive.stores.milvus.writing import GLOBAL, Writer
from histoseek.errors import DamagedArchive, OutdatedSnapshot, ServerUnsuited
from histoseek.settings import get_settings

_IDS_AT_ONCE = 1000
_FILTERS_KEPT = 16


class MilvusStore:
    """One embedding space of an archive; a snapshot where it stays at a version."""

    def __init__(self, database: Database, address: MilvusAddress, names: Names) -> None:
        self._database = database
        self._address = address
        self._names = names
        self._writer = Writer(database, address, names)
        self._reader: VersionReader | None = None
        self._snapshot: MilvusStore | None = None
        self._stays = False
        self._matching: dict[Expression, NDArray[np.uint64]] = {}
        self._lock = Lock()

    @classmethod
    def exists(cls, place: StorePlace) -> bool:
        """Whether its collections are there, with a first commit."""
        try:
            _open(place)._read_state()
        except DamagedArchive:
            return False
        return True

    @classmethod
    def create(cls, place: StorePlace, schema: pa.Schema) -> MilvusStore:
        """Make an empty store, in place of one that a crash left empty."""
        store = _open(place)
        with store._reading():
            store._writer.create(schema)
        return store

    @classmethod
    def drop(cls, place: StorePlace) -> None:
        """Remove its collections."""
        store = _open(place)
        for name in store._database.list_names(store._names.prefix):
            store._database.drop(name)

    @classmethod
    def open(cls, place: StorePlace, mark: str | None = None) -> MilvusStore:
        """Open a store that always shows the last commit, or a snapshot of the version with a mark.

        Raises DamagedArchive when it is not there, OutdatedSnapshot when that version is not.
        """
        store = _open(place)
        state = store._read_state()
        if mark is None:
            return store
        with store._reading():
            return store._at(state, mark)

    @classmethod
    def repair(cls, place: StorePlace) -> str | None:
        """Take away what commits left that were cut off."""
        store = _open(place)
        state = store._read_state()
        with store._reading():
            found = store._writer.clean(state)
        return f"a commit that was cut off was taken back ({found} entries)" if found else None

    @property
    def left_out(self) -> str | None:
        """What a crash cut off is never seen."""
        return None

    @property
    def capabilities(self) -> Capabilities:
        """Milvus 2.3 has no search for words."""
        return Capabilities(full_text=False, spelling=False)

    @property
    def version(self) -> int:
        """Of the last commit."""
        return self._reader.state.version if self._stays and self._reader else self._read_state().version

    @property
    def mark(self) -> str:
        """The version's number, and the commit's."""
        state = self._newest().state
        return f"{state.version}@{state.commit}"

    @property
    def schema(self) -> pa.Schema:
        """All columns."""
        return self._newest().schema

    def snapshot(self) -> MilvusStore:
        """A view of the last commit: the one before, as long as nobody has committed since."""
        if self._stays:
            return self
        reader = self._newest()
        held = self._snapshot
        if held is None or held._reader is not reader:
            held = self._snapshot = self._make_view(reader)
        return held

    def add_columns(self, columns: Mapping[str, pa.DataType]) -> None:
        """Add missing columns, empty."""
        state = self._read_state()
        schema = state.schema_at(state.version)
        new = [pa.field(name, kind) for name, kind in columns.items() if name not in schema.names]
        if new:
            with self._reading():
                self._writer.add_columns(state, pa.schema([*schema, *new]))

    def describe(self, column: str, key: str, value: str) -> None:
        """In one commit."""
        state = self._read_state()
        schema = state.schema_at(state.version)
        number = schema.get_field_index(column)
        known = schema.field(column).metadata or {}
        described = schema.field(column).with_metadata({**known, key.encode(): value.encode()})
        with self._reading():
            self._writer.add_columns(state, schema.set(number, described))

    def upsert(self, rows: pa.Table) -> None:
        """Insert or replace in one commit."""
        reader = self._newest()
        with self._reading():
            ended = self._find_numbers(reader, rows["slide_id"].to_pylist())
            self._writer.change(reader.state, ended, rows.select(reader.schema.names).cast(reader.schema))

    def fill(self, rows: pa.Table) -> None:
        """Rows as they are with other values in some columns, in one commit."""
        reader = self._newest()
        with self._reading():
            ended = self._find_numbers(reader, rows["slide_id"].to_pylist())
            whole = reader.take(np.array(ended, np.uint64), reader.schema.names)
            given = {slide_id: place for place, slide_id in enumerate(rows["slide_id"].to_pylist())}
            places = pa.array([given[one] for one in whole["slide_id"].to_pylist()], pa.int64())
            for name in rows.column_names:
                number = whole.schema.get_field_index(name)
                values = rows[name].take(places).cast(whole.schema.field(name).type)
                whole = whole.set_column(number, whole.schema.field(name), values)
            self._writer.change(reader.state, ended, whole)

    def delete(self, slide_ids: Sequence[str]) -> None:
        """Take slides out."""
        reader = self._newest()
        with self._reading():
            self._writer.change(reader.state, self._find_numbers(reader, slide_ids), None)

    def count(self, where: Expression | None) -> int:
        """Number of rows."""
        reader = self._newest()
        with self._reading():
            return reader.count(where)

    def scan(self, columns: Sequence[str], where: Expression | None) -> Iterator[pa.RecordBatch]:
        """Page by page."""
        reader = self._newest()
        with self._reading():
            yield from reader.scan(columns, where)

    def find_rows(self, where: Expression) -> NDArray[np.uint64]:
        """By a scan of numbers alone."""
        rows = self._matching.get(where)
        if rows is None:
            reader = self._newest()
            with self._reading():
                rows = reader.find_rows(where)
            if self._stays:
                if len(self._matching) >= _FILTERS_KEPT:
                    self._matching.clear()
                self._matching[where] = rows
        return rows

    def take(self, rows: NDArray[np.uint64], columns: Sequence[str]) -> pa.Table:
        """By the keys of entities."""
        reader = self._newest()
        with self._reading():
            return reader.take(rows, columns)

    @property
    def rows_mark(self) -> str:
        """Of this version."""
        return self._newest().rows_mark

    def changes_since(self, rows_mark: str) -> RowChanges | None:
        """By the numbers of rows, which only grow, and what commits took out."""
        reader = self._newest()
        with self._reading():
            return reader.changes_since(rows_mark, self._list_ended)

    def nearest(
        self, vector: NDArray[np.float32], count: int, where: Expression | None, column: VectorColumn
    ) -> list[Neighbour]:
        """By the server's index of the column."""
        reader = self._newest()
        number = reader.schema.get_field_index(column)
        collection = self._names.rows if column == GLOBAL else self._names.vectors(number)
        with self._reading():
            return reader.nearest(vector, count, where, collection, column)

    def text(
        self, tokens: Mapping[str, float], count: int, where: Expression | None, spelling: bool = False
    ) -> list[TextHit]:
        """None: `capabilities` says so."""
        return []

    def stats(self) -> StoreStats:
        """Rows; bytes of the values as they were sent: of its files the server tells nothing; versions."""
        state = self._read_state()
        return StoreStats(state.rows, max(1, state.bytes), state.version - state.oldest + 1)

    def list_faults(self, deep: bool) -> Iterator[str]:
        """Rows that are fewer or more than were committed; deep: values that are not there."""
        reader = self._newest()
        with self._reading():
            yield from reader.list_faults(deep)

    def optimize(self) -> None:
        """Forget versions older than HISTOSEEK_HISTORY_MINUTES."""
        state = self._read_state()
        with self._reading():
            self._writer.optimize(state, get_settings().history_minutes * 60)

    def erase(self) -> None:
        """Forget all versions but the last; the server's own files follow when it cleans them up."""
        state = self._read_state()
        with self._reading():
            self._writer.erase(state)

    def _newest(self) -> VersionReader:
        """Of a snapshot its own; else of the last commit, the same as before where nobody has committed since."""
        if self._stays and self._reader:
            return self._reader
        state = self._read_state()
        with self._lock, self._reading():
            held = self._reader
            if held is None or (held.state.version, held.state.commit) != (state.version, state.commit):
                held = self._reader = self._make_reader(state, held)
            return held

    def _make_reader(self, state: StoreState, before: VersionReader | None) -> VersionReader:
        """Of a state; before: of an earlier one, whose commits need not be read again."""
        first = before.state.version if before and state.oldest <= before.state.version else state.oldest
        commits = read_commits(self._database, self._names.payload, first, state.version, state.time)
        ended: dict[int, int] = {}
        if before and first == before.state.version:
            if commits and commits[0].commit == before.state.commit:
                ended = dict(before.ended)
            else:
                # Another store has taken its place.
                return self._make_reader(state, None)
        for commit in commits:
            ended |= dict.fromkeys(commit.ended, commit.version)
        return VersionReader(self._database, self._names, state, state.schema_at(state.version), ended)

    def _at(self, state: StoreState, mark: str) -> MilvusStore:
        """A snapshot of an earlier version."""
        version = int(mark.partition("@")[0])
        commits = read_commits(self._database, self._names.payload, state.oldest, state.version, state.time)
        if not any(f"{one.version}@{one.commit}" == mark for one in commits):
            raise OutdatedSnapshot(self._address.redacted)
        ended = {row: one.version for one in commits for row in one.ended if one.version <= version}
        back = {row for one in commits for row in one.ended if one.version > version}
        schema = state.schema_at(version)
        past = replace(state, version=version, commit=mark.partition("@")[2])
        reader = VersionReader(self._database, self._names, past, schema, ended)
        rows = sum(len(batch) for batch in reader.scan([ROW], None)) if back or version < state.version else state.rows
        return self._make_view(replace(reader, state=replace(past, rows=rows)))

    def _make_view(self, reader: VersionReader) -> MilvusStore:
        view = MilvusStore(self._database, self._address, self._names)
        view._reader, view._stays = reader, True
        return view

    def _list_ended(self, first: int, last: int) -> dict[int, int]:
        now = self._database.now()
        commits = read_commits(self._database, self._names.payload, first, last, now)
        return {row: one.version for one in commits for row in one.ended}

    def _find_numbers(self, reader: VersionReader, slide_ids: Sequence[str]) -> list[int]:
        found: list[int] = []
        ids = list(dict.fromkeys(slide_ids))
        for at in range(0, len(ids), _IDS_AT_ONCE):
            found += map(int, reader.find_rows(one_of("slide_id", ids[at : at + _IDS_AT_ONCE])))
        return found

    def _read_state(self) -> StoreState:
        with self._reading():
            note = self._database.read_notes(self._names.rows).get(NOTE)
        if note is None:
            raise DamagedArchive(self._address.redacted, "its rows are not there")
        state = StoreState.parse(note)
        if state.format > FORMAT:
            what = "the archive was written by a newer version of histoseek"
            raise ServerUnsuited(self._address.redacted, what, "Install that version, or a newer one")
        return state

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """All that is read of a snapshot counts only where no row of its version had been removed by then."""
        try:
            yield
        except AbsentCollection as error:
            if self._stays:
                raise OutdatedSnapshot(self._address.redacted) from error
            raise DamagedArchive(self._address.redacted, "its rows are not there") from error
        if self._stays and self._reader:
            self._require_kept(self._reader.state)

    def _require_kept(self, state: StoreState) -> None:
        try:
            now = StoreState.parse(self._database.read_notes(self._names.rows)[NOTE])
        except (AbsentCollection, KeyError) as error:
            raise OutdatedSnapshot(self._address.redacted) from error
        if not now.oldest <= state.version <= now.version:
            raise OutdatedSnapshot(self._address.redacted)


def _open(place: StorePlace) -> MilvusStore:
    database, address = connect(place.address)
    return MilvusStore(database, address, Names(address.name(f"s{place.number:04d}_")))
