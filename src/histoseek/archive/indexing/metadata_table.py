"""Metadata tables: separated text, JSON or workbooks in, typed rows out, with the rows that cannot be used."""

from __future__ import annotations

import re
import string
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from itertools import count
from pathlib import Path

import pyarrow as pa

from histoseek.archive.indexing.cell_values import (
    COARSEST_SPACING,
    FINEST_SPACING,
    cast_cell,
    infer_values,
    is_placeholder,
    parse_spacing,
    strip_fractions,
)
from histoseek.archive.indexing.metadata_columns import (
    IDS,
    TEXTS,
    MetadataColumn,
    list_column_warnings,
    map_metadata_columns,
)
from histoseek.archive.indexing.metadata_row import TableRow, join_rows
from histoseek.archive.schema import TEXT_COLUMNS, MetadataValue, is_storable, unwrap
from histoseek.bounds import refusing_exhaustion
from histoseek.errors import BadTable, InputError
from histoseek.reports.files.column_names import may_be_id
from histoseek.reports.files.confined_files import load_workbook
from histoseek.reports.files.document import FileRefusal, ReportSource
from histoseek.reports.files.encodings import clean_id
from histoseek.reports.files.raw_tables import (
    BadRow,
    RawRow,
    RawTable,
    find_wrong_length,
    read_json,
    read_json_lines,
    read_separated,
)
from histoseek.reports.files.texts import WORKBOOK_SUFFIXES
from histoseek.unicode import make_printable

_NULLS = frozenset(
    (
        *("", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "<NA>", "NaT"),
        *("#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!"),
    )
)
_BLANKS = f"{string.whitespace}\xa0\u2007\u202f\u3000\u200b\u200e\u200f\u2060\ufeff\x1a"
_SHORTENED = re.compile(r"\d(?:[.,]\d+)?E\+?\d+")
"""A long number as a spreadsheet shows it: its last digits are gone."""
_MARKED_AS_TEXT = re.compile(r"=\"([^\"]+)\"|'(\d[^']*)")
"""Digits that a spreadsheet is kept from reading as a number."""
_HOLDING_IDS = (*IDS, "patient_id")
_MOST_NOTES = 3
_MOST_SLIDES = 10
"""Of a patient, on average."""
_LONGEST_TEXT = 1_000_000
_LARGEST = 2**63
_NO_ROWS = "Give a table with one row per slide or case"
_OFFICE_MARKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


@dataclass(frozen=True, slots=True)
class MetadataTable:
    """A table about slides; folder: that of its file, which relative paths in it start from.

    patient_column: what the table itself calls the ids of patients; refused: rows that are left out; warnings: of
    columns that may not be what was meant; headers: all columns as the table calls them.
    """

    path: Path
    rows: tuple[TableRow, ...]
    extra_types: Mapping[str, pa.DataType]
    patient_column: str = "patient_id"
    refused: tuple[FileRefusal, ...] = ()
    warnings: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """The folder of the table's file."""
        return self.path.absolute().parent


@dataclass(frozen=True, slots=True)
class _Entry:
    """A row of cells by the name of their column: None where empty, texts, or what a program gave."""

    place: ReportSource
    cells: Mapping[str, MetadataValue]


def load_table(path: Path, rename: Mapping[str, str] | None = None, trust: bool | None = None) -> MetadataTable:
    """Read a table whose rows are identified by `file`, `slide_id` or `case_id`; `rename` maps column names first;
    trust: as of `open_slide`.

    Columns are typed: ids and the standard columns are text, others integers, floats, booleans, dates or text. A row
    that cannot be used is refused and the others are read. Raises BadTable: unreadable, empty, no id column, no row
    that can be used; TooLarge.
    """
    with refusing_exhaustion(lambda reason: BadTable(path, reason, "Check how it was made, or give it in parts")):
        return _load_table(path, rename, trust)


def _load_table(path: Path, rename: Mapping[str, str] | None, trust: bool | None) -> MetadataTable:
    sheets = list(_read_raw(path, trust))
    mapped: list[tuple[RawTable, tuple[MetadataColumn, ...]]] = []
    warnings: list[str] = []
    fault: BadTable | None = None
    for raw in sheets:
        try:
            mapped.append((raw, map_metadata_columns(path, raw.names, rename or {})))
        except BadTable as error:
            fault = fault or error
            warnings.append(f"{path}: sheet {raw.sheet!r} is not used: {error.what}")
    if not mapped:
        raise fault or BadTable(path, "an empty workbook", _NO_ROWS)
    entries: list[_Entry] = []
    refused: list[FileRefusal] = []
    delimiter = ","
    for raw, columns in mapped:
        delimiter = raw.delimiter or delimiter
        before = len(entries)
        for item in _read_entries(raw, columns):
            entries.append(item) if isinstance(item, _Entry) else refused.append(item)
        warnings += list_column_warnings(path, columns, _find_repeating(entries[before:], columns))
    columns = tuple({column.name: column for _, columns in mapped for column in columns}.values())
    return _make_table(path, entries, columns, delimiter, refused, warnings)


