"""Tables of reports as rows of text: CSV and its relatives, JSON, JSON Lines, workbooks."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import TextIO, cast

from histoseek.errors import BadTable
from histoseek.reports.files.document import Format
from histoseek.reports.files.encodings import Encoding, find_encoding
from histoseek.reports.files.quotes import OpenQuote, read_rows

_NULLS = frozenset(("", "na", "n/a", "nan", "null", "none"))
_DELIMITERS = ",\t;|"


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row: its number in the file, its cells in the order of the table's names, and what is wrong with which."""

    number: int
    cells: Sequence[str]
    faults: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be read at all: its number, what is wrong, and the next step."""

    number: int
    what: str
    advice: str


@dataclass(frozen=True, slots=True)
class RawTable:
    """A table before its columns are known. rows can be walked once; a row may have another length than names."""

    path: Path
    format: Format
    encoding: str | None
    names: tuple[str, ...]
    rows: Iterable[RawRow | BadRow]


def read_separated(path: Path) -> RawTable:
    """A table with commas, tabs, semicolons or bars between its cells; rows are read as the caller takes them.

    Raises BadTable when there is no header; InputError when the file holds no text.
    """
    encoding = find_encoding(path)
    with _open(path, encoding) as file:
        head = file.readline()
    delimiter = max(_DELIMITERS, key=head.count)
    rows = _read_records(path, encoding, delimiter)
    header = next(rows, [])
    if isinstance(header, OpenQuote):
        raise BadTable(path, header.what, header.advice)
    names = tuple(name.strip() for name in header)
    if not any(names):
        raise BadTable(path, "no header", "Give a table whose first row names its columns")
    return RawTable(path, "table", encoding.name, names, _number_rows(rows))


def looks_separated(path: Path) -> bool:
    """Whether the first line of a text file can be a table's header of at least two short names."""
    with _open(path, find_encoding(path)) as file:
        head = file.readline(4096)
    names = head.strip().split(max("\t;,", key=head.count))
    return len(names) > 1 and all(0 < len(name.strip()) <= 40 and name.count(" ") <= 3 for name in names)


def read_json_lines(path: Path) -> RawTable:
    """One JSON object a line; other lines are bad rows. Raises BadTable naming the first line when all are bad."""
    encoding = find_encoding(path)
    with _open(path, encoding) as file:
        rows = [_parse_line(number, line) for number, line in enumerate(file, start=1) if line.strip()]
    if rows and all(isinstance(row, BadRow) for row in rows):
        first = cast("BadRow", rows[0])
        raise BadTable(path, first.what, first.advice)
    return _make_table(path, "json lines", encoding.name, rows)


def read_json(path: Path) -> RawTable:
    """A list of objects, an object of id to text or id to object, or one of these under a single name.

    Raises BadTable when it is no JSON, or another shape.
    """
    encoding = find_encoding(path)
    with _open(path, encoding) as file:
        try:
            tree = json.load(file, object_pairs_hook=_keep_repeats)
        except (ValueError, RecursionError) as error:
            raise BadTable(path, f"not readable as JSON ({error})", "Export it again") from error
    rows = [_JsonRow(number, record) for number, record in enumerate(_find_records(path, tree), start=1)]
    return _make_table(path, "json", encoding.name, rows)


def table_of_rows(rows: Sequence[Mapping[str, object]], name: str) -> RawTable:
    """Rows that a program has at hand, as if they came from a list of JSON objects; name: for messages.

    Raises BadTable when there are none.
    """
    if not rows:
        raise BadTable(Path(name), "no rows", "Give at least one row, or none at all")
    return _make_table(Path(name), "rows", None, [_JsonRow(number, row) for number, row in enumerate(rows, start=1)])


def read_workbook(path: Path) -> Iterator[RawTable]:
    """The sheets of an Excel or OpenDocument workbook that hold anything. Raises BadTable when it cannot be read."""
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        sheets = CalamineWorkbook.from_path(str(path))
        names = sheets.sheet_names
        grids = [sheets.get_sheet_by_name(name).to_python() for name in names]
    except (CalamineError, OSError) as error:
        reason = " ".join(str(error).split())
        raise BadTable(path, f"not a readable workbook ({reason})", "Save it again, without a password") from error
    for grid in grids:
        filled = [(number, row) for number, row in enumerate(grid, start=1) if any(cell != "" for cell in row)]
        if filled:
            header = tuple(_write_cell(cell).strip() for cell in filled[0][1])
            rows = (RawRow(number, [_write_cell(cell) for cell in row]) for number, row in filled[1:])
            yield RawTable(path, "workbook", None, header, rows)


