"""How many slides have which value of a field."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.filters.expression import Where
from histoseek.archive.schema import TEXT_COLUMNS, field_columns
from histoseek.archive.stores.column_rows import ColumnRows, Places
from histoseek.archive.stores.slides import SlideTable
from histoseek.arguments import settle
from histoseek.errors import InputError
from histoseek.reports.index.query import is_fact_field

_MOST_FACETS = 10_000


@dataclass(frozen=True, slots=True)
class Facet:
    """How many slides have a value in a field, which is a metadata column or a field of what reports state."""

    source: Literal["metadata", "report"]
    field: str
    value: str
    count: int


NO_IDS = tuple(name for name in TEXT_COLUMNS if not name.endswith("_id"))


def choose_columns(store: SlideTable, fields: Sequence[str] | None) -> list[str]:
    """The metadata columns among fields to be counted, in the archive's order, by default its own text columns but for
    ids. Raises InputError for what is neither a column nor a field of facts."""
    wanted = None if fields is None else settle_names(fields)
    available = [name for name in field_columns(store.metadata_types()) if name != "slide_id"]
    for field in wanted or ():
        if field not in available and not is_fact_field(field):
            what = "is neither a column of the archive nor a field of reports"
            raise InputError(
                f"field {field}", what, f"The columns are: {', '.join(available)}; for reports see docs/reports.md"
            )
    return [name for name in available if name in (NO_IDS if wanted is None else wanted)]


def settle_names(fields: Sequence[str]) -> tuple[str, ...]:
    """Names of fields, of which one may be given as a text; raises InputError."""
    names: tuple[str, ...] = settle([fields] if isinstance(fields, str) else fields, tuple[str, ...], "facets fields")
    return names


def list_facets(store: SlideTable, where: Where, fields: Sequence[str] | None) -> tuple[Facet, ...]:
    """How many slides of a filter have which values, per field, the most frequent first; fields: as `choose_columns`
    takes them. At most 10,000 values a field. Raises InputError for an unknown field, BadFilter."""
    view = store.snapshot()
    rows, places = view.kept_columns, view.kept_columns.places(view.filter(where))
    facts = None if fields is None else settle_names(fields)
    columns = (facet for name in choose_columns(view, fields) for facet in count_column(rows, name, places))
    return (*columns, *count_facts(rows, places, facts))


def count_column(rows: ColumnRows, name: str, places: Places | None) -> list[Facet]:
    """The values of a column among the slides of some places, None for all, the most frequent first."""
    column = rows.column(name)
    counts = column.count(places)[:-1]
    codes = _list_most(counts)
    values = (str(value) for value in column.values.take(codes).to_pylist())
    return [Facet("metadata", name, *pair) for pair in _sort(zip(values, counts[codes].tolist(), strict=True))]


def count_facts(rows: ColumnRows, places: Places | None, fields: Sequence[str] | None) -> list[Facet]:
    """What reports of the slides of some places state in some fields, None for all, the most frequent first."""
    stated = rows.lists("report_facts")
    counts = stated.count(places, len(rows))
    codes = np.flatnonzero(counts)
    by_field: dict[str, list[tuple[str, int]]] = {}
    for fact, count in zip(stated.values.take(codes).to_pylist(), counts[codes].tolist(), strict=True):
        field, _, value = fact.partition(":")
        if fields is None or field in fields:
            by_field.setdefault(field, []).append((value, count))
    return [Facet("report", name, *pair) for name in sorted(by_field) for pair in _sort(by_field[name])]


def _list_most(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """The codes of the values that occur, where there are too many those that occur most often."""
    codes = np.flatnonzero(counts)
    return codes[np.argsort(-counts[codes], kind="stable")[:_MOST_FACETS]] if len(codes) > _MOST_FACETS else codes


def _sort(pairs: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))[:_MOST_FACETS]