def make_table(rows: Sequence[Mapping[str, MetadataValue]], rename: Mapping[str, str] | None = None) -> MetadataTable:
    """A table from rows that a program has at hand; texts are typed as those of a file are. Raises BadTable as
    `load_table` does, calling the table "metadata"."""
    path = Path("metadata")
    if not rows:
        raise BadTable(path, "no rows", "Give one row per slide or case")
    names = tuple(dict.fromkeys(str(name) for row in rows for name in row))
    columns = map_metadata_columns(path, names, rename or {})
    entries = [
        _Entry(
            ReportSource(path, number),
            {column.name: _read_value(row.get(names[column.position])) for column in columns if column.name},
        )
        for number, row in enumerate(rows, start=1)
    ]
    warnings = list_column_warnings(path, columns, _find_repeating(entries, columns))
    return _make_table(path, entries, columns, ",", [], warnings)


def _find_repeating(entries: Sequence[_Entry], columns: Sequence[MetadataColumn]) -> frozenset[str]:
    """The columns of some number with a value that comes back, and not so many rows to each value as labels have."""
    names = [column.name for column in columns if column.name and may_be_id(column.header)]
    counts = {name: Counter(entry.cells.get(name) for entry in entries) for name in names}
    given = {name: sum(count.values()) - count[None] for name, count in counts.items()}
    values = {name: len(count) - (None in count) for name, count in counts.items()}
    return frozenset(n for n in counts if n not in TEXTS and values[n] < given[n] <= values[n] * _MOST_SLIDES)


def _read_raw(path: Path, trust: bool | None) -> Iterator[RawTable]:
    """The tables of a file by its kind. Raises BadTable."""
    suffix = path.suffix.lower()
    try:
        with path.open("rb") as file:
            head = file.read(512)
        if suffix in WORKBOOK_SUFFIXES or head.startswith(_OFFICE_MARKS):
            yield from load_workbook(path, trust)
        elif head.lstrip().lower().startswith((b"<html", b"<!doctype html", b"<?xml")):
            raise BadTable(path, "a web page or XML, not a table", "Save it as CSV or .xlsx")
        elif suffix == ".json":
            yield read_json(path)
        else:
            yield read_json_lines(path) if suffix in (".jsonl", ".ndjson") else read_separated(path)
    except OSError as error:
        raise BadTable(path, error.strerror or "cannot be read", "Check the path") from error
    except BadTable:
        raise
    except InputError as error:
        raise BadTable(path, error.what, error.advice) from error


def _read_entries(raw: RawTable, columns: Sequence[MetadataColumn]) -> Iterator[_Entry | FileRefusal]:
    """The rows of a table; those without any value are passed over."""
    for row in raw.rows:
        place = ReportSource(raw.path, None if row.line else row.number, row.line, raw.sheet)
        if isinstance(row, BadRow):
            yield FileRefusal(place, row.what, row.advice)
            continue
        fault = _find_row_fault(row, raw.names)
        if fault:
            yield FileRefusal(place, *fault)
            continue
        cells = {column.name: _read_value(row.cells[column.position]) for column in columns if column.name}
        if any(value is not None for value in cells.values()):
            yield _Entry(place, cells)


def _find_row_fault(row: RawRow, names: Sequence[str]) -> tuple[str, str] | None:
    """What is wrong with a row as such, and the next step."""
    if row.faults:
        place, what = next(iter(row.faults.items()))
        return f"{what} in {names[place]!r}", "Give one value"
    wrong_length = find_wrong_length(row, names)
    advice = "Check the quotes around its texts, and that no delimiter is missing"
    return (wrong_length, advice) if wrong_length else None


def _read_value(value: object) -> MetadataValue:
    """A cell without blanks around it, or a program's value as one of ours; None where it says nothing."""
    value = value if isinstance(value, str) else unwrap(value)
    text = value.strip(_BLANKS) if isinstance(value, str) else str(value).strip(_BLANKS)
    if value is None or text in _NULLS:
        return None
    if isinstance(value, str) and not text.startswith(("=", "'")):
        return text
    if isinstance(value, datetime):
        return value.date() if value.time() == time() else value.isoformat()
    if isinstance(value, int | float | bool | date):
        return value
    marked = _MARKED_AS_TEXT.fullmatch(text) if text.startswith(("=", "'")) else None
    return (marked[1] or marked[2]) if marked else text


