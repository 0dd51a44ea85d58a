"""The archive's slides in an order, page by page: what people leaf through when nothing is asked."""

from __future__ import annotations

import base64
import json
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from histoseek.archive.filters.expression import Where, all_of
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.schema import SlideRecord, field_columns, to_records
from histoseek.archive.stores.column_rows import CodedColumn, ColumnRows, Places
from histoseek.archive.stores.slides import SlideTable
from histoseek.arguments import settle_fields
from histoseek.errors import InputError
from histoseek.search.scope.fields import FieldFilter, combine_filters
from histoseek.search.scope.names import get_names
from histoseek.search.scope.titles import make_titles

TITLE = "title"
"""What slides can be sorted by beside their columns: what people call them."""

MEASURES = ("created", "updated", "width", "height", "spacing_um_per_px", "tile_count")
"""What the archive knows of every slide by itself, and slides can be sorted by."""

MOST_AT_ONCE = 1000
MOST_CURSOR = 20_000
"""Characters of `after`."""


@dataclass(frozen=True, slots=True)
class ListOptions:
    """Which slides are listed and how.

    name: a text that the slide, its file, patient or case has in its name; sort: a metadata column, "title", or one of
    `MEASURES`; slides without a value come last either way, those with the same one by id; after: `next` of the page
    before, "" for the first page: pages go on where the last one ended, also when slides were added meanwhile.
    """

    where: Where = None
    filters: tuple[FieldFilter, ...] = ()
    name: str | None = None
    sort: str = "created"
    descending: bool = True
    limit: int = 50
    after: str = ""

    def __post_init__(self) -> None:
        settle_fields(self, "list", but={"where", "filters"})
        if not 0 < self.limit <= MOST_AT_ONCE:
            raise InputError(f"limit {self.limit}", "is no size of a page", f"Give 1 to {MOST_AT_ONCE}")


@dataclass(frozen=True, slots=True)
class SlideList:
    """A page of slides; total: how many there are on all pages; next: for `after`, None at the end."""

    records: tuple[SlideRecord, ...]
    total: int
    next: str | None


def list_slides(archive: ArchiveFolder, options: ListOptions) -> SlideList:
    """A page of the slides of a filter. Raises InputError for an unknown column or a wrong `after`, BadFilter."""
    if archive.space is None:
        return SlideList((), 0, None)
    store = archive.store.snapshot()
    rows = store.kept_columns
    column = find_sort_column(store, options.sort)
    order = rows.order(options.sort, column, options.descending)
    start = _find_start(rows, column, order, options) if options.after else 0
    among = _find_places(store, rows, options)
    if among is None:
        total, places = len(order), order[start : start + options.limit + 1]
    else:
        chosen = np.zeros(len(order), np.bool_)
        chosen[among] = True
        total, places = len(among), order[start:][chosen[order[start:]]][: options.limit + 1]
    page = places[: options.limit].astype(np.int64)
    records = tuple(to_records(rows.take(page, list(store.metadata_types())))) if len(page) else ()
    more = len(places) > options.limit
    return SlideList(records, total, _write_cursor(rows, column, int(page[-1]), options) if more else None)


def list_by_id(where: Where, limit: int, after: str | None = None) -> ListOptions:
    """Slides in the order of their ids, behind one that need not be there."""
    cursor = _encode_cursor("slide_id", False, after, after) if after else ""
    return ListOptions(where=where, sort="slide_id", descending=False, limit=limit, after=cursor)


def list_sortable(types: Mapping[str, pa.DataType]) -> tuple[str, ...]:
    """What slides can be sorted by; types: of the archive's columns."""
    return (TITLE, *field_columns(types), *(name for name in MEASURES if name in types))


