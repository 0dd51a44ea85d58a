"""The one place where values become SQL."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import date, datetime

_LEAST_INTEGER = -(2**63)


def quoted(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def literal(value: str | int | float | date) -> str:
    """A value as an SQL literal; see `equals`."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else f"cast('{value}' as double)"
    if isinstance(value, int):
        # The engine reads the sign on its own, and 2^63 is no integer to it.
        return str(value) if value > _LEAST_INTEGER else f"cast('{value}' as bigint)"
    if isinstance(value, date):
        return f"cast('{value.isoformat()}' as {'timestamp' if isinstance(value, datetime) else 'date'})"
    return quoted(value)


def equals(column: str, values: Sequence[str | int | float | date]) -> str | None:
    """True where a column holds one of some values of its type; None for no values."""
    known = [value for value in values if not _is_nan(value)]
    listed = f"`{column}` IN ({', '.join(map(literal, known))})" if known else None
    # Two that are no numbers may differ in their sign, and then the engine calls them different.
    return either(listed, f"isnan(`{column}`)" if len(known) < len(values) else None)


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


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