def _make_table(
    path: Path,
    entries: Sequence[_Entry],
    columns: Sequence[MetadataColumn],
    delimiter: str,
    refused: Sequence[FileRefusal],
    warnings: Sequence[str],
) -> MetadataTable:
    nm_columns = {column.name for column in columns if column.is_nm}
    notes = [note for column in columns for note in _note_placeholders(path, entries, column)]
    if notes:
        entries = [replace(entry, cells=_drop_placeholders(entry.cells)) for entry in entries]
    left_out = list(refused)
    # A row without an id is refused, and has no say in the types of columns.
    with_id = list(filter(_has_id, entries))
    fixed = [_read_texts(with_id, column.name) for column in columns if column.name in TEXTS]
    extra = [
        _read_extra(with_id, column, delimiter) for column in columns if column.name not in (*TEXTS, "spacing", "")
    ]
    types = {name: kind for name, kind, _ in extra if kind is not None}
    numbers = count()
    rows: list[TableRow] = []
    for entry in entries:
        if not _has_id(entry):
            left_out.append(_refuse_nameless(entry.place))
            continue
        number = next(numbers)
        texts = {name: text for name, values in fixed if (text := values[number]) is not None}
        values = {name: values[number] for name, kind, values in extra if kind is not None}
        row = _make_row(entry, texts, values, bool(nm_columns))
        rows.append(row) if isinstance(row, TableRow) else left_out.append(row)
    kept, repeats, joined = _join_repeats(path, rows)
    left_out += repeats
    if not kept:
        raise _refuse_table(path, left_out)
    notes += [*joined, *(note for column in columns for note in _note_shortened(path, entries, column))]
    patient_column = next((column.header for column in columns if column.name == "patient_id"), "patient_id")
    headers = tuple(column.header for column in columns)
    return MetadataTable(path, tuple(kept), types, patient_column, tuple(left_out), (*warnings, *notes), headers)


def _has_id(entry: _Entry) -> bool:
    return any(entry.cells.get(name) is not None for name in IDS)


def _refuse_nameless(place: ReportSource) -> FileRefusal:
    return FileRefusal(place, "the row has no id", "Fill in its slide_id, case_id or file, or remove the row")


def _drop_placeholders(cells: Mapping[str, MetadataValue]) -> Mapping[str, MetadataValue]:
    """Cells without what stands where an id is not known."""
    found = [name for name in _HOLDING_IDS if is_placeholder(cells.get(name), name)]
    return {**cells, **dict.fromkeys(found)} if found else cells


def _note_placeholders(path: Path, entries: Sequence[_Entry], column: MetadataColumn) -> Iterator[str]:
    """That words for an id that is not known are taken for none."""
    if column.name not in _HOLDING_IDS:
        return
    values = [entry.cells.get(column.name) for entry in entries]
    found = [str(value) for value in values if is_placeholder(value, column.name)]
    if found:
        some = ", ".join(map(repr, list(dict.fromkeys(found))[:3]))
        yield f"{path}: column {column.header!r} gives no id in {len(found)} rows: {some}"


def _read_texts(entries: Sequence[_Entry], name: str) -> tuple[str, list[str | None]]:
    """A column that is always text; ids without what cannot be seen, and without the fraction of a spreadsheet."""
    texts = [_write_text(entry.cells.get(name)) for entry in entries]
    if name == "file":
        texts = [make_printable(text) if text else None for text in texts]
    if name in _HOLDING_IDS:
        texts = [clean_id(text) or None if text else None for text in texts]
    return name, strip_fractions(texts) if name in ("slide_id", "case_id", "patient_id") else texts


def _note_shortened(path: Path, entries: Sequence[_Entry], column: MetadataColumn) -> Iterator[str]:
    """That a column of ids holds numbers without their last digits."""
    if not (column.is_id or column.name in _HOLDING_IDS):
        return
    cells = ((entry, entry.cells.get(column.name)) for entry in entries)
    places = [entry.place.place for entry, cell in cells if isinstance(cell, str) and _SHORTENED.fullmatch(cell)]
    if places:
        what = f"ids in {len(places)} rows that a spreadsheet has shortened, first in {places[0]}"
        yield f"{path}: column {column.header!r} holds {what}: give the column the format of text, and export it again"


def _write_text(value: MetadataValue) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _read_extra(
    entries: Sequence[_Entry], column: MetadataColumn, delimiter: str
) -> tuple[str, pa.DataType | None, list[MetadataValue]]:
    """A further column with the type of its values; None where it has none."""
    values = [entry.cells.get(column.name) for entry in entries]
    if column.is_id:
        texts = [_write_text(value) for value in values]
        return column.name, pa.string() if any(texts) else None, list(texts)
    if all(isinstance(value, str | None) for value in values):
        return column.name, *infer_values([None if value is None else str(value) for value in values], delimiter)
    same = len({type(value) for value in values if value is not None}) == 1 and not any(map(_is_too_large, values))
    array = pa.array(values if same else [None if value is None else str(value) for value in values])
    return column.name, array.type, array.to_pylist()


