"""Open connections to a server, a bounded number of them, made in the thread that needs one.

So an error of connecting is known at once where it happened, which a pool that connects in the background turns into
a time limit; and no thread is lost with a fork.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psycopg
from psycopg.pq import TransactionStatus

Connection = psycopg.Connection[tuple[object, ...]]

MOST = 8
"""Connections of one process for one purpose; who needs another one waits."""

_UNTRIED_S = 1.0
_IDLE_S = 60.0


class Pool:
    """Connections in use and idle ones."""

    def __init__(self, connect: Callable[[], Connection], most: int = MOST) -> None:
        self._connect = connect
        self._free = threading.BoundedSemaphore(most)
        self._idle: list[tuple[float, Connection]] = []
        self._guard = threading.Lock()

    @contextmanager
    def lend(self) -> Iterator[Connection]:
        """A connection that works, outside of a transaction; one that broke meanwhile is closed."""
        with self._free:
            connection = self._find_idle() or self._connect()
            try:
                yield connection
            finally:
                self._take_back(connection)

    def close(self) -> None:
        """Close those that are idle."""
        with self._guard:
            idle, self._idle = self._idle, []
        for _, connection in idle:
            _close(connection)

    def _find_idle(self) -> Connection | None:
        """The one that was used last, tried where that was some time ago."""
        while True:
            now = time.monotonic()
            with self._guard:
                old = [one for one in self._idle if now - one[0] > _IDLE_S]
                self._idle = [one for one in self._idle if now - one[0] <= _IDLE_S]
                used, connection = self._idle.pop() if self._idle else (now, None)
            for _, one in old:
                _close(one)
            if connection is None or now - used < _UNTRIED_S or _answers(connection):
                return connection
            _close(connection)

    def _take_back(self, connection: Connection) -> None:
        if connection.closed or connection.info.transaction_status != TransactionStatus.IDLE:
            _close(connection)
            return
        with self._guard:
            self._idle.append((time.monotonic(), connection))


def _answers(connection: Connection) -> bool:
    try:
        connection.execute("SELECT 1")
    except psycopg.Error:
        return False
    return True


def _close(connection: Connection) -> None:
    with suppress(psycopg.Error):
        connection.close()
