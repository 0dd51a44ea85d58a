"""Filters by field and value or range, as people choose them from counted values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import pyarrow as pa

from histoseek.archive.filters.expression import Column, Expression, HasAny, IsNull, all_of, any_of, one_of
from histoseek.archive.schema import MetadataValue, cast_value, field_columns, is_storable
from histoseek.archive.stores.slides import SlideTable
from histoseek.arguments import describe, settle_fields
from histoseek.errors import InputError
from histoseek.reports.index.query import is_fact_field
from histoseek.search.scope.names import match_names
from histoseek.search.scope.ranges import MOMENTS, make_range

MOST_NAMES = 50
"""Texts that names are looked through for at once: each is looked for in all names of the archive."""

Key = tuple[Literal["metadata", "report", "name"], str]
"""A filter's source and field."""


@dataclass(frozen=True, slots=True)
class FieldFilter:
    """Slides with any of some values in a field, or one within bounds: a metadata column, or a field of what reports
    state; or, of the source "name", slides that have any of some texts in their id, their file's name, their patient or
    their case.

    values: as columns and `facets` have them, where a text that says a number, a date, or true or false stands for it;
    None: no value, of metadata only; minimum, maximum: of columns of numbers or dates, both inclusive, None for no
    bound. Days of moments such as `created` are those of UTC.
    """

    source: Literal["metadata", "report", "name"]
    field: str
    values: tuple[MetadataValue, ...] = ()
    minimum: MetadataValue = None
    maximum: MetadataValue = None

    def __post_init__(self) -> None:
        if self.source not in ("metadata", "report", "name"):
            advice = "Give metadata, report or name"
            raise InputError(f"filter by {self.field}", f"unknown source {self.source!r}", advice)
        if isinstance(self.values, str | bytes):
            raise InputError(f"filter by {self.field}", f"{self.values!r} is one text", f"Give ({self.values!r},)")
        settle_fields(self, "filter", but={"source"})
        if not self.values and not self.has_bounds:
            advice = "Give at least one, or a bound, or leave the filter out"
            raise InputError(f"filter by {self.field}", "has no values", advice)
        if self.has_bounds and self.source != "metadata":
            advice = "Give values"
            raise InputError(f"filter by {self.field}", "has bounds, which only metadata has", advice)

    @property
    def has_bounds(self) -> bool:
        """Whether a range is asked for."""
        return self.minimum is not None or self.maximum is not None

    @property
    def key(self) -> Key:
        """Which field it is about."""
        return self.source, self.field


def require_filters(filters: object) -> None:
    """Raise InputError for what are no filters."""
    if isinstance(filters, FieldFilter):
        raise InputError("filters", "are one filter, where several are listed", "Give [FieldFilter(...)]")
    listed = filters if isinstance(filters, Sequence) and not isinstance(filters, str) else (filters,)
    wrong = next((each for each in listed if not isinstance(each, FieldFilter)), None)
    if wrong is not None or filters is None:
        raise InputError("filters", f"{describe(wrong)} is no filter", "Give [FieldFilter(...)]")


def combine_filters(store: SlideTable, filters: Sequence[FieldFilter]) -> Expression | None:
    """The filters as one: any value or range of a field, all fields together; None for no filters.

    Filters of the same field are as one with all their values and ranges. Raises InputError for an unknown field and
    for a value that its column can't hold, or by which it can't be ordered.
    """
    require_filters(filters)
    by_field: dict[Key, list[FieldFilter]] = {}
    for choice in filters:
        by_field.setdefault(choice.key, []).append(choice)
    return all_of(*(_make_condition(store, key, chosen) for key, chosen in by_field.items()))


def list_chosen_values(store: SlideTable, filters: Sequence[FieldFilter]) -> list[str]:
    """The values that filters of one field name, as `facets` shows them."""
    source, field = filters[0].key
    values = (value for choice in filters for value in choice.values if value is not None)
    if source == "report":
        return list(dict.fromkeys(_format_value(field, value) for value in values))
    kind = store.metadata_types()[field]
    return list(dict.fromkeys(str(_cast(field, value, kind)) for value in values))


def _make_condition(store: SlideTable, key: Key, filters: Sequence[FieldFilter]) -> Expression | None:
    source, field = key
    values = list(dict.fromkeys(value for choice in filters for value in choice.values))
    if source == "name":
        if len(values) > MOST_NAMES:
            raise InputError(f"filter by {field}", f"has {len(values)} texts", f"Give at most {MOST_NAMES} of names")
        return any_of(*(match_names(store, _require_text(field, str(value or ""))) for value in values))
    if source == "report":
        return _match_report(field, values)
    types = store.metadata_types()
    columns = (*field_columns(types), *MOMENTS)
    if field not in columns:
        raise InputError(
            f"filter by {field}", "the archive has no such column", f"The columns are: {', '.join(columns)}"
        )
    cast = (_cast(field, value, types[field]) for value in values)
    present = [value for value in cast if value is not None]
    empty = IsNull(Column(field)) if None in values else None
    within = [
        make_range(field, choice.minimum, choice.maximum, types[field]) for choice in filters if choice.has_bounds
    ]
    return any_of(one_of(field, present) if present else None, *within, empty)


def _match_report(field: str, values: Sequence[MetadataValue]) -> Expression:
    """That a report states any of some values, as the index looks it up."""
    if not is_fact_field(field):
        raise InputError(f"filter by {field}", "is not a field of reports", "See docs/reports.md for the fields")
    return HasAny(Column("report_facts"), tuple(f"{field}:{_format_value(field, value)}" for value in values))


def _format_value(field: str, value: MetadataValue) -> str:
    """A value as facts have it."""
    if value is None or isinstance(value, bool | date):
        raise InputError(f"filter by {field}", f"{value!r} is nothing that a report states", "Give a text")
    return f"{value:g}" if isinstance(value, float) else _require_text(field, str(value))


def _cast(field: str, value: MetadataValue, kind: pa.DataType) -> MetadataValue:
    if isinstance(value, str):
        _require_text(field, value)
    return cast_value(field, value, kind)


def _require_text(field: str, text: str) -> str:
    """Text, unless it has halves of characters, which nothing stored has."""
    if not is_storable(text):
        raise InputError(f"filter by {field}", "a value is not valid Unicode text", "Correct the value")
    return text
