"""Filters in PostgreSQL's SQL: the one place where expressions become text for it; values become parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from psycopg.sql import SQL, Composable, Identifier, Placeholder

from histoseek.archive.filters.column_types import Kind, Types, is_whole, kind_of
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
from histoseek.archive.stores.postgres.columns import name_column, pack_text
from histoseek.archive.stores.postgres.patterns import close_like, make_like_pattern, make_phrase_pattern

_TYPES: dict[Kind, str] = {
    "text": "text",
    "number": "double precision",
    "truth": "boolean",
    "date": "date",
    "time": "timestamptz",
}


@dataclass(frozen=True, slots=True)
class Condition:
    """A filter; values: its parameters by name."""

    sql: Composable
    values: dict[str, object]


def write_condition(expression: Expression, types: Types, case_collation: str) -> Condition:
    """A filter, checked before; types: of all columns; case_collation: that knows all letters' cases."""
    writer = _Writer(types, case_collation)
    return Condition(writer.write(expression, "truth"), writer.values)


class _Writer:
    """Writes expressions over columns of these types."""

    def __init__(self, types: Types, case_collation: str) -> None:
        self._types = types
        self._case = Identifier(case_collation)
        self.values: dict[str, object] = {}

    def write(self, expression: Expression, wanted: Kind) -> Composable:  # noqa: PLR0911, PLR0912
        """Any expression; wanted: what an empty value is empty of."""
        match expression:
            case Column(name):
                return Identifier(name_column(name))
            case Literal(value):
                return self._literal(value, wanted)
            case Call(function, arguments):
                return self._call(function, arguments, wanted)
            case Comparison(left, operator, right):
                one, two = self._alike((left, right))
                return SQL("({} {} {})").format(one, SQL(operator), two)
            case In(operand, values):
                return self._in(operand, values)
            case Like(operand, pattern, ignore_case):
                text = self.write(operand, "text")
                if ignore_case:
                    return self._matches(text, make_like_pattern(pack_text(pattern)))
                return SQL("({} LIKE {}::text)").format(text, self._value(pack_text(close_like(pattern))))
            case HasAny(column, values):
                texts = self._value([pack_text(value) for value in values])
                return SQL("({} && {}::text[])").format(self.write(column, "texts"), texts)
            case HasPhrase(operand, words):
                return self._matches(self.write(operand, "text"), make_phrase_pattern(words))
            case IsNull(operand):
                return SQL("({} IS NULL)").format(self.write(operand, "truth"))
            case IsTrue(operand):
                return SQL("({} IS TRUE)").format(self.write(operand, "truth"))
            case And(conditions) | Or(conditions):
                word = SQL(" AND " if isinstance(expression, And) else " OR ")
                return SQL("({})").format(word.join(self.write(one, "truth") for one in conditions))
            case Not(condition):
                return SQL("(NOT {})").format(self.write(condition, "truth"))
        raise TypeError(f"no filter: {expression!r}")

    def _call(self, function: str, arguments: Sequence[Expression], wanted: Kind) -> Composable:
        if function == "coalesce":
            return SQL("coalesce({})").format(SQL(", ").join(self._alike(arguments, wanted)))
        texts = [self.write(one, "text") for one in arguments]
        if function in ("lower", "upper"):
            return SQL('({}({} COLLATE {}) COLLATE "C")').format(SQL(_plain(function)), texts[0], self._case)
        patterns = {
            "length": "char_length({})::bigint",
            "contains": "(strpos({}, {}) > 0)",
            "starts_with": "starts_with({}, {})",
            "ends_with": "(right({0}, char_length({1})) = {1})",
        }
        return SQL(patterns[function]).format(*texts)

    def _in(self, operand: Expression, values: Sequence[Value]) -> Composable:
        """By one parameter, however many values there are."""
        kind = kind_of(operand, self._types)
        kinds = {kind, *(kind_of(Literal(value), self._types) for value in values)} - {"nothing"}
        listed: list[object]
        if "time" in kinds:
            listed, name = [_as_moment(value) for value in values], "timestamptz"
            one = self._as_time(operand)
        elif "number" in kinds:
            whole = all(is_whole(one, self._types) for one in (operand, *map(Literal, values)))
            listed, name = list(values) if whole else [_as_float(value) for value in values], "bigint"
            name = name if whole else "double precision"
            one = self._as_double(operand) if not whole else self.write(operand, "number")
        else:
            listed = [pack_text(value) if isinstance(value, str) else value for value in values]
            name = _TYPES[next(iter(kinds))]
            one = self.write(operand, next(iter(kinds)))
        return SQL("({} = ANY({}::{}[]))").format(one, self._value(listed), SQL(_plain(name)))

    def _alike(self, values: Sequence[Expression], wanted: Kind = "nothing") -> list[Composable]:
        """Values of one type."""
        kinds = {kind_of(value, self._types) for value in values} - {"nothing"}
        if "time" in kinds and "date" in kinds:
            return [self._as_time(value) for value in values]
        if kinds & {"number"} and not all(is_whole(value, self._types) for value in values):
            return [self._as_double(value) for value in values]
        kind = next(iter(kinds), wanted if wanted != "nothing" else "text")
        return [self.write(value, kind) for value in values]

    def _as_double(self, value: Expression) -> Composable:
        return SQL("({})::double precision").format(self.write(value, "number"))

    def _as_time(self, value: Expression) -> Composable:
        written = self.write(value, "time")
        if kind_of(value, self._types) != "date":
            return written
        return SQL("({}::timestamp AT TIME ZONE 'UTC')").format(written)

    def _matches(self, text: Composable, pattern: str) -> Composable:
        return SQL('({} COLLATE "C" ~ {}::text)').format(text, self._value(f"***:{pattern}"))

    def _literal(self, value: Value, wanted: Kind) -> Composable:  # noqa: PLR0911
        if value is None:
            return SQL("NULL::{}").format(SQL(_plain(_TYPES.get(wanted, "text"))))
        if isinstance(value, bool):
            return SQL("true" if value else "false")
        if isinstance(value, str):
            return SQL('({}::text COLLATE "C")').format(self._value(pack_text(value)))
        if isinstance(value, int) and abs(value) < 2**63:
            return SQL("{}::bigint").format(self._value(value))
        if isinstance(value, int | float):
            return SQL("{}::double precision").format(self._value(_as_float(value)))
        if isinstance(value, datetime):
            return SQL("{}::timestamptz").format(self._value(_as_moment(value)))
        return SQL("{}::date").format(self._value(value))

    def _value(self, value: object) -> Composable:
        name = f"where_{len(self.values)}"
        self.values[name] = value
        return Placeholder(name)


def _plain(word: str) -> str:
    """One of the words of this module."""
    return word


def _as_float(value: Value) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except OverflowError:
        return math.inf if value > 0 else -math.inf  # type: ignore[operator]


def _as_moment(value: Value) -> datetime:
    """A date or a time in UTC."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    assert isinstance(value, date)
    return datetime(value.year, value.month, value.day, tzinfo=UTC)
