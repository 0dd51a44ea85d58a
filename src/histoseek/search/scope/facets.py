"""How many slides have which value of a field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from histoseek.archive.filters.expression import Where
from histoseek.archive.schema import TEXT_COLUMNS, field_columns
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


def list_facets(store: SlideTable, where: Where, fields: Sequence[str] | None) -> tuple[Facet, ...]:
    """How many slides of a filter have which values, per field, the most frequent first.

    fields: metadata columns or fields of facts, by default all fields of facts and the archive's own text columns but
    for ids. At most 10,000 values a field. Raises InputError for an unknown field, BadFilter.
    """
    fields = (
        None
        if fields is None
        else settle([fields] if isinstance(fields, str) else fields, tuple[str, ...], "facets fields")
    )
    types = store.metadata_types()
    available = [name for name in field_columns(types) if name != "slide_id"]
    for field in fields or ():
        if field not in available and not is_fact_field(field):
            what = "is neither a column of the archive nor a field of reports"
            raise InputError(
                f"field {field}", what, f"The columns are: {', '.join(available)}; for reports see docs/reports.md"
            )
    columns = [name for name in available if name in (fields or _NO_IDS)]
    rows = store.columns([*columns, "report_facts"], where)
    facets = [facet for name in columns for facet in _count_values(name, rows[name])]
    stated: dict[str, Counter[str]] = {}
    flat = rows["report_facts"].combine_chunks().flatten().value_counts()
    for pair in flat.to_pylist():
        field, _, value = pair["values"].partition(":")
        if fields is None or field in fields:
            stated.setdefault(field, Counter())[value] += pair["counts"]
    return (*facets, *(Facet("report", name, *pair) for name in sorted(stated) for pair in _order_counts(stated[name])))


_NO_IDS = tuple(name for name in TEXT_COLUMNS if not name.endswith("_id"))


def _count_values(name: str, values: pa.ChunkedArray) -> list[Facet]:
    counts = {str(pair["values"]): pair["counts"] for pair in values.drop_null().value_counts().to_pylist()}
    return [Facet("metadata", name, *pair) for pair in _order_counts(Counter(counts))]


def _order_counts(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:_MOST_FACETS]
