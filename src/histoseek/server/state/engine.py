"""What a database must do to hold a server's state: SQLite on one machine, PostgreSQL for several servers.

Statements are in the SQL that both know, with `?` and `?1` for values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

SqlValue = str | int | float | bytes | None


class Row(Protocol):
    """Values by the names of columns, and by their places."""

    def __getitem__(self, key: Any, /) -> Any:
        """The value of a column."""

    def __iter__(self) -> Iterator[Any]:
        """All values in their order."""


class Cursor(Protocol):
    """What a statement gave."""

    @property
    def rowcount(self) -> int:
        """How many rows it changed."""

    def fetchone(self) -> Any:
        """The next row, or None."""

    def fetchall(self) -> Any:
        """All rows that are left."""


class Transaction(Protocol):
    """Statements that are kept or undone together."""

    def execute(self, statement: str, values: Sequence[SqlValue] = (), /) -> Cursor:
        """Do a statement."""

    def executemany(self, statement: str, rows: Iterable[Sequence[SqlValue]], /) -> object:
        """Do a statement once for each row of values."""


class StateEngine(Protocol):
    """One database."""

    holds_traces: bool

    def read(self, statement: str, values: Sequence[SqlValue] = ()) -> Sequence[Row]:
        """The rows that a statement gives; raises Overloaded while that isn't possible."""

    def open_transaction(self) -> AbstractContextManager[Transaction]:
        """A transaction that nobody else writes in: kept when the block ends, undone when it raises.

        Raises Overloaded while that isn't possible.
        """

    def erase_deleted(self) -> bool:
        """Let no byte of what was deleted or replaced stay in the database's files; False while others are at it."""

    def read_mark(self) -> int | None:
        """What is equal only while nobody writes; None where asking costs as much as reading."""

    def check_readable(self) -> None:
        """Raise Overloaded when the database can't be read."""

    def now(self) -> float:
        """The time that all servers of this state share, in seconds since 1970."""

    def take_turn(self, kind: str, caller: str, per_minute: float) -> float | None:
        """Count a request among those of all servers: what is short of one, 0 or less where there is none short.

        None: servers count for themselves.
        """

    def close(self) -> None:
        """Close all connections; no thread may be using one."""
