"""Filters by field and value, as people choose them from counted values; and the counts while they choose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

import pyarrow as pa

from histoseek.archive.filters.expression import Column, Expression, HasAny, IsNull, Where, all_of, any_of, one_of
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.schema import TEXT_COLUMNS, MetadataValue, cast_value, field_columns, is_storable
from histoseek.archive.stores.slides import SlideTable
from histoseek.arguments import describe, settle_fields
from histoseek.errors import InputError
from histoseek.reports.index.query import is_fact_field
from histoseek.search.scope.facets import Facet, list_facets
from histoseek.search.scope.names import match_names

Key = tuple[str, str]
"""A filter's or a facet's source and field."""


@dataclass(frozen=True, slots=True)
class FieldFilter:
    """Slides with any of some values in a field: a metadata column, or a field of what reports state; or, of the source
    "name", slides that have any of some texts in their id, their file's name, their patient or their case.

    values: as columns and `facets` have them, where a text that says a number, a date, or true or false stands for it;
    None: no value, of metadata only.
    """

    source: Literal["metadata", "report", "name"]
    field: str
    values: tuple[MetadataValue, ...]

    def __post_init__(self) -> None:
        if self.source not in ("metadata", "report", "name"):
            advice = "Give metadata, report or name"
            raise InputError(f"filter by {self.field}", f"unknown source {self.source!r}", advice)
        if isinstance(self.values, str | bytes):
            raise InputError(f"filter by {self.field}", f"{self.values!r} is one text", f"Give ({self.values!r},)")
        settle_fields(self, "filter", but={"source"})
        if not self.values:
            raise InputError(f"filter by {self.field}", "has no values", "Give at least one, or leave the filter out")

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
    """The filters as one: any value of a field, all fields together; None for no filters.

    Filters of the same field are as one with all their values. Raises InputError for an unknown field and for a value
    that its column can't hold.
    """
    require_filters(filters)
    values: dict[Key, dict[MetadataValue, None]] = {}
    for choice in filters:
        values.setdefault(choice.key, {}).update(dict.fromkeys(choice.values))
    return all_of(*(_make_condition(store, key, list(chosen)) for key, chosen in values.items()))


def count_facets(
    archive: ArchiveFolder, where: Where, filters: Sequence[FieldFilter], fields: Sequence[str] | None = None
) -> tuple[Facet, ...]:
    """The values of fields with how many slides have them, per field, the most frequent first, as `Archive.facets`.

    Counted are the slides of `where` that satisfy the filters of all other fields, so that the other values of a field
    can still be chosen; its chosen values are there with 0 where no slide has them. Raises InputError, BadFilter.
    """
    store = archive.store.snapshot()
    base = store.filter(where)
    groups = _group_facets(list_facets(store, all_of(base, combine_filters(store, filters)), fields))
    for key in dict.fromkeys(choice.key for choice in filters):
        if fields is None and key not in groups and key[1] not in _DEFAULT_COLUMNS:
            continue
        if fields is not None and key[1] not in fields:
            continue
        same = [choice for choice in filters if choice.key == key]
        others = [choice for choice in filters if choice.key != key]
        counted = _group_facets(list_facets(store, all_of(base, combine_filters(store, others)), [key[1]])).get(key, [])
        groups[key] = [*counted, *_list_missing(store, same, counted)]
    places = {name: place for place, name in enumerate(store.metadata_types())}
    order = sorted(
        groups, key=lambda key: (key[0] == "report", places.get(key[1], 0) if key[0] == "metadata" else 0, key)
    )
    return tuple(facet for key in order for facet in groups[key])


_DEFAULT_COLUMNS = tuple(name for name in TEXT_COLUMNS if not name.endswith("_id"))


def _group_facets(facets: Iterable[Facet]) -> dict[Key, list[Facet]]:
    groups: dict[Key, list[Facet]] = {}
    for facet in facets:
        groups.setdefault((facet.source, facet.field), []).append(facet)
    return groups


def _list_missing(store: SlideTable, filters: Sequence[FieldFilter], counted: Sequence[Facet]) -> list[Facet]:
    """The chosen values of a field that no slide has, as `facets` would show them."""
    source, field = filters[0].source, filters[0].field
    if source == "name":
        return []
    there = {facet.value for facet in counted}
    values = (value for choice in filters for value in choice.values if value is not None)
    if source == "metadata":
        kind = store.metadata_types()[field]
        chosen = dict.fromkeys(str(_cast(field, value, kind)) for value in values)
    else:
        chosen = dict.fromkeys(_format_value(field, value) for value in values)
    return [Facet(source, field, value, 0) for value in chosen if value not in there]


def _make_condition(store: SlideTable, key: Key, values: Sequence[MetadataValue]) -> Expression | None:
    source, field = key
    if source == "name":
        return any_of(*(match_names(store, _require_text(field, str(value or ""))) for value in values))
    if source == "report":
        return _match_report(field, values)
    types = store.metadata_types()
    columns = field_columns(types)
    if field not in columns:
        raise InputError(
            f"filter by {field}", "the archive has no such column", f"The columns are: {', '.join(columns)}"
        )
    cast = (_cast(field, value, types[field]) for value in values)
    present = [value for value in cast if value is not None]
    empty = IsNull(Column(field)) if None in values else None
    return any_of(one_of(field, present) if present else None, empty)


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
