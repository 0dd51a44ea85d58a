"""Tables of reports as rows of text: CSV and its relatives, JSON, JSON Lines, workbooks."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from itertools import accumulate, chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

from histoseek.bounds import MOST_LINE_CHARACTERS, require_cells, require_file_bytes, require_json
from histoseek.errors import BadTable, TooLarge
from histoseek.reports.files.column_names import ID_ROLES, recognise_column
from histoseek.reports.files.document import Format
from histoseek.reports.files.encodings import Encoding, clean_id, find_encoding
from histoseek.reports.files.quotes import OpenQuote, read_rows
from histoseek.reports.files.workbook_extent import require_small_sheets

if TYPE_CHECKING:
    from python_calamine import CalamineSheet

_NULLS = frozenset(("", "na", "n/a", "nan", "null", "none"))
_DELIMITERS = ",\t;|"
_DECLARED = re.compile(r'[\ufeff ]*"?sep=(.)"?[\s,;]*', re.IGNORECASE)
"""The first line by which Excel is told the delimiter."""
_SAMPLE_LINES, _SAMPLE_CHARACTERS = 200, 1 << 18
_MOST_MERGED_ROWS = 10_000_000
_LONGEST_REASON = 200
_MOST_TITLES = 10
"""Rows among which the header is looked for: exports begin with titles."""


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row: its number in the file, its cells in the order of the table's names, and what is wrong with which.

    line: that of a text file in which it begins."""

    number: int
    cells: Sequence[str]
    faults: Mapping[int, str] = field(default_factory=dict)
    line: int | None = None


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be read at all: its number, what is wrong, the next step, and its line."""

    number: int
    what: str
    advice: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class RawTable:
    """A table before its columns are known. rows can be walked once; a row may have another length than names.

    sheet: its name in a workbook of several; delimiter: of a separated table.
    """

    path: Path
    format: Format
    encoding: str | None
    names: tuple[str, ...]
    rows: Iterable[RawRow | BadRow]
    sheet: str | None = None
    delimiter: str | None = None


def read_separated(path: Path) -> RawTable:
    """A table with commas, tabs, semicolons or bars between its cells; rows are read as the caller takes them.

    The delimiter is the one that the first line declares (`sep=;`), or that makes the best table of the file's head.
    Titles above the header are passed over. Raises BadTable when there is no header; InputError when the file holds no
    text.
    """
    require_file_bytes(path)
    encoding = find_encoding(path)
    delimiter = _find_delimiter(path, encoding)
    rows = _count_cells(path, _number_rows(_read_records(path, encoding, delimiter)))
    head = list(islice(rows, _MOST_TITLES))
    if head and isinstance(head[0], BadRow):
        raise BadTable(path, head[0].what, head[0].advice)
    cells = [row.cells if isinstance(row, RawRow) else () for row in head]
    place = _find_header(cells)
    if place is None:
        raise BadTable(path, "no header", "Give a table whose first row names its columns")
    require_cells(path, 1, len(cells[place]))
    below = chain(head[place + 1 :], rows)
    return RawTable(path, "table", encoding.name, _read_names(cells[place]), below, delimiter=delimiter)


def looks_separated(path: Path) -> bool:
    """Whether a text file can be a table: it begins with a header of at least two short names."""
    encoding = find_encoding(path)
    rows = list(_parse_sample(_read_sample(path, encoding), _find_delimiter(path, encoding)))
    place = _find_header(rows[:_MOST_TITLES])
    names = _read_names(rows[0]) if place == 0 else ()
    return len(names) > 1 and all(0 < len(name) <= 40 and name.count(" ") <= 3 for name in names)


def _find_delimiter(path: Path, encoding: Encoding) -> str:
    sample = _read_sample(path, encoding)
    declared = _DECLARED.fullmatch(sample[0]) if sample else None
    return declared[1] if declared else max(_DELIMITERS, key=lambda delimiter: _rate_delimiter(sample, delimiter))


def _read_sample(path: Path, encoding: Encoding) -> list[str]:
    """The first lines of a text file."""
    with _open(path, encoding) as file:
        lines = list(islice(iter(lambda: file.readline(_SAMPLE_CHARACTERS), ""), _SAMPLE_LINES))
    sizes = accumulate(map(len, lines))
    return [line for line, size in zip(lines, sizes, strict=True) if size <= _SAMPLE_CHARACTERS] or lines[:1]


def _rate_delimiter(sample: Sequence[str], delimiter: str) -> tuple[int, float, int]:
    """How good a table a delimiter makes: known names in its header, rows as long as the header, columns."""
    rows = list(_parse_sample(sample, delimiter))
    place = _find_header(rows[:_MOST_TITLES])
    if place is None:
        return (0, 0.0, 0)
    names, width = _read_names(rows[place]), len(rows[place])
    known = sum(recognise_column(name) is not None for name in names)
    fitting = sum(len(row) == width for row in rows[place:]) / len(rows[place:])
    return (known, fitting if width > 1 else 0.0, width)


def _parse_sample(sample: Sequence[str], delimiter: str) -> Iterator[list[str]]:
    """The rows of a sample that hold anything, with quotes taken as they come."""
    lines = (line.replace("\x00", "") for line in sample)
    try:
        yield from (row for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=True) if _holds_any(row))
    except csv.Error:
        return


def _find_header(rows: Sequence[Sequence[str]]) -> int | None:
    """The place of the row that names the columns: the first one, or below titles and names of groups of columns, which
    fill fewer cells or name nothing that is known, the first with the name of an id."""
    filled = [[name for name in map(clean_id, row) if name] for row in rows]
    first = next((place for place, names in enumerate(filled) if names), None)
    if first is None:
        return None
    for place in range(first + 1, len(rows)):
        above = filled[first:place]
        is_known = any(recognise_column(name) for names in above for name in names)
        names, widest = filled[place], max(map(len, above))
        if len(names) >= widest + is_known and _names_id(names) and len(set(names)) == len(names):
            return place
    return first


def _names_id(names: Sequence[str]) -> bool:
    said = [recognise_column(name) for name in names]
    return any(named and named.role in ID_ROLES for named in said)


def _read_names(cells: Sequence[str]) -> tuple[str, ...]:
    """The names of a header, without what cannot be seen in them and without the empty ones at its end."""
    names = [clean_id(cell) for cell in cells]
    last = max((place for place, name in enumerate(names) if name), default=-1)
    return tuple(names[: last + 1])


def _holds_any(cells: Sequence[str]) -> bool:
    return any(cell and not cell.isspace() for cell in cells)


def read_json_lines(path: Path) -> RawTable:
    """One JSON object a line; other lines are bad rows. Raises BadTable naming the first line when all are bad."""
    encoding = find_encoding(path)
    require_file_bytes(path)
    with _open(path, encoding) as file:
        lines = enumerate(_read_lines(path, file), start=1)
        rows = [_parse_line(path, number, line) for number, line in lines if line.strip()]
    if rows and all(isinstance(row, BadRow) for row in rows):
        first = cast("BadRow", rows[0])
        raise BadTable(path, first.what, first.advice)
    return _make_table(path, "json lines", encoding.name, rows)


def read_json(path: Path) -> RawTable:
    """A list of objects, an object of id to text or id to object, or one of these under a single name.

    Raises BadTable when it is no JSON, or another shape.
    """
    encoding = find_encoding(path)
    require_file_bytes(path)
    with _open(path, encoding) as file:
        text = file.read()
        require_json(path, text)
        try:
            tree = json.loads(text, object_pairs_hook=_keep_repeats)
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
    """The visible sheets of an Excel or OpenDocument workbook that hold anything. Raises BadTable when it cannot be
    read, as when it has a password."""
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetTypeEnum, SheetVisibleEnum

    require_small_sheets(path)
    try:
        book = CalamineWorkbook.from_path(str(path))
        shown = [
            sheet.name
            for sheet in book.sheets_metadata
            if sheet.visible == SheetVisibleEnum.Visible and sheet.typ == SheetTypeEnum.WorkSheet
        ]
        grids = {name: _read_grid(path, book.get_sheet_by_name(name)) for name in shown}
    except PasswordError as error:
        raise BadTable(path, "a workbook with a password", "Save it again, without the password") from error
    except (CalamineError, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:_LONGEST_REASON]
        raise BadTable(path, f"not a readable workbook ({reason})", "Save it again, without a password") from error
    for sheet, grid in grids.items():
        cells = [[_write_cell(_round_cell(cell)) for cell in row] for row in grid]
        rows = [RawRow(number, row) for number, row in enumerate(cells, start=1) if _holds_any(row)]
        place = _find_header([row.cells for row in rows[:_MOST_TITLES]])
        if place is not None:
            names = _read_names(rows[place].cells)
            yield RawTable(path, "workbook", None, names, rows[place + 1 :], sheet if len(grids) > 1 else None)


def _read_grid(path: Path, sheet: CalamineSheet) -> list[list[object]]:
    """A sheet's cells; one that goes over several rows says the same in each of them."""
    grid: list[list[object]] = [list(row) for row in sheet.to_python(skip_empty_area=False)]
    merged = sheet.merged_cell_ranges or ()
    rows = sum(max(0, min(last, len(grid)) - first) for (first, _), (last, _) in merged)
    if rows > _MOST_MERGED_ROWS:
        raise TooLarge(path, f"cells merged over {rows:,} rows in all", f"{_MOST_MERGED_ROWS:,}")
    for (first, column), (last, _) in merged:
        for row in grid[first + 1 : last + 1]:
            if column < len(row) and row[column] == "":
                row[column] = grid[first][column]
    return grid