def find_sort_column(store: SlideTable, sort: str) -> CodedColumn:
    """The column that slides are sorted by; raises InputError."""
    rows, sortable = store.kept_columns, list_sortable(store.metadata_types())
    if sort not in sortable:
        raise InputError(f"sort {sort}", "is nothing to sort by", f"Give one of: {', '.join(sortable)}")
    if sort != TITLE:
        return rows.column(sort)

    def make() -> CodedColumn:
        cells = rows.read(["slide_id", "uri"])
        return CodedColumn.encode(make_titles(cells["slide_id"], cells["uri"]))

    # No column of a table begins with this sign.
    return rows.make(f"_{TITLE}", make)


def _find_places(store: SlideTable, rows: ColumnRows, options: ListOptions) -> Places | None:
    """The slides to be listed, in no order; None for all."""
    condition = all_of(store.filter(options.where), combine_filters(store, options.filters))
    among = rows.places(condition)
    if options.name is None or not options.name.strip():
        return among
    named = _find_named(store, rows, options.name)
    return named if among is None else np.intersect1d(among, named, assume_unique=True)


def _find_named(store: SlideTable, rows: ColumnRows, name: str) -> Places:
    """The slides that have a text in the name of the slide, its file, patient or case."""
    ids = rows.column("slide_id")
    found = pa.array(get_names(store).find_having(name), pa.string())
    place_of = np.empty(len(rows), np.int64)
    place_of[ids.codes] = np.arange(len(rows))
    return place_of[pc.index_in(found, value_set=ids.values).to_numpy()]


def _write_cursor(rows: ColumnRows, column: CodedColumn, place: int, options: ListOptions) -> str:
    """What of the last slide of a page tells where the next one begins."""
    code, ids = int(column.codes[place]), rows.column("slide_id")
    value = column.values[code].as_py() if code < len(column.values) else None
    slide_id = ids.values[int(ids.codes[place])].as_py()
    return _encode_cursor(options.sort, options.descending, value, slide_id)


def _encode_cursor(sort: str, descending: bool, value: Any, slide_id: str) -> str:
    written = json.dumps([sort, descending, value, slide_id], default=lambda one: one.isoformat())
    return base64.urlsafe_b64encode(written.encode()).decode().rstrip("=")


def _find_start(rows: ColumnRows, column: CodedColumn, order: NDArray[np.int32], options: ListOptions) -> int:
    """Where the slides after a cursor begin; raises InputError for what is none of this order."""
    try:
        value, slide_id = _read_cursor(options, column.values.type)
        code, empty = column.find(value), len(column.values)
        is_there = code == empty if value is None else code < empty and column.values[code].as_py() == value
        ids = rows.column("slide_id")
        id_code = ids.find(slide_id)
        has_id = id_code < len(ids.values) and ids.values[id_code].as_py() == slide_id
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError, pa.ArrowException) as error:
        advice = "Give `next` of the page before, and sort as there"
        raise InputError("after", "is not from this list", advice) from error
    # Codes in the list's order: an odd one stands between those of values that are there.
    wanted = _turn(2 * code - (not is_there), empty, options.descending), 2 * id_code + has_id

    def place_in_order(at: int) -> tuple[int, int]:
        place = order[at]
        return _turn(2 * int(column.codes[place]), empty, options.descending), 2 * int(ids.codes[place])

    return bisect_left(range(len(order)), wanted, key=place_in_order)


def _turn(code: int, empty: int, descending: bool) -> int:
    """A doubled code as it counts in the order: those of empty cells are last either way."""
    return code if code == 2 * empty or not descending else -code - 1


def _read_cursor(options: ListOptions, kind: pa.DataType) -> tuple[Any, str]:
    written = options.after.encode()
    sort, descending, value, slide_id = json.loads(base64.urlsafe_b64decode(written + b"=" * (-len(written) % 4)))
    if (sort, descending) != (options.sort, options.descending) or not isinstance(slide_id, str):
        raise ValueError("of another order")
    if isinstance(value, str) and pa.types.is_timestamp(kind):
        return datetime.fromisoformat(value), slide_id
    if isinstance(value, str) and pa.types.is_date(kind):
        return date.fromisoformat(value), slide_id
    if value is not None:
        pa.scalar(value, kind)
    return value, slide_id
