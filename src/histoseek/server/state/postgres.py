"""The state in a schema of a PostgreSQL database, shared by servers on several machines."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import psycopg
from psycopg import sql

from histoseek.archive.remote.postgres.faults import is_passing, translate, translate_errors
from histoseek.archive.remote.postgres.place import PostgresPlace
from histoseek.archive.remote.postgres.pool import Connection, Pool
from histoseek.archive.remote.postgres.schema import make_lock_key
from histoseek.errors import ConfigurationError, InputError
from histoseek.server.errors import Overloaded
from histoseek.server.state.engine import Cursor, SqlValue
from histoseek.server.state.migrations import Migrations

_WAIT_S = 10.0
_PAUSE_S = 0.1
_MOST_CONNECTIONS = 4
_VALUE = re.compile(r"\?(\d*)")
_FORGET_EVERY = 500
_TURNS = (
    "CREATE UNLOGGED TABLE IF NOT EXISTS turns (kind text, caller text, level double precision NOT NULL,"
    " at timestamptz NOT NULL, is_given boolean NOT NULL, PRIMARY KEY (kind, caller))"
)
_REFILLED = (
    "least(%(size)s::float8, turns.level + greatest(0, extract(epoch FROM clock_timestamp() - turns.at)) * %(size)s"
    " / 60)"
)
_TAKE_TURN = (
    "INSERT INTO turns VALUES (%(kind)s, %(caller)s, %(size)s::float8 - 1, clock_timestamp(), true)"
    f" ON CONFLICT (kind, caller) DO UPDATE SET is_given = {_REFILLED} >= 1, at = clock_timestamp(),"
    f" level = CASE WHEN {_REFILLED} >= 1 THEN {_REFILLED} - 1 ELSE {_REFILLED} END RETURNING is_given"
)
_READ_TURN = f"SELECT {_REFILLED} FROM turns WHERE kind = %(kind)s AND caller = %(caller)s"
_TYPES = {"REAL": "double precision", "BLOB": "bytea", "INTEGER": "bigint"}


@dataclass(frozen=True, slots=True)
class StateRow:
    """A row's values, by the names of its columns or their places."""

    places: Mapping[str, int]
    values: Sequence[Any]

    def __getitem__(self, key: str | int, /) -> Any:
        return self.values[self.places[key] if isinstance(key, str) else key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.values)


