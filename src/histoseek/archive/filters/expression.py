"""Filters as expressions over the columns of records.

`str` of an expression is the text that `parse_filter` reads into the same expression. Comparisons with an empty cell
are neither true nor false, as in SQL: a filter keeps what it is true of.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal as Choice

Value = str | int | float | bool | date | datetime | None
Operator = Choice["=", "<>", "<", "<=", ">", ">="]
Function = Choice["lower", "upper", "length", "contains", "starts_with", "ends_with", "coalesce"]

RESERVED = ("and", "or", "not", "in", "is", "like", "ilike", "between", "escape", "null", "true", "false")
"""Words that name a column only in quotes."""


@dataclass(frozen=True, slots=True)
class Expression:
    """Any of the classes below: a condition, or a value that conditions compare."""

    @property
    def parts(self) -> tuple[Expression, ...]:
        """The expressions that it is made of."""
        return ()


@dataclass(frozen=True, slots=True)
class Column(Expression):
    """The value of a column."""

    name: str

    def __str__(self) -> str:
        plain = re.fullmatch(r"[a-z_][a-z0-9_]*", self.name) and self.name not in RESERVED
        return self.name if plain else f"`{self.name}`"


@dataclass(frozen=True, slots=True)
class Literal(Expression):
    """A value that is written out; None is the value of an empty cell. Moments are in UTC unless they say otherwise."""

    value: Value

    def __str__(self) -> str:
        return _write(self.value)


@dataclass(frozen=True, slots=True)
class Call(Expression):
    """A function of values: of texts, or the first value that is not empty (coalesce)."""

    function: Function
    arguments: tuple[Expression, ...]

    @property
    def parts(self) -> tuple[Expression, ...]:
        """The arguments."""
        return self.arguments

    def __str__(self) -> str:
        return f"{self.function}({_list(self.arguments)})"


@dataclass(frozen=True, slots=True)
class Comparison(Expression):
    """Two values compared."""

    left: Expression
    operator: Operator
    right: Expression

    @property
    def parts(self) -> tuple[Expression, ...]:
        """Both values."""
        return self.left, self.right

    def __str__(self) -> str:
        return f"{_operand(self.left)} {self.operator} {_operand(self.right)}"


@dataclass(frozen=True, slots=True)
class In(Expression):
    """A value is one of some, of which none is empty and there is at least one."""

    operand: Expression
    values: tuple[Value, ...]

    @property
    def parts(self) -> tuple[Expression, ...]:
        """What is looked for among the values."""
        return (self.operand,)

    def __str__(self) -> str:
        return f"{_operand(self.operand)} IN ({', '.join(_write(value) for value in self.values)})"


@dataclass(frozen=True, slots=True)
class Like(Expression):
    r"""A text as a whole has a pattern: % is any text, _ any character, \ takes the meaning from what follows it."""

    operand: Expression
    pattern: str
    ignore_case: bool = False

    @property
    def parts(self) -> tuple[Expression, ...]:
        """The text."""
        return (self.operand,)

    def __str__(self) -> str:
        return f"{_operand(self.operand)} {'ILIKE' if self.ignore_case else 'LIKE'} {_write(self.pattern)}"


@dataclass(frozen=True, slots=True)
class IsNull(Expression):
    """A value is empty."""

    operand: Expression

    @property
    def parts(self) -> tuple[Expression, ...]:
        """The value."""
        return (self.operand,)

    def __str__(self) -> str:
        return f"{_operand(self.operand)} IS NULL"


@dataclass(frozen=True, slots=True)
class IsTrue(Expression):
    """A condition is true, not false and not unknown."""

    operand: Expression

    @property
    def parts(self) -> tuple[Expression, ...]:
        """The condition."""
        return (self.operand,)

    def __str__(self) -> str:
        return f"{_operand(self.operand)} IS TRUE"


@dataclass(frozen=True, slots=True)
class HasAny(Expression):
    """A column of lists has any of some texts: what reports state."""

    column: Column
    values: tuple[str, ...]

    @property
    def parts(self) -> tuple[Expression, ...]:
        """The column."""
        return (self.column,)

    def __str__(self) -> str:
        return f"array_has_any({self.column}, [{', '.join(_write(value) for value in self.values)}])"


@dataclass(frozen=True, slots=True)
class HasPhrase(Expression):
    """A text has some words one behind the other, in any case, with any spaces, hyphens and the like between them."""

    operand: Expression
    words: tuple[str, ...]

    @property
    def parts(self) -> tuple[Expression, ...]:
        """The text."""
        return (self.operand,)

    def __str__(self) -> str:
        return f"has_phrase({self.operand}, {_write(' '.join(self.words))})"


@dataclass(frozen=True, slots=True)
class And(Expression):
    """At least two conditions, none of which is an And, are all true."""

    conditions: tuple[Expression, ...]

    @property
    def parts(self) -> tuple[Expression, ...]:
        """The conditions."""
        return self.conditions

    def __str__(self) -> str:
        return " AND ".join(f"({one})" if isinstance(one, Or) else str(one) for one in self.conditions)


@dataclass(frozen=True, slots=True)
class Or(Expression):
    """At least one of two or more conditions, none of which is an Or, is true."""

    conditions: tuple[Expression, ...]

    @property
    def parts(self) -> tuple[Expression, ...]:
        """The conditions."""
        return self.conditions

    def __str__(self) -> str:
        return " OR ".join(str(one) for one in self.conditions)


@dataclass(frozen=True, slots=True)
class Not(Expression):
    """A condition is false."""

    condition: Expression

    @property
    def parts(self) -> tuple[Expression, ...]:
        """The condition."""
        return (self.condition,)

    def __str__(self) -> str:
        return f"NOT {f'({self.condition})' if isinstance(self.condition, And | Or) else self.condition}"


Where = str | Expression | None
"""A filter, or its text; None: all slides. Whatever takes one raises BadFilter."""

HAS_REPORT = Not(IsNull(Column("report")))
NO_REPORT = IsNull(Column("report"))
NO_PATIENT = Or((IsNull(Column("patient_id")), Comparison(Column("patient_id"), "=", Literal(""))))


def compare(column: str, operator: Operator, value: Value) -> Expression:
    """A column compared with a value."""
    return Comparison(Column(column), operator, Literal(value))


def one_of(column: str, values: Iterable[Value]) -> Expression:
    """A column has any of some values; false for none."""
    given = tuple(values)
    return In(Column(column), given) if given else Literal(False)


def all_of(*conditions: Expression | None) -> Expression | None:
    """All the conditions that are there, None when there are none."""
    return _join(And, conditions)


def any_of(*conditions: Expression | None) -> Expression | None:
    """Any of the conditions that are there, None when there are none."""
    return _join(Or, conditions)


def not_true(condition: Expression | None) -> Expression | None:
    """The condition is false or unknown; None for none."""
    return Not(IsTrue(condition)) if condition is not None else None


def walk(expression: Expression) -> Iterator[Expression]:
    """An expression and all that it is made of."""
    left = [expression]
    while left:
        one = left.pop()
        yield one
        left += reversed(one.parts)


def _join(kind: type[And] | type[Or], conditions: Sequence[Expression | None]) -> Expression | None:
    given: list[Expression] = []
    for condition in conditions:
        if condition is not None:
            given += condition.parts if isinstance(condition, kind) else (condition,)
    return kind(tuple(given)) if len(given) > 1 else next(iter(given), None)


def _operand(expression: Expression) -> str:
    return (
        str(expression) if isinstance(expression, Column | Literal | Call | HasAny | HasPhrase) else f"({expression})"
    )


def _list(expressions: Sequence[Expression]) -> str:
    return ", ".join(str(one) for one in expressions)


def _write(value: Value) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else f"cast('{value}' as double)"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return f"{'timestamp' if isinstance(value, datetime) else 'date'} '{value.isoformat()}'"