def is_null(cell: str) -> bool:
    """Whether a cell says that it holds nothing."""
    return len(cell) < 5 and cell.strip().lower() in _NULLS


@dataclass(frozen=True, slots=True)
class _JsonRow:
    """A JSON object that is a row, and its number."""

    number: int
    values: Mapping[str, object]


class _NoTextError(ValueError):
    """A value that is neither a text nor can be written as one."""


class _RepeatedNames(dict[str, object]):
    """A JSON object in which a name comes twice; pairs keeps them all."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


def _keep_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    plain = dict(pairs)
    return plain if len(plain) == len(pairs) else _RepeatedNames(pairs)


def _open(path: Path, encoding: Encoding) -> TextIO:
    return path.open(encoding=encoding.codec, errors=encoding.errors, newline="")


def _read_records(path: Path, encoding: Encoding, delimiter: str) -> Iterator[list[str] | OpenQuote]:
    with _open(path, encoding) as file:
        try:
            yield from read_rows((line.replace("\x00", "") for line in file), delimiter)
        except csv.Error as error:
            raise BadTable(path, f"not a readable table ({error})", "Save it as CSV or TSV in UTF-8") from error


def _number_rows(rows: Iterable[list[str] | OpenQuote]) -> Iterator[RawRow | BadRow]:
    """The rows below a header that hold anything."""
    for number, row in enumerate(rows, start=2):
        if isinstance(row, OpenQuote):
            yield BadRow(number, row.what, row.advice)
        elif any(row):
            yield RawRow(number, row)


def _parse_line(number: int, line: str) -> _JsonRow | BadRow:
    advice = "Put one JSON object on each line"
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        return BadRow(number, f"line {number} is not JSON ({error})", advice)
    if not isinstance(value, dict):
        return BadRow(number, f"line {number} is not a JSON object", advice)
    return _JsonRow(number, value)


def _find_records(path: Path, tree: object) -> list[Mapping[str, object]]:
    if isinstance(tree, dict) and len(tree) == 1:
        (inner,) = tree.values()
        if isinstance(inner, list):
            tree = inner
    if isinstance(tree, list) and tree and all(isinstance(record, dict) for record in tree):
        return cast("list[Mapping[str, object]]", tree)
    if isinstance(tree, dict) and tree:
        pairs = tree.pairs if isinstance(tree, _RepeatedNames) else list(tree.items())
        if all(isinstance(value, str) for _, value in pairs):
            return [{"id": key, "report": value} for key, value in pairs]
        if all(isinstance(value, dict) for _, value in pairs):
            return [{"id": key, **cast("Mapping[str, object]", value)} for key, value in pairs]
    advice = 'Give a list of objects, {"id": "text"}, {"id": {...}} or {"data": [...]}'
    raise BadTable(path, f"JSON of an unexpected shape ({_describe_shape(tree)})", advice)


def _describe_shape(tree: object) -> str:
    if isinstance(tree, list):
        return f"a list of {len(tree)}, not all of them objects" if tree else "an empty list"
    return "an object with values of several kinds" if isinstance(tree, dict) else f"a single {type(tree).__name__}"


def _make_table(path: Path, kind: Format, encoding: str | None, records: Sequence[_JsonRow | BadRow]) -> RawTable:
    flat = [row if isinstance(row, BadRow) else _JsonRow(row.number, dict(_flatten(row.values))) for row in records]
    names = tuple(dict.fromkeys(name for row in flat if isinstance(row, _JsonRow) for name in row.values))
    rows = (row if isinstance(row, BadRow) else _make_row(row, names) for row in flat)
    return RawTable(path, kind, encoding, names, rows)


def _flatten(record: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """An object's values; those of an object in it as outer.inner."""
    for name, value in record.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{inner}", cell) for inner, cell in value.items())
        else:
            yield name, value


def _make_row(record: _JsonRow, names: Sequence[str]) -> RawRow:
    cells: list[str] = []
    faults: dict[int, str] = {}
    for place, name in enumerate(names):
        try:
            cells.append(_write_cell(record.values.get(name)))
        except _NoTextError as error:
            cells.append("")
            faults[place] = str(error)
    return RawRow(record.number, cells, faults)


def _write_cell(value: object) -> str:
    """A value as text: whole numbers without a fraction, lists of texts one a line.

    Raises _NoTextError for nested values, of which a text would be a part only, and for numbers out of range.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and math.isinf(value):
        raise _NoTextError("a number out of range")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value)):
        raise _NoTextError("nested values")
    return "\n".join(map(_write_cell, value)) if isinstance(value, list) else str(value)
