"""What a filter from the network may say: a small filter over columns that anybody may see."""

from __future__ import annotations

from histoseek.archive.filters.expression import And, Column, Expression, HasPhrase, Like, Literal, Or, walk
from histoseek.archive.filters.parser import parse_filter
from histoseek.archive.schema import RECORD_COLUMNS, VECTOR_COLUMNS
from histoseek.errors import BadFilter

MOST_CHARACTERS = 2000
MOST_NESTED = 10
MOST_CONDITIONS = 64
"""Comparisons, functions and words that join them."""

MOST_WILDCARDS = 20
"""Signs % of all texts: each is another loop over every character of every report."""

PRIVATE_COLUMNS = ("uri", "file_fingerprint", *VECTOR_COLUMNS)
"""Where files lie, and what is derived from slides and reports."""

PUBLIC_COLUMNS = tuple(name for name in RECORD_COLUMNS if name not in PRIVATE_COLUMNS)


def parse_public_filter(where: str) -> Expression:
    """A filter, if it may come from anybody: short, shallow, and over no private column, in whatever spelling.

    Whether columns are there, and types fit, is for the store to say. Raises BadFilter.
    """
    if len(where) > MOST_CHARACTERS:
        raise BadFilter(where, f"is longer than {MOST_CHARACTERS:,} characters", PUBLIC_COLUMNS)
    expression = parse_filter(where, PUBLIC_COLUMNS, MOST_NESTED)
    fault = _find_fault(expression)
    if fault is not None:
        raise BadFilter(where, fault, PUBLIC_COLUMNS)
    return expression


def _find_fault(expression: Expression) -> str | None:
    parts = list(walk(expression))
    names = [part.name.lower() for part in parts if isinstance(part, Column)]
    private = next((name for name in names if name in PRIVATE_COLUMNS or name.startswith("_")), None)
    if private is not None:
        return f"names {private}, which is not public"
    if sum(_count_conditions(part) for part in parts) > MOST_CONDITIONS:
        return "has too many conditions"
    if sum(_count_wildcards(part) for part in parts) > MOST_WILDCARDS:
        return f"has more than {MOST_WILDCARDS} signs %"
    return None


def _count_conditions(expression: Expression) -> int:
    """How many conditions and words that join them; those of a value that is compared count with what compares it."""
    if isinstance(expression, And | Or):
        return len(expression.conditions) - 1
    return 0 if isinstance(expression, Column | Literal) else 1


def _count_wildcards(expression: Expression) -> int:
    if isinstance(expression, Like):
        return expression.pattern.count("%")
    return 1 if isinstance(expression, HasPhrase) else 0
