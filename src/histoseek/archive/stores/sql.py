"""The one place where values become SQL."""

from __future__ import annotations

from collections.abc import Sequence


def quoted(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def in_list(column: str, values: Sequence[str]) -> str:
    """`column IN (...)`, false for no values."""
    return f"{column} IN ({', '.join(quoted(value) for value in values)})" if values else "false"


def differs(column: str, value: str) -> str:
    """True where the column holds another value or none."""
    return f"({column} IS NULL OR {column} <> {quoted(value)})"


def both(*conditions: str | None) -> str | None:
    """All the conditions that are there, None when there are none."""
    given = [f"({condition})" for condition in conditions if condition]
    return " AND ".join(given) or None
