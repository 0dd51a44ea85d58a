"""The database of an archive: reads and writes that outlive what passes, such as a restart or a failover."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar
from uuid import uuid4

import psycopg
from psycopg import IsolationLevel, errors

from histoseek.archive.remote.postgres.faults import is_passing, translate, translate_errors
from histoseek.archive.remote.postgres.news import News
from histoseek.archive.remote.postgres.place import Access, PostgresPlace
from histoseek.archive.remote.postgres.pool import Connection, Pool
from histoseek.archive.remote.postgres.schema import (
    ArchiveState,
    Change,
    become_owner,
    begin_commit,
    check_format,
    check_server,
    drop_schema,
    make_schema,
    read_state,
)
from histoseek.archive.remote.postgres.standby import Standbys
from histoseek.archive.remote.postgres.write_lock import WriteLock
from histoseek.archive.remote.retries import Patience
from histoseek.errors import ArchiveError

Result = TypeVar("Result")

_databases: dict[tuple[int, str], Database] = {}
"""By process and address: a forked child leaves those of its parent alone."""

_guard = threading.Lock()


def connect(address: str) -> Database:
    """The database of an archive, one for each address and process; nothing is asked of the server yet.

    Raises ConfigurationError.
    """
    with _guard:
        database = _databases.get((os.getpid(), address))
        if database is None:
            database = _databases[os.getpid(), address] = Database(PostgresPlace.parse(address))
        return database


class Database:
    """Reads and writes of one archive from one process. Errors of the server become ArchiveErrors here."""

    def __init__(self, place: PostgresPlace) -> None:
        self.address, self.schema = place.address, place.schema
        self._place = place
        self._readers = Pool(lambda: self._connect("read"))
        self._writers = Pool(lambda: self._connect("write"))
        self._standbys = Standbys() if place.replicas else None
        self._news = News(self.open_connection, self.schema, self._standbys)
        self._is_checked = False
        self.lock: WriteLock | None = None
        """While this process holds the archive's write lock."""

    def read(self, work: Callable[[Connection], Result]) -> Result:
        """What `work` returns, in a transaction that sees one state; done again where the server went away."""

        def attempt() -> Result:
            with self._reading() as connection:
                return work(connection)

        return self._persist(attempt, self._readers)

    def write(self, work: Callable[[Connection], Result], change: Change | None = "rows") -> Result:
        """What `work` returns, in a transaction that is durable when this returns.

        It is done once, also where the answer to the commit got lost: then `work` may run again, and what it did
        counts once. change: what others are to notice. The archive's schema is made where it is not there.
        """
        commit = uuid4()
        results: list[Result] = []

        def attempt() -> Result:
            with self._writers.lend() as connection:
                if self.lock is not None:
                    self.lock.keep()
                try:
                    with connection.transaction():
                        state = begin_commit(connection, self.schema, commit, change)
                        self._check_writer(state)
                        results.append(work(connection))
                except errors.UniqueViolation as error:
                    if error.diag.table_name != "commits" or not results:
                        raise
                    state = read_state(connection, self.schema)
                if change is not None:
                    self._note(connection, state)
                return results[-1]

        return self._prepared(lambda: self._persist(attempt, self._writers))

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state, for reads in parts, which can't be done again by themselves."""
        with translate_errors(self.address), self._reading() as connection:
            yield connection

    @contextmanager
    def maintaining(self) -> Iterator[Connection]:
        """A connection for statements that run outside of transactions, such as VACUUM, however long they take."""
        with translate_errors(self.address), self._writers.lend() as connection:
            if self.lock is not None:
                self.lock.keep()
            connection.execute("SET statement_timeout = 0")
            try:
                yield connection
            finally:
                with suppress(psycopg.Error):
                    connection.execute("RESET statement_timeout")

    def revision(self, change: Change) -> str:
        """Another one after each change of this kind by anybody; from memory while the server tells of changes."""
        state = self._news.get()
        if state is None:
            state = self.read(lambda connection: read_state(connection, self.schema))
        return state.revision(change)

    def exists(self) -> bool:
        """Whether the archive's schema is there."""
        return bool(self.read(lambda connection: read_state(connection, self.schema)).archive)

    def drop(self) -> None:
        """Remove the archive's schema with all that is in it."""

        def attempt() -> None:
            with self._writers.lend() as connection:
                drop_schema(connection, self.schema)
                self._note(connection, ArchiveState())

        self._persist(attempt, self._writers)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the archive's write lock; raises ArchiveBusy. Locks of one process don't nest."""
        self.prepare()
        lock = self._persist(lambda: WriteLock(self.open_connection, self.address, self.schema), self._writers)
        self.lock = lock
        try:
            yield
        finally:
            self.lock = None
            lock.free()

    def open_connection(self) -> Connection:
        """A connection of one's own that may write; raises psycopg's errors."""
        return self._connect("write")

    def prepare(self) -> None:
        """Make the archive's schema where it is not there."""

        def attempt() -> None:
            with self._writers.lend() as connection:
                make_schema(connection, self.schema)

        self._persist(attempt, self._writers)

    def close(self) -> None:
        """Close idle connections, and listen no longer."""
        self._news.close()
        self._readers.close()
        self._writers.close()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._readers.lend() as connection:
            if self._standbys is None or self._standbys.has_caught_up(connection):
                with connection.transaction():
                    yield connection
                return
        with self._writers.lend() as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield connection

    def _persist(self, attempt: Callable[[], Result], pool: Pool) -> Result:
        """Try until it goes well, or the time for what passes is over."""
        patience = Patience()
        while True:
            try:
                return attempt()
            except psycopg.Error as error:
                passes = is_passing(error) or (self._place.has_many_hosts and _is_standby(error))
                if not passes or patience.is_over:
                    raise translate(error, self.address) from error
            pool.close()
            patience.wait()

    def _prepared(self, work: Callable[[], Result]) -> Result:
        """Do it, and once more when it fails since nothing of the archive is there yet."""
        try:
            return work()
        except ArchiveError as error:
            if not isinstance(error.__cause__, errors.UndefinedTable | errors.InvalidSchemaName):
                raise
        self.prepare()
        return work()

    def _check_writer(self, state: ArchiveState) -> None:
        if self.lock is not None and state.epoch != self.lock.epoch:
            raise self.lock.make_lost_error()

    def _note(self, connection: Connection, state: ArchiveState) -> None:
        """Let this process see its own change at once, on standbys, too."""
        self._news.tell(state)
        if self._standbys is not None:
            with suppress(psycopg.Error):
                self._standbys.note_position(connection)

    def _connect(self, access: Access) -> Connection:
        connection: Connection = psycopg.connect(self._place.make_conninfo(access), autocommit=True)
        if access == "read":
            connection.isolation_level = IsolationLevel.REPEATABLE_READ
            connection.read_only = True
        else:
            become_owner(connection, self.schema)
        if not self._is_checked:
            check_server(connection, self.address)
            check_format(connection, self.schema, self.address)
            self._is_checked = True
        return connection


def _is_standby(error: psycopg.Error) -> bool:
    text = str(error)
    return isinstance(error, errors.ReadOnlySqlTransaction) or "session is read-only" in text
