"""Filters in the server's expressions, as far as these go: it knows no empty values, so each is said to be there.

A condition is written twice, what it is true of and what it is false of: neither is the other's opposite where
it is unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import pyarrow as pa

from histoseek.archive.filters.column_types import kind_of
from histoseek.archive.filters.expression import (
    And,
    Column,
    Comparison,
    Expression,
    HasAny,
    In,
    IsNull,
    IsTrue,
    Literal,
    Not,
    Operator,
    Or,
    Value,
    all_of,
)
from histoseek.archive.remote.milvus.collections import quote
from histoseek.archive.stores.milvus.values import PRESENT, is_small, small_key

ALL, NONE = "key > 0", "key < 0"
"""Expressions of all rows and of no row."""

_MOST_VALUES = 5000
_MOST_LETTERS = 500_000

_SIGNS: dict[Operator, str] = {"=": "==", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_OPPOSITE: dict[Operator, Operator] = {"=": "<>", "<>": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_TURNED: dict[Operator, Operator] = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


class _Unsaid(Exception):
    """The server can't say it."""


@dataclass(frozen=True, slots=True)
class ServerFilter:
    """A filter in two parts, both to be true: the server's expression, and what it can't say, None for nothing."""

    expression: str
    rest: Expression | None


def to_expression(where: Expression | None, schema: pa.Schema, odd: Sequence[str]) -> ServerFilter:
    """A filter, checked before; odd: columns with values that the server does not see."""
    if where is None:
        return ServerFilter(ALL, None)
    writer = _Writer(schema, frozenset(odd))
    said: list[str] = []
    unsaid: list[Expression] = []
    for condition in where.conditions if isinstance(where, And) else (where,):
        try:
            said.append(writer.write_true(condition))
        except _Unsaid:
            unsaid.append(condition)
    text = " and ".join(f"({one})" for one in said)
    if len(text) > _MOST_LETTERS:
        return ServerFilter(ALL, where)
    return ServerFilter(text or ALL, all_of(*unsaid))


class _Writer:
    """Writes conditions over the columns of a schema."""

    def __init__(self, schema: pa.Schema, odd: frozenset[str]) -> None:
        self._schema = schema
        self._types = {column.name: column.type for column in schema}
        self._odd = odd

    def write_true(self, condition: Expression) -> str:
        """What a condition is true of."""
        return self._write(condition, True)

    def _write(self, condition: Expression, truth: bool) -> str:  # noqa: PLR0911
        match condition:
            case Literal(value):
                return ALL if value is truth else NONE
            case Column():
                return f"{self._name(condition)} == {str(truth).lower()}"
            case Comparison(left, operator, right):
                return self._compare(left, operator, right, truth)
            case In(operand, values):
                return self._in(operand, values, truth)
            case HasAny(column, values):
                name = self._name(column)
                found = f"json_contains_any({name}, [{', '.join(map(quote, values))}])" if values else NONE
                return found if truth else f"(exists {name}) and not ({found})"
            case IsNull(operand):
                return self._is_null(operand, truth)
            case IsTrue(operand):
                found = self._write(operand, True)
                return found if truth else f"not ({found})"
            case Not(operand):
                return self._write(operand, not truth)
            case And(conditions) | Or(conditions):
                word = " and " if isinstance(condition, And) == truth else " or "
                return word.join(f"({self._write(one, truth)})" for one in conditions)
        raise _Unsaid

    def _compare(self, left: Expression, operator: Operator, right: Expression, truth: bool) -> str:
        if isinstance(left, Literal):
            left, operator, right = right, _TURNED[operator], left
        if not isinstance(left, Column) or not isinstance(right, Literal):
            raise _Unsaid
        if right.value is None:
            return NONE
        name, value = self._name(left), self._value(left, right.value)
        operator = operator if truth else _OPPOSITE[operator]
        there = f"(exists {name}) and " if operator == "<>" and left.name != "slide_id" else ""
        return f"{there}{name} {_SIGNS[operator]} {value}"

    def _in(self, operand: Expression, values: Sequence[Value], truth: bool) -> str:
        if not isinstance(operand, Column) or len(values) > _MOST_VALUES:
            raise _Unsaid
        name = self._name(operand)
        found = f"{name} in [{', '.join(self._value(operand, value) for value in values)}]"
        if truth:
            return found
        return f"not ({found})" if operand.name == "slide_id" else f"(exists {name}) and not ({found})"

    def _is_null(self, operand: Expression, truth: bool) -> str:
        if not isinstance(operand, Column):
            raise _Unsaid
        if operand.name == "slide_id":
            return NONE if truth else ALL
        if is_small(operand.name, self._types[operand.name]):
            there = f"(exists {self._name(operand)})"
        else:
            number = self._schema.get_field_index(operand.name)
            there = f'json_contains($meta["{PRESENT}"], {number})'
        return f"not ({there})" if truth else there

    def _name(self, column: Column) -> str:
        """Where the server finds a column's values."""
        name = column.name
        if name == "slide_id":
            return name
        plain = name.replace("_", "a").isalnum() and name.isascii()
        if name in self._odd or not plain or not is_small(name, self._types[name]):
            raise _Unsaid
        return f'$meta["{small_key(name)}"]'

    def _value(self, column: Column, value: Value) -> str:
        """A value as the column's are kept; what would have to be changed for that is left to others."""
        kind, given = self._types[column.name], kind_of(Literal(value), {})
        if given == "text" and kind_of(column, self._types) == "text":
            return quote(str(value))
        if given == "truth" and pa.types.is_boolean(kind):
            return str(value).lower()
        if pa.types.is_integer(kind) and type(value) is int and abs(value) < 2**63:
            return str(value)
        if pa.types.is_date32(kind) and type(value) is date:
            return str((value - date(1970, 1, 1)).days)
        if pa.types.is_timestamp(kind) and kind.unit == "us" and isinstance(value, datetime):
            moment = value if value.tzinfo else value.replace(tzinfo=UTC)
            since = moment - datetime(1970, 1, 1, tzinfo=UTC)
            return str((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds)
        raise _Unsaid
