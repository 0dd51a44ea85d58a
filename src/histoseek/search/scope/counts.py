"""Counts of what fields hold while people choose by them: values, and for numbers and dates how they are spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import pyarrow as pa

from histoseek.archive.filters.expression import Expression, Where, all_of
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.schema import field_columns
from histoseek.archive.stores.column_rows import ColumnRows, Places
from histoseek.archive.stores.slides import SlideTable
from histoseek.search.scope.facets import (
    Facet,
    choose_columns,
    count_column,
    count_facts,
    settle_names,
)
from histoseek.search.scope.fields import FieldFilter, combine_filters, list_chosen_values, require_filters
from histoseek.search.scope.ranges import MOMENTS, Bin, ColumnKind, cut_dates, cut_numbers, kind_of_column

Key = tuple[Literal["metadata", "report"], str]
"""A facet's source and field."""


@dataclass(frozen=True, slots=True)
class FieldCounts:
    """What slides have in a field.

    values: of texts, yes and no, and what reports state, the most frequent first; bins: of numbers and dates, over the
    range that the whole archive has, whatever is filtered; missing: slides without a value, of metadata.
    """

    source: Literal["metadata", "report"]
    field: str
    kind: ColumnKind
    values: tuple[Facet, ...] = ()
    bins: tuple[Bin, ...] = ()
    missing: int = 0


def count_facets(
    archive: ArchiveFolder, where: Where, filters: Sequence[FieldFilter], fields: Sequence[str] | None = None
) -> tuple[Facet, ...]:
    """The values of fields with how many slides have them, per field, the most frequent first, as `Archive.facets`.

    Counted are the slides of `where` that satisfy the filters of all other fields, so that the other values of a field
    can still be chosen; its chosen values are there with 0 where no slide has them. Raises InputError, BadFilter.
    """
    counting = _Counting.begin(archive.store.snapshot(), where, filters)
    columns = choose_columns(counting.store, fields)
    facts = None if fields is None else settle_names(fields)
    return (*(facet for name in columns for facet in counting.count_values(name)), *counting.count_facts(facts))


def count_fields(
    archive: ArchiveFolder, where: Where, filters: Sequence[FieldFilter], fields: Sequence[str] | None = None
) -> tuple[FieldCounts, ...]:
    """What slides have in fields, counted as `count_facets` does: by default in every column but for ids, when slides
    came, and what reports state. Raises InputError, BadFilter.
    """
    counting = _Counting.begin(archive.store.snapshot(), where, filters)
    types = counting.store.metadata_types()
    columns = list_typed_columns(types) if fields is None else _choose_typed(counting.store, settle_names(fields))
    counted = [counting.count_field(name, kind_of_column(types[name])) for name in columns]
    by_field: dict[str, list[Facet]] = {}
    for facet in counting.count_facts(None if fields is None else settle_names(fields)):
        by_field.setdefault(facet.field, []).append(facet)
    return (*counted, *(FieldCounts("report", name, "text", tuple(own)) for name, own in by_field.items()))


def list_typed_columns(types: Mapping[str, pa.DataType]) -> list[str]:
    """The columns that people choose by: what tables say of slides but for ids, and when slides came.

    types: of the archive's columns.
    """
    return [name for name in (*field_columns(types), "created") if name in types and not name.endswith("_id")]


def _choose_typed(store: SlideTable, fields: Sequence[str]) -> list[str]:
    """Columns among some fields; raises InputError."""
    moments = [name for name in MOMENTS if name in fields]
    return [*choose_columns(store, [name for name in fields if name not in MOMENTS]), *moments]


@dataclass(frozen=True, slots=True)
class _Counting:
    """One count: a field's own filters do not narrow what is counted of it."""

    store: SlideTable
    rows: ColumnRows
    base: Expression | None
    filters: tuple[FieldFilter, ...]

    @classmethod
    def begin(cls, store: SlideTable, where: Where, filters: Sequence[FieldFilter]) -> _Counting:
        require_filters(filters)
        return cls(store, store.kept_columns, store.filter(where), tuple(filters))

    def count_field(self, name: str, kind: ColumnKind) -> FieldCounts:
        if kind in ("text", "truth"):
            missing = self._count_missing(name)
            return FieldCounts("metadata", name, kind, tuple(self.count_values(name)), missing=missing)
        column, places = self.rows.column(name), self._find_places(("metadata", name))
        counts = column.count(places)
        values = column.values.to_pylist() if kind == "date" else column.values.to_numpy()
        if kind == "number":
            bins = cut_numbers(values, counts[:-1])
        else:
            days = [value.date() if isinstance(value, datetime) else value for value in values]
            bins = cut_dates(days, counts[:-1].tolist())
        return FieldCounts("metadata", name, kind, bins=bins, missing=int(counts[-1]))

    def count_values(self, name: str) -> list[Facet]:
        key: Key = ("metadata", name)
        counted = count_column(self.rows, name, self._find_places(key))
        return [*counted, *self._list_missing(key, counted)]

    def count_facts(self, fields: Sequence[str] | None) -> list[Facet]:
        """What reports state; of filtered fields what those of the other filters do."""
        own = dict.fromkeys(choice.field for choice in self.filters if choice.source == "report")
        counted = [facet for facet in count_facts(self.rows, self._find_places(None), fields) if facet.field not in own]
        for field in own:
            if fields is None or field in fields:
                values = count_facts(self.rows, self._find_places(("report", field)), [field])
                counted += [*values, *self._list_missing(("report", field), values)]
        return sorted(counted, key=lambda facet: facet.field)

    def _count_missing(self, name: str) -> int:
        return int(self.rows.column(name).count(self._find_places(("metadata", name)))[-1])

    def _find_places(self, key: Key | None) -> Places | None:
        """The slides that satisfy all filters but those of a field."""
        others = [choice for choice in self.filters if choice.key != key]
        return self.rows.places(all_of(self.base, combine_filters(self.store, others)))

    def _list_missing(self, key: Key, counted: Sequence[Facet]) -> list[Facet]:
        """The chosen values of a field that no slide has."""
        same = [choice for choice in self.filters if choice.key == key]
        there = {facet.value for facet in counted}
        chosen = list_chosen_values(self.store, same) if same else []
        return [Facet(key[0], key[1], value, 0) for value in chosen if value not in there]