def find_wrong_length(row: RawRow, names: Sequence[str]) -> str | None:
    """That a row has fewer cells than its header, or more that are not empty; None where it fits."""
    if len(row.cells) >= len(names) and not _holds_any(row.cells[len(names) :]):
        return None
    cells = "1 cell" if len(row.cells) == 1 else f"{len(row.cells)} cells"
    return f"{cells} where the header has {len(names)}"


def is_null(cell: str) -> bool:
    """Whether a cell says that it holds nothing."""
    return len(cell) < 5 and cell.strip().lower() in _NULLS


def _round_cell(value: object) -> object:
    """A cell of a workbook as its sheet shows it: 15 digits, days without a time, TRUE and FALSE."""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return float(f"{value:.15g}")
    return value.date() if isinstance(value, datetime) and value.time() == time() else value


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


def _read_lines(path: Path, file: TextIO) -> Iterator[str]:
    """The lines of a file; raises TooLarge for one that is longer than any row."""
    for line in iter(lambda: file.readline(MOST_LINE_CHARACTERS), ""):
        if len(line) == MOST_LINE_CHARACTERS:
            raise TooLarge(path, "a line of more characters", f"{MOST_LINE_CHARACTERS:,}")
        yield line


def _read_records(path: Path, encoding: Encoding, delimiter: str) -> Iterator[tuple[int, list[str] | OpenQuote]]:
    """The rows of a table with the lines they begin in, but for a line that declares the delimiter."""
    with _open(path, encoding) as file:
        lines = (line.replace("\x00", "") for line in _read_lines(path, file))
        try:
            for line, row in read_rows(lines, delimiter):
                if line > 1 or isinstance(row, OpenQuote) or not _DECLARED.fullmatch(delimiter.join(row)):
                    yield line, row
        except csv.Error as error:
            raise BadTable(path, f"not a readable table ({error})", "Save it as CSV or TSV in UTF-8") from error


def _number_rows(rows: Iterable[tuple[int, list[str] | OpenQuote]]) -> Iterator[RawRow | BadRow]:
    """The rows that hold anything; the first row of the file has the number 1."""
    for number, (line, row) in enumerate(rows, start=1):
        if isinstance(row, OpenQuote):
            yield BadRow(number, row.what, row.advice, line)
        elif _holds_any(row):
            yield RawRow(number, row, line=line)


def _count_cells(path: Path, rows: Iterable[RawRow | BadRow]) -> Iterator[RawRow | BadRow]:
    """The rows, as long as all their cells are no more than one file may have."""
    cells = 0
    for row in rows:
        if isinstance(row, RawRow):
            cells += len(row.cells)
            require_cells(path, cells, 1)
        yield row


def _parse_line(path: Path, number: int, line: str) -> _JsonRow | BadRow:
    advice = "Put one JSON object on each line"
    require_json(path, line)
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
    require_cells(path, len(flat), len(names))
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
