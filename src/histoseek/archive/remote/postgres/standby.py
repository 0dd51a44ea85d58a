"""Standbys of a server: a process that saw a state never reads an older one from them."""

from __future__ import annotations

import threading
import time

from histoseek.archive.remote.postgres.pool import Connection

_WAIT_S = 0.2
_PAUSE_S = 0.01


class Standbys:
    """How far in the server's log this process has seen changes."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._seen = 0

    def note_position(self, primary: Connection) -> None:
        """Remember that all is seen that the primary has committed until now."""
        row = primary.execute("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn").fetchone()
        self._raise_to(row)

    def has_caught_up(self, connection: Connection) -> bool:
        """Whether a server knows all that was seen here, after a short wait; a primary does."""
        end_s = time.monotonic() + _WAIT_S
        while True:
            row = connection.execute(
                "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() - '0/0'::pg_lsn END"
            ).fetchone()
            if row is None or row[0] is None or int(str(row[0])) >= self._seen:
                self._raise_to(row)
                return True
            if time.monotonic() > end_s:
                return False
            time.sleep(_PAUSE_S)

    def _raise_to(self, row: tuple[object, ...] | None) -> None:
        if row is not None and row[0] is not None:
            with self._guard:
                self._seen = max(self._seen, int(str(row[0])))
