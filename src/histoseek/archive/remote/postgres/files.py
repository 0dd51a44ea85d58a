"""The files of an archive as pieces in tables of its schema."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from psycopg import errors, sql

from histoseek.archive.remote.base import FileStamp
from histoseek.archive.remote.postgres.connection import Database, connect
from histoseek.archive.remote.postgres.pool import Connection
from histoseek.archive.remote.postgres.schema import Change
from histoseek.errors import ArchiveError, DamagedArchive

_PIECE_BYTES = 2**20
_BAGS = "bags/"


class PostgresFiles:
    """The files of one archive on a PostgreSQL server; see `RemoteFiles`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._schema = sql.Identifier(database.schema)

    @classmethod
    def open(cls, address: str) -> PostgresFiles:
        """Of an archive's address; raises ConfigurationError."""
        return cls(connect(address))

    def exists(self) -> bool:
        """Whether it has any file."""
        statement = sql.SQL("SELECT EXISTS (SELECT FROM {}.files)").format(self._schema)
        return any(row[0] for row in self._select(statement, ()))

    def list_files(self, prefix: str = "") -> Mapping[str, FileStamp]:
        """All files whose names begin so."""
        text = "SELECT name, revision, bytes FROM {}.files WHERE starts_with(name, %s)"
        rows = self._select(sql.SQL(text).format(self._schema), (prefix,))
        return {str(name): FileStamp(str(revision), int(str(size))) for name, revision, size in rows}

    def read(self, name: str) -> bytes:
        """The content of a file; raises FileNotFoundError."""
        text = (
            "SELECT f.bytes, p.data FROM {0}.files AS f LEFT JOIN {0}.pieces AS p USING (name) WHERE f.name = %s"
            " ORDER BY p.number"
        )
        rows = self._select(sql.SQL(text).format(self._schema), (name,))
        if not rows:
            raise FileNotFoundError(name)
        data = b"".join(piece for _, piece in rows if isinstance(piece, bytes))
        if len(data) != rows[0][0]:
            raise DamagedArchive(self._database.address, f"{name} has {len(data)} bytes of {rows[0][0]}")
        return data

    def write(self, name: str, data: bytes) -> FileStamp:
        """Make a file, or replace it."""
        stamp = FileStamp(secrets.token_hex(12), len(data))
        self._database.write(lambda connection: self._put(connection, name, stamp, data), _find_change([name]))
        return stamp

    def delete(self, names: Iterable[str]) -> None:
        """Remove files; unknown ones are ignored."""
        chosen = sorted(set(names))
        if chosen and self._database.exists():
            statement = sql.SQL("DELETE FROM {}.files WHERE name = ANY(%s)").format(self._schema)
            self._database.write(lambda connection: connection.execute(statement, (chosen,)), _find_change(chosen))

    def revision(self) -> str:
        """Another one once any file but bags was written or deleted."""
        return self._database.revision("files")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the write lock; raises ArchiveBusy. Locks of one process don't nest."""
        with self._database.locked():
            yield

    def drop(self) -> None:
        """Remove the whole archive."""
        self._database.drop()

    def _put(self, connection: Connection, name: str, stamp: FileStamp, data: bytes) -> None:
        upsert = (
            "INSERT INTO {}.files VALUES (%s, %s, %s) ON CONFLICT (name) DO UPDATE"
            " SET revision = EXCLUDED.revision, bytes = EXCLUDED.bytes"
        )
        connection.execute(sql.SQL(upsert).format(self._schema), (name, stamp.revision, stamp.bytes))
        connection.execute(sql.SQL("DELETE FROM {}.pieces WHERE name = %s").format(self._schema), (name,))
        insert = sql.SQL("INSERT INTO {}.pieces VALUES (%s, %s, %s)").format(self._schema)
        for number, start in enumerate(range(0, len(data), _PIECE_BYTES)):
            connection.execute(insert, (name, number, data[start : start + _PIECE_BYTES]), binary=True)

    def _select(self, statement: sql.Composed, values: tuple[object, ...]) -> list[tuple[object, ...]]:
        """The rows; none where there is no archive."""

        try:
            return self._database.read(lambda connection: connection.execute(statement, values, binary=True).fetchall())
        except ArchiveError as error:
            if isinstance(error.__cause__, errors.UndefinedTable | errors.InvalidSchemaName):
                return []
            raise


def _find_change(names: Iterable[str]) -> Change | None:
    return None if all(name.startswith(_BAGS) for name in names) else "files"
