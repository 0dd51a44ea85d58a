"""An archive's write lock on the server: held by a connection of its own, and proved by each commit.

The database frees the lock when its connection ends. Who holds it gets a number, higher than all before; a commit by
somebody with a lower number fails, so that a holder that was cut off can't write beside the next one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress

import psycopg
from psycopg import sql

from histoseek.archive.remote.postgres.pool import Connection
from histoseek.archive.remote.postgres.schema import begin_epoch, make_lock_key
from histoseek.errors import ArchiveBusy, ArchiveError

_ASK_EVERY_S = 2.0
_GHOST_S = 2.0
_PAUSE_S = 0.05


class WriteLock:
    """The lock as one process holds it."""

    def __init__(self, connect: Callable[[], Connection], address: str, schema: str) -> None:
        """Take it; raises ArchiveBusy, and psycopg's errors."""
        self._connect, self._address, self._schema = connect, address, schema
        self._guard = threading.Lock()
        self._connection = connect()
        self._asked_s = time.monotonic()
        try:
            self._session = _read_session(self._connection)
            # A connection that was cut off may hold it a moment longer.
            if not self._wait():
                raise ArchiveBusy(address)
            self.epoch = begin_epoch(self._connection, schema)
        except BaseException:
            self.free()
            raise

    def keep(self) -> None:
        """See that it is still held, and take it again where only the connection was lost.

        Raises ArchiveError when somebody else took it, psycopg's errors while the server is away.
        """
        with self._guard:
            if time.monotonic() - self._asked_s < _ASK_EVERY_S and not self._connection.broken:
                return
            try:
                self._connection.execute("SELECT 1")
            except psycopg.OperationalError:
                self._take_again()
            self._asked_s = time.monotonic()

    def free(self) -> None:
        """Let others have it."""
        key = make_lock_key(self._schema)
        with suppress(psycopg.Error):
            # The server notices the end of a connection later than this process goes on.
            self._connection.execute("SELECT pg_advisory_unlock(%s)", (key,))
        with suppress(psycopg.Error):
            self._connection.close()

    def make_lost_error(self) -> ArchiveError:
        """For who wanted to write and holds it no longer."""
        what = "another process writes to this archive since the connection to its server was lost"
        return ArchiveError(self._address, what, "Repeat the command: what was committed is safe")

    def _take_again(self) -> None:
        self.free()
        connection = self._connect()
        # The server may not have noticed yet that the connection of before is gone.
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s AND backend_start = %s",
            self._session,
        )
        self._connection, self._session = connection, _read_session(connection)
        if not self._wait():
            raise self.make_lost_error()
        statement = sql.SQL("SELECT epoch FROM {}.state").format(sql.Identifier(self._schema))
        if connection.execute(statement).fetchone() != (self.epoch,):
            raise self.make_lost_error()
        self.epoch = begin_epoch(connection, self._schema)

    def _wait(self) -> bool:
        """Take the lock, for as long as the server may not have noticed that a connection is gone."""
        end_s = time.monotonic() + _GHOST_S
        while not self._try():
            if time.monotonic() > end_s:
                return False
            time.sleep(_PAUSE_S)
        return True

    def _try(self) -> bool:
        key = make_lock_key(self._schema)
        return self._connection.execute("SELECT pg_try_advisory_lock(%s)", (key,)).fetchone() == (True,)


def _read_session(connection: Connection) -> tuple[object, ...]:
    """What tells the server's process for a connection from all others."""
    statement = "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
    return connection.execute(statement).fetchone() or (None, None)