def _can_keep(value: MetadataValue) -> bool:
    return not isinstance(value, str) or (len(value) <= _LONGEST_TEXT and (value.isascii() or is_storable(value)))


def _is_too_large(value: MetadataValue) -> bool:
    """Whether it is a whole number that no column of such holds."""
    return isinstance(value, int) and not -_LARGEST <= value < _LARGEST


def _make_row(
    entry: _Entry, texts: Mapping[str, str], extra: Mapping[str, MetadataValue], is_nm: bool
) -> TableRow | FileRefusal:
    key = next((texts[name] for name in IDS if name in texts), None)
    if key is None:
        return _refuse_nameless(entry.place)
    fault = next((name for name, value in entry.cells.items() if name not in IDS and not _can_keep(value)), None)
    if fault:
        advice = f"Give it in UTF-8, and at most {_LONGEST_TEXT:,} characters"
        return FileRefusal(entry.place, f"column {fault!r} holds what cannot be stored as text", advice)
    given = entry.cells.get("spacing")
    spacing = None if given is None else parse_spacing(str(given), is_nm)
    if given is not None and spacing is None:
        advice = f"Give µm per pixel as a number from {FINEST_SPACING:g} to {COARSEST_SPACING:g}"
        return FileRefusal(entry.place, f"the spacing of {key!r} is {given!r}", advice)
    return TableRow(
        file=texts.get("file"),
        slide_id=texts.get("slide_id"),
        case_id=texts.get("case_id"),
        spacing_um_per_px=spacing,
        report=texts.get("report"),
        texts={name: texts[name] for name in TEXT_COLUMNS if name in texts},
        extra=extra,
        place=entry.place,
        cells={name: text for name in extra if isinstance(text := entry.cells.get(name), str)},
    )


def _join_repeats(path: Path, rows: Sequence[TableRow]) -> tuple[list[TableRow], list[FileRefusal], list[str]]:
    """Rows of one key put together where they agree, and refused where they contradict each other."""
    groups: dict[tuple[str, str], list[TableRow]] = defaultdict(list)
    for row in rows:
        kind = "file" if row.file else "slide" if row.slide_id else "case"
        groups[kind, row.key].append(row)
    kept: list[TableRow] = []
    refused: list[FileRefusal] = []
    notes: list[str] = []
    for group in groups.values():
        merged, faults = join_rows(group)
        refused += faults
        kept += [merged] if merged else []
        if merged and len(group) > 1:
            places = " and ".join(row.where for row in group)
            notes.append(f"{path}: {places} say the same of {merged.key!r}, and are taken as one row")
    more = len(notes) - _MOST_NOTES
    notes = [*notes[:_MOST_NOTES], f"{path}: rows of {more} more ids as well"] if more > 0 else notes
    return kept, refused, notes


def _refuse_table(path: Path, refused: Sequence[FileRefusal]) -> BadTable:
    if not refused:
        return BadTable(path, "no rows", _NO_ROWS)
    first = refused[0]
    more = f" ({len(refused)} rows are refused, and no other is left)" if len(refused) > 1 else ""
    place = f"{first.source.place}: " if first.source.place else ""
    return BadTable(path, f"{place}{first.what}{more}", first.advice)


def cast_columns(table: MetadataTable, types: Mapping[str, pa.DataType]) -> MetadataTable:
    """The table with its further columns in the types that an archive's columns have already; rows with a value that
    does not fit are refused.

    Raises InputError naming the column and the first such value where no row is left.
    """
    changes = {name: types[name] for name, kind in table.extra_types.items() if types.get(name, kind) != kind}
    if not changes:
        return table
    rows: list[TableRow] = []
    refused: list[FileRefusal] = []
    fault: InputError | None = None
    for row in table.rows:
        try:
            cast = {n: cast_cell(n, row.cells.get(n), row.extra[n], kind) for n, kind in changes.items()}
        except InputError as error:
            fault = fault or error
            refused.append(
                FileRefusal(row.place or ReportSource(table.path), f"{error.where}: {error.what}", error.advice)
            )
        else:
            rows.append(replace(row, extra={**row.extra, **cast}))
    if fault and not rows:
        raise fault
    extra_types = {**table.extra_types, **changes}
    return replace(table, rows=tuple(rows), extra_types=extra_types, refused=(*table.refused, *refused))
