"""Conditions as they are typed: field:value, and numbers and dates compared with bounds."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pyarrow as pa

from histoseek.archive.filters.expression import Expression, Operator, all_of, compare
from histoseek.archive.schema import cast_value, extra_column_name, field_columns
from histoseek.archive.stores.slides import SlideTable
from histoseek.errors import HistoseekError
from histoseek.search.scope.fields import FieldFilter
from histoseek.search.understanding.readings import Reading
from histoseek.search.understanding.values import get_values

CONDITION = re.compile(
    r"(?P<field>[^\W\d]\w{0,62})(?P<sign>:|<=|>=|=|<|>|≤|≥)(?:\"(?P<quoted>[^\"]{1,200})\"|(?P<value>(?!//)[^\s\"]{1,200}))"
)
_BETWEEN = re.compile(
    r"(?P<least>\d[\d.]*|\d{4}-\d\d-\d\d)\.{2,3}(?P<most>\d[\d.]*|\d{4}-\d\d-\d\d)|(\d+)[-\u2013](\d+)"
)
_SIGNS: Mapping[str, Operator] = {":": "=", "=": "=", "<": "<", ">": ">", "<=": "<=", ">=": ">=", "≤": "<=", "≥": ">="}


def read_condition(store: SlideTable, written: re.Match[str]) -> tuple[Reading, ...]:
    """What a condition may mean, the likeliest first; nothing where the archive has no such field or value."""
    types, field = store.metadata_types(), written["field"].lower()
    field = field if field in types else extra_column_name(field)
    sign, value = _SIGNS[written["sign"]], (written["quoted"] or written["value"]).rstrip(",;")
    if sign == "=":
        found = get_values(store).find(value, field)
        if found:
            filters = [(facet, FieldFilter(facet.source, field, (facet.value,))) for facet in found]
            return tuple(Reading("value", facet.value, facet.count, chosen) for facet, chosen in filters)
    if field not in field_columns(types) or not value:
        return ()
    try:
        expression = _make_comparison(field, sign, value, types[field])
        slides = store.count(expression)
    except HistoseekError:
        return ()
    text = f"{field} {sign} {value}"
    return (Reading("condition", text, slides, where=str(expression)),) if expression is not None else ()


def _make_comparison(field: str, sign: Operator, value: str, kind: pa.DataType) -> Expression | None:
    between = _BETWEEN.fullmatch(value) if sign == "=" and not pa.types.is_string(kind) else None
    if between:
        least, most = (one for one in between.groups() if one)
        lower, upper = cast_value(field, least, kind), cast_value(field, most, kind)
        return all_of(compare(field, ">=", lower), compare(field, "<=", upper))
    return compare(field, sign, cast_value(field, value, kind))