class PostgresEngine:
    """The database at an address; statements of others wait while one writes, as in SQLite."""

    def __init__(self, address: str, migrations: Migrations) -> None:
        """Make what is missing. Raises ServerUnreachable, AccessDenied, ServerUnsuited, ConfigurationError."""
        self._place = PostgresPlace.parse(address)
        self._schema = sql.Identifier(f"histoseekserver_{self._place.archive}")
        self._key = make_lock_key(f"histoseekserver_{self._place.archive}")
        self._pool = Pool(self._connect, _MOST_CONNECTIONS)
        self._local = threading.local()
        self._turns = 0
        self.holds_traces = False
        with translate_errors(self._place.address):
            self._migrate(migrations)

    def read(self, statement: str, values: Sequence[SqlValue] = ()) -> list[StateRow]:
        """The rows that a statement gives; raises Overloaded while the server is away."""
        end_s = time.monotonic() + _WAIT_S
        while True:
            try:
                with self._pool.lend() as connection:
                    return _Statements(connection).execute(statement, values).fetchall()
            except psycopg.Error as error:
                self._wait_or_raise(error, end_s)

    @contextmanager
    def open_transaction(self) -> Iterator[_Statements]:
        """A transaction that nobody else writes in; raises Overloaded where that takes too long."""
        with ExitStack() as stack:
            connection = self._local.connection = self._begin(stack)
            try:
                with _translate_away():
                    yield _Statements(connection)
                    stack.close()
            finally:
                self._local.connection = None

    def read_mark(self) -> None:
        """None: the server would have to be asked."""

    def erase_deleted(self) -> bool:
        """Write the tables anew; what the server's log and its backups hold goes with them."""
        self.holds_traces = True
        try:
            with self._pool.lend() as connection:
                statement = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
                for (table,) in connection.execute(statement).fetchall():
                    connection.execute(sql.SQL("VACUUM (FULL) {}").format(sql.Identifier(str(table))))
        except psycopg.Error as error:
            if not is_passing(error):
                raise
            return False
        self.holds_traces = False
        return True

    def check_readable(self) -> None:
        """Raise Overloaded when the server is away."""
        self.read("SELECT version FROM state_version")

    def now(self) -> float:
        """The time of the database's server."""
        statement = "SELECT extract(epoch FROM clock_timestamp())"
        connection: Connection | None = getattr(self._local, "connection", None)
        # Within a transaction by its own connection: all others may be waiting for it to end.
        rows = connection.execute(statement).fetchall() if connection is not None else self.read(statement)
        return float(str(rows[0][0]))

    def take_turn(self, kind: str, caller: str, per_minute: float) -> float | None:
        """What is short of one; a bucket holds a minute's worth, and one that is full is forgotten."""
        self._turns += 1
        if self._turns % _FORGET_EVERY == 0:
            self._do("DELETE FROM turns WHERE at < clock_timestamp() - interval '60 s'", {})
        values = {"kind": kind, "caller": caller, "size": per_minute}
        return -1.0 if self._do(_TAKE_TURN, values)[0][0] else 1.0 - float(self._do(_READ_TURN, values)[0][0])

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    def _do(self, statement: str, values: Mapping[str, object]) -> Any:
        """Do a statement that may be done again; the rows that it gives."""
        end_s = time.monotonic() + _WAIT_S
        while True:
            try:
                with self._pool.lend() as connection:
                    cursor = connection.execute(statement.encode(), values)
                    return cursor.fetchall() if cursor.description else []
            except psycopg.Error as error:
                self._wait_or_raise(error, end_s)

    def _connect(self) -> Connection:
        connection: Connection = psycopg.connect(self._place.make_conninfo("write"), autocommit=True)
        connection.execute(sql.SQL("SET search_path = {}").format(self._schema))
        connection.row_factory = _make_rows
        return connection

    def _begin(self, stack: ExitStack) -> Connection:
        """A connection in a transaction that holds the lock of those who write; the stack ends both."""
        end_s = time.monotonic() + _WAIT_S
        while True:
            attempt = ExitStack()
            try:
                connection = attempt.enter_context(self._pool.lend())
                attempt.enter_context(connection.transaction())
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (self._key,))
            except psycopg.Error as error:
                with suppress(psycopg.Error):
                    attempt.close()
                self._wait_or_raise(error, end_s)
                continue
            stack.push(attempt.pop_all())
            return connection

    def _wait_or_raise(self, error: psycopg.Error, end_s: float) -> None:
        if not is_passing(error):
            raise translate(error, self._place.address) if isinstance(error, psycopg.OperationalError) else error
        if time.monotonic() > end_s:
            raise _make_overloaded() from error
        self._pool.close()
        time.sleep(_PAUSE_S)

    def _migrate(self, migrations: Migrations) -> None:
        with self._pool.lend() as connection:
            connection.execute("SELECT pg_advisory_lock(%s)", (self._key,))
            with connection.transaction():
                connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(self._schema))
                connection.execute("CREATE TABLE IF NOT EXISTS state_version (version bigint NOT NULL)")
                connection.execute(_TURNS)
                row = connection.execute("SELECT max(version) FROM state_version").fetchone()
                version = int(str(row[0])) if row and row[0] is not None else 0
                if version > len(migrations):
                    raise ConfigurationError(self._place.address, "written by a newer histoseek", "Update histoseek")
                for statement in (statement for step in migrations[version:] for statement in step):
                    connection.execute(_translate_types(statement).encode())
                if version < len(migrations):
                    connection.execute("DELETE FROM state_version")
                    connection.execute("INSERT INTO state_version VALUES (%s)", (len(migrations),))
            connection.execute("SELECT pg_advisory_unlock(%s)", (self._key,))


class _Statements:
    """A connection that takes the statements of `StateEngine`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def execute(self, statement: str, values: Sequence[SqlValue] = (), /) -> Any:
        text, names = _translate(statement)
        return self._connection.execute(text, _name_values(names, values))

    def executemany(self, statement: str, rows: Iterable[Sequence[SqlValue]], /) -> Cursor:
        text, names = _translate(statement)
        cursor = self._connection.cursor()
        cursor.executemany(text, [_name_values(names, row) for row in rows])
        return cursor


@lru_cache(maxsize=256)
def _translate(statement: str) -> tuple[bytes, tuple[int, ...]]:
    """A statement with psycopg's placeholders, and the places of the values that these are for."""
    places: list[int] = []

    def replace(match: re.Match[str]) -> str:
        places.append(int(match[1]) - 1 if match[1] else len(places))
        return f"%(v{places[-1]})s"

    return _VALUE.sub(replace, statement.replace("%", "%%")).encode(), tuple(places)


def _name_values(places: Sequence[int], values: Sequence[SqlValue]) -> dict[str, SqlValue]:
    if any(isinstance(value, str) and "\0" in value for value in values):
        raise InputError("text", "holds a character that can't be stored", "Leave out NUL")
    # Booleans are numbers in SQLite, and so in the tables.
    return {f"v{place}": int(value) if isinstance(value := values[place], bool) else value for place in set(places)}


def _translate_types(statement: str) -> str:
    return re.sub(rf"\b({'|'.join(_TYPES)})\b", lambda match: _TYPES[match[1]], statement)


def _make_rows(cursor: psycopg.Cursor[Any]) -> Any:
    """A row factory of psycopg's."""
    places = {column.name: place for place, column in enumerate(cursor.description or ())}
    return lambda values: StateRow(places, values)


@contextmanager
def _translate_away() -> Iterator[None]:
    try:
        yield
    except psycopg.OperationalError as error:
        raise _make_overloaded() from error


def _make_overloaded() -> Overloaded:
    return Overloaded("server", "its state can't be reached", "Try again in some seconds", 5)
