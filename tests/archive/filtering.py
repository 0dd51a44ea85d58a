"""Filters over plain rows: a naive evaluator with the three values of logic, and random filters to compare it by."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

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
    all_of,
    any_of,
)

Row = Mapping[str, Any]

TEXTS = (
    "it's",
    "a\\",
    '"q"',
    "Größe ß",
    "`x`",
    "1",
    "true",
    "--b;",
    "two\nlines",
    "%_",
    "null",
    "",
    "Lung",
    "lung",
    "İ",
)
NUMBERS = (0, -5, 2**53 + 1, 2**63 - 1, 7, 61)
SIZES = (0.25, -1e-300, float("inf"), 1e22, 7.0, 61.5)
DAYS = (date(2024, 2, 29), date(1999, 12, 31), date(2024, 3, 1))
TIMES = (datetime(2024, 2, 29, tzinfo=UTC), datetime(2024, 2, 29, 12, 30, 1, 5, UTC), datetime(1969, 1, 1, tzinfo=UTC))
FACTS = ("grade:3", "grade:2", "it's:a", "finding:größe")

KINDS = {
    "word": pa.string(),
    "number": pa.int64(),
    "size": pa.float64(),
    "fresh": pa.bool_(),
    "day": pa.date32(),
    "time": pa.timestamp("us", tz="UTC"),
}
OWN: dict[str, tuple[Any, ...]] = {
    "patient_id": TEXTS,
    "organ": TEXTS,
    "word": TEXTS,
    "number": NUMBERS,
    "size": SIZES,
    "fresh": (True, False),
    "day": DAYS,
    "time": TIMES,
    "report_facts": ((), FACTS[:2], FACTS[1:], FACTS[:1]),
}
"""Columns, two of them with an index, and what they may hold besides nothing."""

OPERATORS = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
CALLS = {
    "lower": str.lower,
    "upper": str.upper,
    "length": len,
    "contains": lambda text, part: part in text,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
}


def evaluate(expression: Expression, row: Row) -> Any:
    """The value of an expression for a row; None where it is empty or unknown."""
    match expression:
        case Column(name):
            return row[name]
        case Literal(value):
            return value
        case Call("coalesce", arguments):
            return next((value for one in arguments if (value := evaluate(one, row)) is not None), None)
        case Call(function, arguments):
            values = [evaluate(one, row) for one in arguments]
            return None if None in values else CALLS[function](*values)
        case Comparison(left, operator, right):
            a, b = evaluate(left, row), evaluate(right, row)
            return None if a is None or b is None else OPERATORS[operator](*_alike(a, b))
        case In(operand, values):
            value = evaluate(operand, row)
            return None if value is None else any(a == b for one in values for a, b in [_alike(value, one)])
        case Like(operand, pattern, ignore_case):
            text = evaluate(operand, row)
            return None if text is None else like(text, pattern, ignore_case)
        case HasAny(column, values):
            value = row[column.name]
            return None if value is None else bool(set(value) & set(values))
        case HasPhrase(operand, words):
            text = evaluate(operand, row)
            return None if text is None else has_phrase(text, words)
        case IsNull(operand):
            return evaluate(operand, row) is None
        case IsTrue(operand):
            return evaluate(operand, row) is True
        case And(conditions):
            values = {evaluate(one, row) for one in conditions}
            return False if False in values else None if None in values else True
        case Or(conditions):
            values = {evaluate(one, row) for one in conditions}
            return True if True in values else None if None in values else False
        case Not(condition):
            value = evaluate(condition, row)
            return None if value is None else not value
    raise AssertionError(expression)


def _alike(a: Any, b: Any) -> tuple[Any, Any]:
    if isinstance(a, datetime) == isinstance(b, datetime) or not isinstance(a, date):
        return a, b
    return tuple(
        one if isinstance(one, datetime) else datetime(one.year, one.month, one.day, tzinfo=UTC) for one in (a, b)
    )


def like(text: str, pattern: str, ignore_case: bool) -> bool:
    """Whether a text has a pattern of % and _."""
    pieces, letters = [], iter(pattern)
    for letter in letters:
        if letter == "\\":
            pieces.append(re.escape(next(letters, "\\")))
        else:
            pieces.append({"%": ".*", "_": "."}.get(letter, re.escape(letter)))
    return re.fullmatch("".join(pieces), text, re.DOTALL | (re.IGNORECASE if ignore_case else 0)) is not None


def has_phrase(text: str, words: tuple[str, ...]) -> bool:
    """Whether a text has words one behind the other."""
    at_ends = [r"\b" if re.match(r"[A-Za-z0-9]", letter) else "" for letter in (words[0][0], words[-1][-1])]
    pattern = at_ends[0] + r"[\W_]+".join(re.escape(word) for word in words) + at_ends[1]
    return re.search(pattern, text, re.IGNORECASE) is not None


def values_of(kind: str) -> st.SearchStrategy[Expression]:
    """Columns, literals and calls of one kind."""
    columns = {
        "text": ("organ", "word", "patient_id"),
        "number": ("number", "size"),
        "truth": ("fresh",),
        "date": ("day", "time"),
    }[kind]
    literals = {"text": TEXTS, "number": (*NUMBERS, *SIZES), "truth": (True, False), "date": (*DAYS, *TIMES)}[kind]
    column = st.sampled_from(columns).map(Column)
    literal = st.sampled_from((*literals, None)).map(Literal)
    same = st.one_of(column, column, literal)
    if kind == "date":
        coalesced = st.tuples(st.just(Column("day")), st.sampled_from(DAYS).map(Literal))
    else:
        coalesced = st.tuples(column, literal)
    calls = [same, coalesced.map(lambda pair: Call("coalesce", pair))]
    if kind == "text":
        calls.append(st.builds(Call, st.sampled_from(("lower", "upper")), same.map(lambda one: (one,))))
    if kind == "number":
        calls.append(values_of("text").map(lambda one: Call("length", (one,))))
    return st.one_of(same, *calls)


def _comparisons(kind: str) -> st.SearchStrategy[Expression]:
    return st.builds(Comparison, values_of(kind), st.sampled_from(sorted(OPERATORS)), values_of(kind))


def _lists(kind: str) -> st.SearchStrategy[Expression]:
    values = {"text": TEXTS, "number": (*NUMBERS, *SIZES), "date": (*DAYS, *TIMES)}[kind]
    return st.builds(In, values_of(kind), st.lists(st.sampled_from(values), min_size=1, max_size=3).map(tuple))


PATTERNS = st.lists(st.sampled_from(("%", "_", "l", "L", "'", "ß", "\\\\", "\\%", "ung", "\n")), max_size=4).map(
    "".join
)
SIMPLE = st.one_of(
    *(_comparisons(kind) for kind in ("text", "number", "truth", "date")),
    *(_lists(kind) for kind in ("text", "number", "date")),
    st.builds(Like, values_of("text"), PATTERNS, st.booleans()),
    st.builds(HasAny, st.just(Column("report_facts")), st.lists(st.sampled_from(FACTS), min_size=1).map(tuple)),
    st.builds(HasPhrase, values_of("text"), st.sampled_from((("lung",), ("two", "lines"), ("größe", "ß"), ("b",)))),
    st.sampled_from((*OWN,)).map(lambda name: IsNull(Column(name))),
    st.builds(
        Call, st.sampled_from(("contains", "starts_with", "ends_with")), st.tuples(values_of("text"), values_of("text"))
    ),
    st.sampled_from((Column("fresh"), Literal(True), Literal(False))),
)
FILTERS = st.recursive(
    SIMPLE,
    lambda inner: st.one_of(
        inner.map(Not),
        inner.map(IsTrue),
        inner.map(IsNull),
        st.lists(inner, min_size=2, max_size=3).map(lambda some: all_of(*some)),
        st.lists(inner, min_size=2, max_size=3).map(lambda some: any_of(*some)),
        st.builds(Comparison, inner, st.sampled_from(("=", "<>")), st.one_of(inner, values_of("truth"))),
    ),
    max_leaves=6,
)
"""Conditions over the columns of OWN."""
