"""What the values of a filter are, and whether they can be compared: the same for every store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Literal as Choice

import pyarrow as pa

from histoseek.archive.filters.expression import (
    Call,
    Column,
    Comparison,
    Expression,
    HasAny,
    HasPhrase,
    In,
    IsNull,
    Like,
    Literal,
    Value,
)
from histoseek.errors import BadFilter

Kind = Choice["text", "number", "truth", "date", "time", "texts", "other", "nothing"]

_NAMES: dict[Kind, str] = {
    "text": "text",
    "number": "a number",
    "truth": "true or false",
    "date": "a date",
    "time": "a time",
    "texts": "a list of texts",
    "other": "a vector",
    "nothing": "nothing",
}
_DIFFERENT = "compares values of different types"

Types = Mapping[str, pa.DataType]


def check_filter(expression: Expression, types: Types, named: Sequence[str]) -> None:
    """Raise BadFilter where a condition names columns that are not there, or compares what can't be compared.

    types: of all columns; named: the columns that the error tells of.
    """
    try:
        _require(expression, types, "truth")
        if expression == Literal(None):
            raise _Fault("is no condition")
    except _Fault as fault:
        raise BadFilter(str(expression), str(fault), named) from None


def kind_of(expression: Expression, types: Types) -> Kind:
    """What an expression gives, in a filter that was checked."""
    if isinstance(expression, Column):
        return _kind_of_type(types[expression.name])
    if isinstance(expression, Literal):
        return _kind_of_value(expression.value)
    if isinstance(expression, Call):
        return _kind_of_call(expression, types)
    return "truth"


def is_whole(expression: Expression, types: Types) -> bool:
    """Whether an expression gives 64-bit whole numbers."""
    if isinstance(expression, Column):
        return bool(pa.types.is_integer(types[expression.name]))
    if isinstance(expression, Literal):
        return isinstance(expression.value, int) and abs(expression.value) < 2**63
    if isinstance(expression, Call) and expression.function == "coalesce":
        return all(is_whole(one, types) for one in expression.arguments)
    return isinstance(expression, Call)


class _Fault(Exception):
    """Why a filter does not fit the columns."""


def _check(expression: Expression, types: Types) -> Kind:
    """The kind of an expression whose parts fit together."""
    if isinstance(expression, Column):
        if expression.name not in types:
            raise _Fault(f"there is no column {expression.name}")
    elif isinstance(expression, Call):
        _check_call(expression, types)
    elif isinstance(expression, Comparison):
        _require_alike(expression, _check(expression.left, types), _check(expression.right, types))
    elif isinstance(expression, In):
        kind = _check(expression.operand, types)
        for value in expression.values:
            _require_alike(expression, kind, _kind_of_value(value))
    elif isinstance(expression, HasAny):
        _require(expression.column, types, "texts")
    elif isinstance(expression, Like | HasPhrase):
        _require(expression.operand, types, "text")
    elif isinstance(expression, IsNull):
        _check(expression.operand, types)
    elif not isinstance(expression, Literal):
        for part in expression.parts:
            _require(part, types, "truth")
    return kind_of(expression, types)


def _check_call(call: Call, types: Types) -> None:
    wanted = {"coalesce": None, "lower": 1, "upper": 1, "length": 1}.get(call.function, 2)
    if wanted is not None and len(call.arguments) != wanted:
        raise _Fault(f"calls {call.function} with {len(call.arguments)} values, not {wanted}")
    if call.function != "coalesce":
        for argument in call.arguments:
            _require(argument, types, "text")
        return
    kinds = {_check(argument, types) for argument in call.arguments} - {"nothing"}
    if len(kinds) > 1 or kinds & {"other", "texts"}:
        raise _Fault(f"{_DIFFERENT}: {call}")


def _require(expression: Expression, types: Types, wanted: Kind) -> None:
    kind = _check(expression, types)
    if kind not in (wanted, "nothing"):
        name = "a condition" if wanted == "truth" else _NAMES[wanted]
        raise _Fault(f"{_DIFFERENT}: {expression} is {_NAMES[kind]} where {name} should be")


def _require_alike(expression: Expression, left: Kind, right: Kind) -> None:
    kinds = {left, right} - {"nothing"}
    if kinds & {"texts", "other"}:
        raise _Fault(f"compares lists or vectors: {expression}")
    if len(kinds) > 1 and kinds != {"date", "time"}:
        raise _Fault(f"{_DIFFERENT}: {expression} compares {_NAMES[left]} with {_NAMES[right]}")


def _kind_of_type(kind: pa.DataType) -> Kind:
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "text"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return "number"
    if pa.types.is_boolean(kind):
        return "truth"
    if pa.types.is_date(kind):
        return "date"
    if pa.types.is_timestamp(kind):
        return "time"
    return "texts" if pa.types.is_list(kind) and pa.types.is_string(kind.value_type) else "other"


def _kind_of_value(value: Value) -> Kind:
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return "text"
    if isinstance(value, bool):
        return "truth"
    if isinstance(value, int | float):
        return "number"
    return "time" if isinstance(value, datetime) else "date" if isinstance(value, date) else "other"


def _kind_of_call(call: Call, types: Types) -> Kind:
    if call.function in ("lower", "upper"):
        return "text"
    if call.function == "length":
        return "number"
    if call.function == "coalesce":
        return next((kind for one in call.arguments if (kind := kind_of(one, types)) != "nothing"), "nothing")
    return "truth"
