"""Filters in the engine's SQL: the one place where expressions and values become text for it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime

from histoseek.archive.filters.column_types import Types, is_whole, kind_of
from histoseek.archive.filters.expression import (
    And,
    Call,
    Column,
    Comparison,
    Expression,
    HasAny,
    HasPhrase,
    In,
    IsNull,
    IsTrue,
    Like,
    Literal,
    Not,
    Or,
    Value,
)

_ASCII = re.compile(r"[A-Za-z0-9]")
_LEAST_INTEGER = -(2**63)
_MOST_IN_PATTERN = 60
"""Words of a phrase that are looked for by a pattern; the engine makes none that is much longer."""


def to_sql(expression: Expression, types: Types) -> str:
    """A filter, checked before, that the engine takes; types: of all columns."""
    return _Writer(types).write(expression)


def quote(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


class _Writer:
    """Writes expressions over columns of these types."""

    def __init__(self, types: Types) -> None:
        self._types = types
        self._equated: set[str] = set()

    def write(self, expression: Expression) -> str:  # noqa: PLR0911
        """Any expression."""
        match expression:
            case Column(name):
                return f"`{name}`"
            case Literal(value):
                return _literal(value)
            case Call(function, arguments):
                return f"{function}({', '.join(self._alike(arguments))})"
            case Comparison(left, operator, right):
                one, two = self._alike((left, right))
                return f"{self._apart(one) if operator in ('=', '<>') else one} {operator} {two}"
            case In(operand, values):
                return self._in(operand, values)
            case Like(operand, pattern, ignore_case):
                return f"{self._close(operand)} {'ILIKE' if ignore_case else 'LIKE'} {quote(pattern)}"
            case HasAny(column, values):
                return f"array_has_any({self.write(column)}, [{', '.join(quote(value) for value in values)}])"
            case HasPhrase(operand, words):
                return _phrase(self.write(operand), words)
            case IsNull(operand):
                return f"{self._close(operand)} IS NULL"
            case IsTrue(operand):
                return f"{self._close(operand)} IS TRUE"
            case And(conditions) | Or(conditions):
                return self._join(conditions, "AND" if isinstance(expression, And) else "OR")
            case Not(condition):
                return f"NOT {self._close(condition)}"
        raise TypeError(f"no filter: {expression!r}")

    def _in(self, operand: Expression, values: Sequence[Value]) -> str:
        known = [value for value in values if not _is_nan(value)]
        one, *given = self._alike((operand, *(Literal(value) for value in known)))
        listed = f"{self._apart(one)} IN ({', '.join(given)})" if given else "false"
        # Two that are no numbers may differ in their sign, and then the engine calls them different.
        return f"({listed} OR isnan({one}))" if len(known) < len(values) else listed

    def _apart(self, operand: str) -> str:
        """What is compared, where it was compared before in another look: the engine joins lists of one operand, and
        then takes `x IN (1) AND x IN (2)` to be false where x is empty, which a NOT around it makes true."""
        seen = "`" in operand and operand in self._equated
        self._equated.add(operand)
        return f"nullif({operand}, NULL)" if seen else operand

    def _join(self, conditions: Sequence[Expression], word: str) -> str:
        """Halved again and again: the engine works by recursion, and ends where its stack does."""
        if len(conditions) == 1:
            return self._close(conditions[0])
        half = len(conditions) // 2
        halves = (self._join(some, word) for some in (conditions[:half], conditions[half:]))
        return "(" + f" {word} ".join(halves) + ")"

    def _close(self, expression: Expression) -> str:
        """In parentheses, where it needs some."""
        text = self.write(expression)
        closed = isinstance(expression, Column | Literal | Call | HasAny | HasPhrase | And | Or)
        return text if closed else f"({text})"

    def _alike(self, values: Sequence[Expression]) -> list[str]:
        """Values of one type, which the engine wants where it compares."""
        kinds = {kind_of(value, self._types) for value in values}
        if "time" in kinds and "date" in kinds:
            return [self._as_time(value) for value in values]
        if kinds & {"number"} and not all(is_whole(value, self._types) for value in values):
            return [self._as_double(value) for value in values]
        return [self._close(value) for value in values]

    def _as_double(self, value: Expression) -> str:
        if isinstance(value, Literal) and value.value is not None:
            return _literal(float(value.value))  # type: ignore[arg-type]
        return f"cast({self.write(value)} as double)" if is_whole(value, self._types) else self._close(value)

    def _as_time(self, value: Expression) -> str:
        if isinstance(value, Literal) and type(value.value) is date:
            return _literal(datetime(*value.value.timetuple()[:3], tzinfo=UTC))
        is_date = kind_of(value, self._types) == "date"
        return f"cast({self.write(value)} as timestamp)" if is_date else self._close(value)


def _literal(value: Value) -> str:  # noqa: PLR0911
    """A value; numbers that SQL has no sign for by their names."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else f"cast('{value}' as double)"
    if isinstance(value, int):
        # The engine reads the sign on its own, and 2^63 is no integer to it.
        return str(value) if value > _LEAST_INTEGER else f"cast('{value}' as bigint)"
    if isinstance(value, datetime):
        utc = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        return f"cast('{utc.isoformat()}' as timestamp)"
    if isinstance(value, date):
        return f"cast('{value.isoformat()}' as date)"
    return quote(value)


def _is_nan(value: Value) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _phrase(text: str, words: Sequence[str]) -> str:
    """A pattern of words in any case, at the ends of words that have such."""
    if len(words) > _MOST_IN_PATTERN:
        plain = rf"regexp_replace(concat(' ', lower({text}), ' '), '[\W_]+', ' ', 'g')"
        return f"contains({plain}, lower({quote(f' {chr(32).join(words)} ')}))"
    first, last = (r"\b" if _ASCII.match(letter) else "" for letter in (words[0][0], words[-1][-1]))
    pattern = "(?i)" + first + r"[\W_]+".join(words) + last
    return f"regexp_like({text}, {quote(pattern)})"
