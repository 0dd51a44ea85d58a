"""Filters over rows of plain values, for what an engine cannot say itself: naive and exact."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

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
    walk,
)

_Row = Mapping[str, Any]

_ASCII = re.compile(r"[A-Za-z0-9]")

_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": lambda one, two: bool(one == two),
    "<>": lambda one, two: bool(one != two),
    "<": lambda one, two: bool(one < two),
    "<=": lambda one, two: bool(one <= two),
    ">": lambda one, two: bool(one > two),
    ">=": lambda one, two: bool(one >= two),
}
_CALLS: Mapping[str, Callable[..., Any]] = {
    "lower": str.lower,
    "upper": str.upper,
    "length": len,
    "contains": lambda text, part: part in text,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
}


def list_columns(where: Expression) -> tuple[str, ...]:
    """The columns that a filter reads, each once."""
    return tuple(dict.fromkeys(one.name for one in walk(where) if isinstance(one, Column)))


def find_matching(where: Expression, rows: pa.Table) -> NDArray[np.bool_]:
    """Which rows a filter, checked before, is true of; rows: has all columns that it reads."""
    names = list_columns(where)
    if not names:
        return np.full(rows.num_rows, _value(where, {}) is True)
    columns = (rows[name].to_pylist() for name in names)
    found = (_value(where, dict(zip(names, row, strict=True))) is True for row in zip(*columns, strict=True))
    return np.fromiter(found, np.bool_, rows.num_rows)


def _value(expression: Expression, row: _Row) -> Any:  # noqa: PLR0911
    """Of an expression for a row; None where it is empty or unknown."""
    match expression:
        case Column(name):
            return row[name]
        case Literal(value):
            return value
        case Call(function, arguments):
            return _call(function, [_value(one, row) for one in arguments])
        case Comparison(left, operator, right):
            one, two = _value(left, row), _value(right, row)
            return None if one is None or two is None else _compare(one, operator, two)
        case In(operand, values):
            return _is_among(_value(operand, row), values)
        case Like(operand, pattern, ignore_case):
            text = _value(operand, row)
            return None if text is None else _like(pattern, ignore_case).fullmatch(text) is not None
        case HasAny(column, values):
            stated = row[column.name]
            return None if stated is None else not set(values).isdisjoint(stated)
        case HasPhrase(operand, words):
            text = _value(operand, row)
            return None if text is None else _phrase(words).search(text) is not None
        case IsNull(operand):
            return _value(operand, row) is None
        case IsTrue(condition):
            return _value(condition, row) is True
        case _:
            return _join(expression, row)


def _join(expression: Expression, row: _Row) -> bool | None:
    match expression:
        case Not(condition):
            value = _value(condition, row)
            return None if value is None else not value
        case And(conditions) | Or(conditions):
            decisive, known = isinstance(expression, Or), True
            for condition in conditions:
                value = _value(condition, row)
                if value is decisive:
                    return decisive
                known = known and value is not None
            return not decisive if known else None
    raise TypeError(f"no filter: {expression!r}")


def _call(function: str, values: list[Any]) -> Any:
    if function == "coalesce":
        return next((value for value in values if value is not None), None)
    return None if None in values else _CALLS[function](*values)


def _is_among(value: Any, values: tuple[Any, ...]) -> bool | None:
    if value is None:
        return None
    return any(_compare(value, "=", one) for one in values) if _is_odd(value) else value in _group(values)


def _is_odd(value: Any) -> bool:
    """Whether it equals what is not the same to Python."""
    return isinstance(value, date | float)


@lru_cache(32)
def _group(values: tuple[Any, ...]) -> frozenset[Any]:
    return frozenset(values)


def _compare(one: Any, operator: str, two: Any) -> bool:
    """Of numbers, one that is none is greater than all others and equal to itself, as in the embedded engine."""
    if isinstance(one, float) or isinstance(two, float):
        one, two = _order(float(one)), _order(float(two))
    if isinstance(one, datetime) != isinstance(two, datetime):
        one, two = _as_time(one), _as_time(two)
    elif isinstance(one, datetime):
        one, two = _in_utc(one), _in_utc(two)
    return _OPERATORS[operator](one, two)


def _order(number: float) -> tuple[bool, float]:
    return (True, 0.0) if math.isnan(number) else (False, number)


def _as_time(day: date) -> datetime:
    return _in_utc(day) if isinstance(day, datetime) else datetime(day.year, day.month, day.day, tzinfo=UTC)


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


@lru_cache(64)
def _like(pattern: str, ignore_case: bool) -> re.Pattern[str]:
    pieces, letters = [], iter(pattern)
    for letter in letters:
        if letter == "\\":
            pieces.append(re.escape(next(letters, "\\")))
        else:
            pieces.append({"%": ".*", "_": "."}.get(letter) or re.escape(letter))
    return re.compile("".join(pieces), re.DOTALL | (re.IGNORECASE if ignore_case else re.NOFLAG))


@lru_cache(64)
def _phrase(words: tuple[str, ...]) -> re.Pattern[str]:
    first, last = (r"\b" if _ASCII.match(letter) else "" for letter in (words[0][0], words[-1][-1]))
    return re.compile(first + r"[\W_]+".join(map(re.escape, words)) + last, re.IGNORECASE)
