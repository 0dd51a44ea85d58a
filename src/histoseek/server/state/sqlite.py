"""The state as one SQLite database in a private folder, shared by threads and processes."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from weakref import WeakSet

from histoseek.errors import ConfigurationError
from histoseek.files import fsync_path
from histoseek.server.errors import Overloaded
from histoseek.server.state.engine import SqlValue
from histoseek.server.state.migrations import Migrations

_WAIT_S = 10.0
_FILE = "state.sqlite"
_LOCK = "state.lock"

_PASSING = {
    sqlite3.SQLITE_BUSY: "its state is busy",
    sqlite3.SQLITE_LOCKED: "its state is busy",
    sqlite3.SQLITE_FULL: "its disk is full",
}


class _Connection(sqlite3.Connection):
    """A connection that can be held weakly."""


class SqliteEngine:
    """The database, with one connection a thread. Not to be used after a fork: children open their own."""

    def __init__(self, folder: Path, migrations: Migrations) -> None:
        """Open it, and make what is missing.

        Raises ConfigurationError when the folder is open to others or can't be written, or the database is damaged or
        of a newer histoseek.
        """
        self._folder = folder
        self.holds_traces = False
        """Whether `erase_deleted` is to be called again."""
        self._path = folder / _FILE
        self._local = threading.local()
        self._connections: WeakSet[_Connection] = WeakSet()
        self._guard = threading.RLock()
        self._watching: _Connection | None = None
        try:
            with self._lock_setup():
                if self._migrate(migrations):
                    self.erase_deleted()
        except (OSError, sqlite3.DatabaseError) as error:
            raise ConfigurationError(
                str(folder),
                f"the server's state can't be used ({type(error).__name__})",
                "Check the folder and its disk",
            ) from error

    def read(self, statement: str, values: Sequence[SqlValue] = ()) -> list[sqlite3.Row]:
        """The rows that a statement gives; raises Overloaded while others write for too long."""
        with _translate_busy():
            return self._get_connection().execute(statement, values).fetchall()

    @contextmanager
    def open_transaction(self) -> Iterator[sqlite3.Connection]:
        """A transaction that no other process writes in: kept when the block ends, undone when it raises.

        Raises Overloaded when others write for too long.
        """
        connection = self._get_connection()
        with _translate_busy():
            connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            with _translate_busy():
                connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def erase_deleted(self) -> bool:
        """Let no byte of what was deleted or replaced stay in the database's files; False while others read or write.

        Then it is to be called again. Rows are overwritten as they are deleted; what moves of pages leaves behind goes
        as the database is written anew, what the write-ahead log holds as that is emptied.
        """
        connection = self._get_connection()
        self.holds_traces = True
        try:
            connection.execute("VACUUM")
            (is_busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _PASSING:
                raise
            return False
        self.holds_traces = bool(is_busy)
        return not is_busy

    def read_mark(self) -> int | None:
        """As SQLite counts what other connections write: the one that is asked does nothing else. A few us."""
        with self._guard:
            watching = self._watching = self._watching or self._connect()
            return int(watching.execute("PRAGMA data_version").fetchone()[0])

    def check_readable(self) -> None:
        """Raise Overloaded when the database can't be read, or was taken away: what is written now would be lost."""
        self.read("SELECT 1")
        if not self._path.exists():
            raise Overloaded("server", "its state is gone", "Restart it", 60)

    def now(self) -> float:
        """The time of this machine, in seconds since 1970."""
        return time.time()

    def take_turn(self, kind: str, caller: str, per_minute: float) -> float | None:
        """None: there is one server, which counts for itself."""
        return None

    def close(self) -> None:
        """Close all connections; no thread may be using one."""
        with self._guard:
            for connection in list(self._connections):
                connection.close()
            self._watching = None
        self._local = threading.local()

    def _get_connection(self) -> _Connection:
        connection: _Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect()
        return connection

    def _connect(self) -> _Connection:
        connection = sqlite3.connect(
            self._path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False, factory=_Connection
        )
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")
        # Else sorting and writing the database anew may leave pages in the system's folder for temporary files.
        connection.execute("PRAGMA temp_store = MEMORY")
        with self._guard:
            self._connections.add(connection)
        return connection

    @contextmanager
    def _lock_setup(self) -> Iterator[None]:
        """Hold off other processes: SQLite does not wait when two of them switch to a write-ahead log."""
        with os.fdopen(_open_private(self._folder / _LOCK), "ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self._path.exists():
                os.close(_open_private(self._path))
                fsync_path(self._folder)
            yield

    def _migrate(self, migrations: Migrations) -> bool:
        """Bring the database up to date; whether there was one to be changed."""
        connection = self._get_connection()
        connection.execute("PRAGMA journal_mode = WAL")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > len(migrations):
            raise ConfigurationError(str(self._folder), "written by a newer histoseek", "Update histoseek")
        with self.open_transaction():
            for statement in (statement for step in migrations[version:] for statement in step):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {len(migrations)}")
        return 0 < version < len(migrations)


def _open_private(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)


@contextmanager
def _translate_busy() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        what = _PASSING.get(error.sqlite_errorcode & 0xFF)
        if what is None:
            raise
        raise Overloaded("server", what, "Try again in some seconds", 5) from error
