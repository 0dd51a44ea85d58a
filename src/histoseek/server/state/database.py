"""What a server remembers, shared by threads and processes: in its folder, or for several servers on PostgreSQL."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from histoseek.errors import ConfigurationError, MissingExtra
from histoseek.server.settings import ServerSettings
from histoseek.server.state.engine import Row, SqlValue, StateEngine, Transaction
from histoseek.server.state.migrations import MIGRATIONS, Migrations
from histoseek.server.state.sqlite import SqliteEngine


class State:
    """The database of a server. Not to be used after a fork: children open their own."""

    def __init__(self, folder: Path, migrations: Migrations = MIGRATIONS, address: str = "") -> None:
        """Open it, and make what is missing; address: of a PostgreSQL server, "" for the folder itself.

        Raises ConfigurationError when the folder is open to others or can't be written, or the database is damaged or
        of a newer histoseek; ServerUnreachable, AccessDenied, ServerUnsuited, MissingExtra with an address.
        """
        self.folder = folder
        make_private_folder(folder)
        self._engine = _open_engine(folder, migrations, address)
        self.shared_id = self.derive_key("name").hex()[:12] if address else ""
        """What all servers of a shared state call it; "" of a folder's."""
        self._rate_key = self.derive_key("rates") if address else b""

    @classmethod
    def from_settings(cls, settings: ServerSettings) -> State:
        """That of a server; raises as the class does."""
        return cls(settings.state, address=settings.state_address)

    @property
    def holds_traces(self) -> bool:
        """Whether `erase_deleted` is to be called again."""
        return self._engine.holds_traces

    def read(self, statement: str, values: Sequence[SqlValue] = ()) -> Sequence[Row]:
        """The rows that a statement gives; raises Overloaded while others write for too long, or it is away."""
        return self._engine.read(statement, values)

    def open_transaction(self) -> AbstractContextManager[Transaction]:
        """A transaction that no other process writes in: kept when the block ends, undone when it raises.

        Raises Overloaded when others write for too long, or the database is away.
        """
        return self._engine.open_transaction()

    def erase_deleted(self) -> bool:
        """Let no byte of what was deleted or replaced stay in the database's files; False while others read or write.

        Then it is to be called again.
        """
        return self._engine.erase_deleted()

    def read_mark(self) -> int | None:
        """What is equal only while nobody writes into the state; None where asking costs as much as reading."""
        return self._engine.read_mark()

    def check_readable(self) -> None:
        """Raise Overloaded when the database can't be read, or was taken away: what is written now would be lost."""
        self._engine.check_readable()

    def now(self) -> float:
        """The time that all servers of this state share, in seconds since 1970."""
        return self._engine.now()

    def derive_key(self, purpose: str) -> bytes:
        """A secret of 32 bytes for one purpose, the same in all processes for as long as the state lives."""
        statement = "SELECT value FROM keys WHERE purpose = 'root'"
        rows = self.read(statement)
        if not rows:
            with self.open_transaction() as connection:
                new = secrets.token_bytes(32)
                connection.execute("INSERT INTO keys VALUES ('root', ?) ON CONFLICT DO NOTHING", (new,))
            rows = self.read(statement)
        return hmac.digest(rows[0]["value"], purpose.encode(), hashlib.sha256)

    def take_turn(self, kind: str, caller: str, per_minute: float) -> float | None:
        """Count a request among those of all servers of this state; caller: is kept as a keyed digest.

        Gives what is short of one, 0 or less where none is; None where a server counts for itself.
        """
        if not self.shared_id:
            return None
        digest = hmac.digest(self._rate_key, caller.encode(), hashlib.sha256).hex()
        return self._engine.take_turn(kind, digest, per_minute)

    def close(self) -> None:
        """Close all connections; no thread may be using one."""
        self._engine.close()


def make_private_folder(folder: Path) -> None:
    """Make a folder that only its owner may enter; raises ConfigurationError when it exists and is open to others."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        if folder.stat().st_mode & 0o077:
            raise ConfigurationError(str(folder), "other users may enter this folder", f"Run: chmod 700 '{folder}'")
    except OSError as error:
        raise ConfigurationError(str(folder), "can't be created", "Choose another folder with --state") from error


def _open_engine(folder: Path, migrations: Migrations, address: str) -> StateEngine:
    if not address:
        return SqliteEngine(folder, migrations)
    try:
        from histoseek.server.state.postgres import PostgresEngine
    except ImportError as error:
        raise MissingExtra(error.name or "psycopg", "postgres") from error
    return PostgresEngine(address, migrations)
