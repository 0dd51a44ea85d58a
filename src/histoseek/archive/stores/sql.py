"""The one place where values become SQL."""

from __future__ import annotations

import re
from collections.abc import Sequence


def quoted(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def is_storable(text: str) -> bool:
    """Whether it is Unicode text: no store holds halves of characters."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def in_list(column: str, values: Sequence[str]) -> str:
    """`column IN (...)`, false for no values."""
    return f"{column} IN ({', '.join(quoted(value) for value in values)})" if values else "false"


def differs(column: str, value: str) -> str:
    """True where the column holds another value or none."""
    return f"({column} IS NULL OR {column} <> {quoted(value)})"


def fault(condition: str) -> str | None:
    """Why a condition of a user's can't stand in parentheses; None if it can.

    The engine passes over what follows a complete condition, so nothing may close the parentheses early.
    """
    depth = 0
    plain = re.sub(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"", "", condition)
    for character in plain:
        depth += (character == "(") - (character == ")")
        if depth < 0:
            return "a closing parenthesis too many"
    if ";" in plain or "--" in plain:
        return "holds ';' or '--', and must be one condition"
    return None if plain.strip() or condition.strip() else "is empty"


def both(*conditions: str | None) -> str | None:
    """All the conditions that are there, None when there are none."""
    given = [f"({condition})" for condition in conditions if condition is not None]
    return " AND ".join(given) or None


def either(*conditions: str | None) -> str | None:
    """Any of the conditions that are there, None when there are none."""
    given = [f"({condition})" for condition in conditions if condition is not None]
    return " OR ".join(given) or None


def unless(condition: str | None) -> str | None:
    """True where the condition is false or not known; None for none."""
    return f"({condition}) IS NOT TRUE" if condition is not None else None
