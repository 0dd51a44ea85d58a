"""The store on a PostgreSQL server: tables of an archive's schema."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from psycopg import errors

from histoseek.archive.filters.expression import Expression
from histoseek.archive.remote.postgres.connection import Database, connect
from histoseek.archive.remote.postgres.pool import Connection
from histoseek.archive.stores.base import (
    Capabilities,
    Neighbour,
    RowChanges,
    StorePlace,
    StoreStats,
    TextHit,
    VectorColumn,
)
from histoseek.archive.stores.postgres.reading import VersionRows
from histoseek.archive.stores.postgres.tables import (
    StoreTables,
    add_columns,
    check_format,
    create_tables,
    drop_tables,
    upgrade_tables,
)
from histoseek.archive.stores.postgres.upkeep import erase_rows, list_faults, measure, optimize_tables
from histoseek.archive.stores.postgres.versions import (
    Commit,
    Version,
    begin_store,
    begin_version,
    end_rows,
    end_version,
    read_version,
)
from histoseek.archive.stores.postgres.writing import fill_rows, insert_rows
from histoseek.errors import ArchiveError, DamagedArchive, OutdatedSnapshot

_MISSING = "the rows of its slides are missing"


class PostgresStore:
    """A Store over tables. Commits are transactions; rows are never changed, they end, and others begin."""

    def __init__(self, database: Database, tables: StoreTables, pinned: VersionRows | None = None) -> None:
        """pinned: the version that this one always shows, None for the last."""
        self._database, self._tables, self._pinned = database, tables, pinned
        self._newest: PostgresStore | None = None
        self._revision = ""
        self._is_checked = False

    @classmethod
    def exists(cls, place: StorePlace) -> bool:
        """Whether it is known in the archive's schema."""
        database, tables = _find(place)
        try:
            return database.read(lambda connection: read_version(connection, tables)) is not None
        except ArchiveError as error:
            if isinstance(error.__cause__, errors.UndefinedTable | errors.InvalidSchemaName):
                return False
            raise

    @classmethod
    def drop(cls, place: StorePlace) -> None:
        """Remove its tables."""
        database, tables = _find(place)
        if cls.exists(place):
            database.write(lambda connection: drop_tables(connection, tables))

    @classmethod
    def create(cls, place: StorePlace, schema: pa.Schema) -> PostgresStore:
        """Make an empty store, in place of one that is there."""
        database, tables = _find(place)

        def work(connection: Connection) -> None:
            create_tables(connection, tables, schema)
            begin_store(connection, tables, schema)

        database.write(work)
        return cls.open(place)

    @classmethod
    def open(cls, place: StorePlace, mark: str | None = None) -> PostgresStore:
        """Open a store that always shows the last commit, or a snapshot of the version with a mark.

        Raises DamagedArchive when it is not there, OutdatedSnapshot when that version is not. Tables of another version
        of ours raise ServerUnsuited once they are read, so that they can be upgraded.
        """
        database, tables = _find(place)
        store = cls(database, tables)
        if mark is None:
            if not cls.exists(place):
                raise DamagedArchive(database.address, _MISSING)
            return store
        last = store._read_version()
        number, _, own = mark.partition("@")
        version = store._read_version(int(number)) if number.isdecimal() and own else None
        if version is None or version.id != own or version.number < last.oldest:
            raise OutdatedSnapshot(database.address)
        return cls(database, tables, VersionRows(database, tables, version))

    @classmethod
    def repair(cls, place: StorePlace) -> str | None:
        """Nothing is torn by crashes: commits are transactions. Brings tables of an older format up to date."""
        database, tables = _find(place)
        is_new = database.write(lambda connection: upgrade_tables(connection, tables), None)
        return "its tables were those of an older version, and are now of this one" if is_new else None

    @property
    def left_out(self) -> str | None:
        """Nothing ever is."""
        return None

    @property
    def capabilities(self) -> Capabilities:
        """All of them."""
        return Capabilities()

    @property
    def version(self) -> int:
        """The number of the last commit."""
        return self._rows().version.number

    @property
    def mark(self) -> str:
        """The version's number and its id."""
        version = self._rows().version
        return f"{version.number}@{version.id}"

    @property
    def rows_mark(self) -> str:
        """As `mark`: versions are noted for good."""
        return self.mark

    def changes_since(self, rows_mark: str) -> RowChanges | None:
        """By the numbers of rows, which ascend, and by what is noted of those that ended."""
        number, _, own = rows_mark.partition("@")
        return self._rows().changes_since(int(number), own) if number.isdecimal() else None

    @property
    def schema(self) -> pa.Schema:
        """All columns."""
        return self._rows().version.schema

    def snapshot(self) -> PostgresStore:
        """A view of the last commit: the one before, as long as nobody has committed since.

        While the server tells of commits, it is not asked whether there are any; but by who holds the write lock.
        """
        if self._pinned is not None:
            return self
        revision = "" if self._database.lock is not None else self._database.revision("rows")
        if self._newest is None or not revision or revision != self._revision:
            newest = self._keep(self._read_version())
            self._revision = revision
            return newest
        return self._newest

    def add_columns(self, columns: Mapping[str, pa.DataType]) -> None:
        """Add missing columns, empty."""
        if not set(columns) <= set(self.schema.names):
            self._commit(lambda connection, commit: self._add(connection, commit, columns))

    def describe(self, column: str, key: str, value: str) -> None:
        """In the schema of the next version."""

        def change(_: Connection, commit: Commit) -> None:
            place = commit.schema.get_field_index(column)
            field = commit.schema.field(place)
            field = field.with_metadata({**(field.metadata or {}), key.encode(): value.encode()})
            commit.schema = commit.schema.set(place, field)
            commit.is_described = True

        self._commit(change)

    def upsert(self, rows: pa.Table) -> None:
        """Insert or replace in one transaction."""
        self._commit(lambda connection, commit: insert_rows(connection, self._tables, commit, rows))

    def fill(self, rows: pa.Table) -> None:
        """Columns of rows that are there, in one transaction: as new rows, so that older versions stay."""
        self._commit(lambda connection, commit: fill_rows(connection, self._tables, commit, rows))

    def delete(self, slide_ids: Sequence[str]) -> None:
        """Let rows end."""
        self._commit(lambda connection, commit: end_rows(connection, self._tables, commit, slide_ids))

    def count(self, where: Expression | None) -> int:
        """Number of rows."""
        return self._rows().count(where)

    def scan(self, columns: Sequence[str], where: Expression | None) -> Iterator[pa.RecordBatch]:
        """Of one version, however long it takes."""
        return self._rows().scan(columns, where)

    def find_rows(self, where: Expression) -> NDArray[np.uint64]:
        """The numbers of a filter's rows."""
        return self._rows().find_rows(where)

    def take(self, rows: NDArray[np.uint64], columns: Sequence[str]) -> pa.Table:
        """Rows by their numbers."""
        return self._rows().take(rows, columns)

    def nearest(
        self, vector: NDArray[np.float32], count: int, where: Expression | None, column: VectorColumn
    ) -> list[Neighbour]:
        """Nearest by cosine distance."""
        return self._rows().nearest(vector, count, where, column)

    def text(
        self, tokens: Mapping[str, float], count: int, where: Expression | None, spelling: bool = False
    ) -> list[TextHit]:
        """Full-text hits."""
        return self._rows().text(tokens, count, where, spelling)

    def stats(self) -> StoreStats:
        """Rows, bytes, versions."""
        return self._database.read(lambda connection: measure(connection, self._tables, self._rows().version.rows))

    def list_faults(self, deep: bool) -> Iterator[str]:
        """What tables say of each other."""
        yield from self._database.read(lambda connection: list_faults(connection, self._tables, deep))

    def optimize(self) -> None:
        """Remove what was replaced longer than HISTOSEEK_HISTORY_MINUTES ago; indexes of vectors; vacuum."""
        optimize_tables(self._database, self._tables, self.schema)

    def erase(self) -> None:
        """Remove all that was deleted or replaced, and write the tables' files anew."""
        erase_rows(self._database, self._tables)

    def _rows(self) -> VersionRows:
        """Of the version that is shown."""
        if self._pinned is not None:
            return self._pinned
        pinned = self._keep(self._read_version())._pinned
        assert pinned is not None
        return pinned

    def _keep(self, version: Version) -> PostgresStore:
        """The store that always shows a version: the one that is at hand, where it is the same."""
        newest = self._newest
        if newest is None or newest._pinned is None or newest._pinned.version.id != version.id:
            rows = VersionRows(self._database, self._tables, version)
            newest = self._newest = PostgresStore(self._database, self._tables, rows)
        return newest

    def _read_version(self, number: int | None = None) -> Version:
        """Raises DamagedArchive, OutdatedSnapshot, ServerUnsuited."""

        def read(connection: Connection) -> Version | None:
            if not self._is_checked:
                check_format(connection, self._tables, self._database.address)
            return read_version(connection, self._tables, number)

        version = self._database.read(read)
        self._is_checked = True
        if version is not None:
            return version
        if number is not None:
            raise OutdatedSnapshot(self._database.address)
        raise DamagedArchive(self._database.address, _MISSING)

    def _commit(self, change: Callable[[Connection, Commit], object]) -> None:
        def work(connection: Connection) -> None:
            check_format(connection, self._tables, self._database.address)
            commit = begin_version(connection, self._tables)
            if commit is None:
                raise DamagedArchive(self._database.address, _MISSING)
            change(connection, commit)
            end_version(connection, self._tables, commit)

        self._database.write(work)

    def _add(self, connection: Connection, commit: Commit, columns: Mapping[str, pa.DataType]) -> None:
        new = [pa.field(name, kind) for name, kind in columns.items() if name not in commit.schema.names]
        add_columns(connection, self._tables, new)
        for field in new:
            commit.schema = commit.schema.append(field)
        commit.is_described = bool(new)


def _find(place: StorePlace) -> tuple[Database, StoreTables]:
    database = connect(place.address)
    return database, StoreTables(database.schema, place.number)
