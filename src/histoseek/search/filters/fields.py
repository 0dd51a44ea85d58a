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
from histoseek.errors import InputError
from histoseek.reports.index.query import is_fact_field
from histoseek.search.filters.facets import Facet, facets

Key = tuple[str, str]
"""A filter's or a facet's source and field."""


@dataclass(frozen=True, slots=True)
class FieldFilter:
    """Slides with any of some values in a field: a metadata column, or a field of what reports state.

    values: as columns and `facets` have them, where a text that says a number, a date, or true or false stands for it;
    None: no value, of metadata only.
    """

    source: Literal["metadata", "report"]
    field: str
    values: tuple[MetadataValue, ...]

    def __post_init__(self) -> None:
        if self.source not in ("metadata", "report"):
            raise InputError(f"filter by {self.field}", f"unknown source {self.source!r}", "Give metadata or report")
        if not self.values:
            raise InputError(f"filter by {self.field}", "has no values", "Give at least one, or leave the filter out")

    @property
    def key(self) -> Key:
        """Which field it is about."""
        return self.source, self.field


def condition_of(store: SlideTable, filters: Sequence[FieldFilter]) -> Expression | None:
    """The filters as one: any value of a field, all fields together; None for no filters.

    Filters of the same field are as one with all their values. Raises InputError for an unknown field and for a value
    that its column can't hold.
    """
    values: dict[Key, dict[MetadataValue, None]] = {}
    for one in filters:
        values.setdefault(one.key, {}).update(dict.fromkeys(one.values))
    return all_of(*(_condition(store, key, list(own)) for key, own in values.items()))


def facet_counts(
    archive: ArchiveFolder, where: Where, filters: Sequence[FieldFilter], fields: Sequence[str] | None = None
) -> tuple[Facet, ...]:
    """The values of fields with how many slides have them, per field, the most frequent first, as `Archive.facets`.

    Counted are the slides of `where` that satisfy the filters of all other fields, so that the other values of a field
    can still be chosen; its chosen values are there with 0 where no slide has them. Raises InputError, BadFilter.
    """
    store = archive.store.snapshot()
    base = store.filter(where)
    found = _by_key(facets(store, all_of(base, condition_of(store, filters)), fields))
    for key in dict.fromkeys(one.key for one in filters):
        if fields is None and key not in found and key[1] not in _SHOWN:
            continue
        if fields is not None and key[1] not in fields:
            continue
        own = [one for one in filters if one.key == key]
        others = [one for one in filters if one.key != key]
        counted = _by_key(facets(store, all_of(base, condition_of(store, others)), [key[1]])).get(key, [])
        found[key] = [*counted, *_missing(store, own, counted)]
    places = {name: place for place, name in enumerate(store.metadata_types())}
    order = sorted(
        found, key=lambda key: (key[0] == "report", places.get(key[1], 0) if key[0] == "metadata" else 0, key)
    )
    return tuple(facet for key in order for facet in found[key])


_SHOWN = tuple(name for name in TEXT_COLUMNS if not name.endswith("_id"))


def _by_key(found: Iterable[Facet]) -> dict[Key, list[Facet]]:
    groups: dict[Key, list[Facet]] = {}
    for facet in found:
        groups.setdefault((facet.source, facet.field), []).append(facet)
    return groups


def _missing(store: SlideTable, own: Sequence[FieldFilter], counted: Sequence[Facet]) -> list[Facet]:
    """The chosen values of a field that no slide has, as `facets` would show them."""
    source, field = own[0].key
    there = {facet.value for facet in counted}
    given = (value for one in own for value in one.values if value is not None)
    if source == "metadata":
        kind = store.metadata_types()[field]
        chosen = dict.fromkeys(str(_cast(field, value, kind)) for value in given)
    else:
        chosen = dict.fromkeys(_said(field, value) for value in given)
    return [Facet(own[0].source, field, value, 0) for value in chosen if value not in there]


def _condition(store: SlideTable, key: Key, values: Sequence[MetadataValue]) -> Expression | None:
    source, field = key
    if source == "report":
        return _stated(field, values)
    types = store.metadata_types()
    known = field_columns(types)
    if field not in known:
        raise InputError(f"filter by {field}", "the archive has no such column", f"Columns are: {', '.join(known)}")
    cast = (_cast(field, value, types[field]) for value in values)
    named = [value for value in cast if value is not None]
    empty = IsNull(Column(field)) if None in values else None
    return any_of(one_of(field, named) if named else None, empty)


def _stated(field: str, values: Sequence[MetadataValue]) -> Expression:
    """That a report states any of some values, as the index looks it up."""
    if not is_fact_field(field):
        raise InputError(f"filter by {field}", "is no field of reports", "See docs/reports.md for the fields")
    return HasAny(Column("report_facts"), tuple(f"{field}:{_said(field, value)}" for value in values))


def _said(field: str, value: MetadataValue) -> str:
    """A value as facts have it."""
    if value is None or isinstance(value, bool | date):
        raise InputError(f"filter by {field}", f"{value!r} is nothing that a report states", "Give a text")
    return f"{value:g}" if isinstance(value, float) else _readable(field, str(value))


def _cast(field: str, value: MetadataValue, kind: pa.DataType) -> MetadataValue:
    if isinstance(value, str):
        _readable(field, value)
    return cast_value(field, value, kind)


def _readable(field: str, text: str) -> str:
    """Text, unless it has halves of characters, which nothing stored has."""
    if not is_storable(text):
        raise InputError(f"filter by {field}", "a value is no Unicode text", "Correct the value")
    return text
