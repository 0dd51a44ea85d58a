"""News of an archive: the server tells when something was committed, so that nobody has to ask before each search."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import psycopg
from psycopg import sql

from histoseek.archive.remote.postgres.pool import Connection
from histoseek.archive.remote.postgres.schema import ArchiveState, read_state
from histoseek.archive.remote.postgres.standby import Standbys
from histoseek.errors import ArchiveError

PROVED_S = 4.0
"""For how long what was heard may be believed after the server answered last."""

_ASK_EVERY_S = 1.0
_PAUSE_S = 1.0

log = logging.getLogger(__name__)


class News:
    """The state of an archive as its server told it, in one thread that begins with the first question."""

    def __init__(self, connect: Callable[[], Connection], schema: str, standbys: Standbys | None) -> None:
        self._connect, self._schema, self._standbys = connect, schema, standbys
        self._guard = threading.Lock()
        self._state: ArchiveState | None = None
        self._proved_s = 0.0
        self._thread: threading.Thread | None = None
        self._ending = threading.Event()

    def get(self) -> ArchiveState | None:
        """The newest state; None while the server is not known to be heard, so that it must be asked."""
        with self._guard:
            if self._thread is None and not self._ending.is_set():
                self._thread = threading.Thread(target=self._listen, name="archive-news", daemon=True)
                self._thread.start()
            return self._state if time.monotonic() - self._proved_s < PROVED_S else None

    def tell(self, state: ArchiveState) -> None:
        """Take in what this process has just committed."""
        with self._guard:
            self._state = _choose_newer(self._state, state) if self._state is not None else None

    def close(self) -> None:
        """Listen no longer; without waiting for the thread, which sees it soon."""
        self._ending.set()

    def _listen(self) -> None:
        while not self._ending.is_set():
            connection: Connection | None = None
            try:
                connection = self._connect()
                self._hear(connection)
            except (psycopg.Error, ArchiveError) as error:
                log.debug("no news of %s: %s", self._schema, type(error).__name__)
            finally:
                if connection is not None:
                    with suppress(psycopg.Error):
                        connection.close()
            with self._guard:
                self._state, self._proved_s = None, 0.0
            self._ending.wait(_PAUSE_S)

    def _hear(self, connection: Connection) -> None:
        connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._schema)))
        while not self._ending.is_set():
            # Asking each time proves that the connection works, and leaves nothing to the order of what is told.
            asked_s = time.monotonic()
            state = read_state(connection, self._schema)
            if self._standbys is not None:
                self._standbys.note_position(connection)
            with self._guard:
                self._state, self._proved_s = _choose_newer(self._state, state), asked_s
            for _ in connection.notifies(timeout=_ASK_EVERY_S, stop_after=1):
                pass


def _choose_newer(one: ArchiveState | None, other: ArchiveState) -> ArchiveState:
    """Of two states of one archive the later; else what came last."""
    if one is None or one.archive != other.archive:
        return other
    return max(one, other, key=lambda state: (state.files + state.rows, state.epoch))
