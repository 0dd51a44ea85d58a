"""Metadata tables: CSV (with commas, tabs or semicolons) in, typed rows out."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pc

from histoseek.archive.schema import TEXT_COLUMNS, MetadataValue, cast_value, extra_column_name
from histoseek.errors import BadTable
from histoseek.reports.files.quotes import find_open_quote
from histoseek.reports.privacy.deidentify import KnownIdentifiers

_ALIASES = {
    "slide": "slide_id",
    "case": "case_id",
    "patient": "patient_id",
    "filename": "file",
    "path": "file",
    "mpp": "spacing",
    "spacing_um_per_px": "spacing",
    "text": "report",
}
_IDS = ("file", "slide_id", "case_id")
_TEXTS = (*_IDS, *TEXT_COLUMNS, "report")
_NULLS = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"]


@dataclass(frozen=True, slots=True)
class TableRow:
    """One row: at least one of file, slide_id and case_id; the rest as far as given.

    identifiers: of the person, to be looked for in reports; empty until `personal_data.pseudonymise_table`.
    """

    file: str | None = None
    slide_id: str | None = None
    case_id: str | None = None
    spacing_um_per_px: float | None = None
    report: str | None = None
    texts: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, MetadataValue] = field(default_factory=dict)
    identifiers: KnownIdentifiers = field(default_factory=KnownIdentifiers)

    @property
    def key(self) -> str:
        """What the row is called in messages."""
        return self.file or self.slide_id or self.case_id or ""


@dataclass(frozen=True, slots=True)
class MetadataTable:
    """A table about slides; folder: that of its file, which relative paths in it start from.

    patient_column: what the table itself calls the ids of patients.
    """

    path: Path
    rows: tuple[TableRow, ...]
    extra_types: Mapping[str, pa.DataType]
    patient_column: str = "patient_id"

    @property
    def folder(self) -> Path:
        """The folder of the table's file."""
        return self.path.absolute().parent


def load_table(path: Path, rename: Mapping[str, str] | None = None) -> MetadataTable:
    """Read a table whose rows are identified by `file`, `slide_id` or `case_id`; `rename` maps column names first.

    Columns are typed: ids and the standard columns are text, others integers, floats, booleans, dates or text.
    Raises BadTable: unreadable, empty, no id column, an id twice, a spacing that is not a positive number.
    """
    return _make_table(_read(path, rename or {}), path, rename or {})


def make_table(rows: Sequence[Mapping[str, MetadataValue]], rename: Mapping[str, str] | None = None) -> MetadataTable:
    """A table from rows that a program has at hand; texts are typed as those of a file are. Raises BadTable as
    `load_table` does, calling the table "metadata"."""
    path, rename = Path("metadata"), rename or {}
    if not rows:
        raise BadTable(path, "no rows", "Give one row per slide or case")
    columns = {name: [row.get(name) for row in rows] for name in dict.fromkeys(name for row in rows for name in row)}
    texts = {name: values for name, values in columns.items() if all(isinstance(v, str | None) for v in values)}
    typed = _parse(_write_csv(texts), ",", path, rename) if texts else pa.table({})
    arrays = [typed[name] if name in texts else pa.chunked_array([_make_column(columns[name])]) for name in columns]
    return _make_table(pa.table(arrays, names=list(columns)), path, rename)


def _write_csv(columns: Mapping[str, Sequence[MetadataValue]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([columns.keys(), *zip(*columns.values(), strict=True)])
    return text.getvalue()


def _make_column(values: Sequence[MetadataValue]) -> pa.Array:
    """Values that are not all texts: as they are, or as texts where they are of several types."""
    same = len({type(value) for value in values if value is not None}) == 1
    return pa.array(values if same else [None if value is None else str(value) for value in values])


def _make_table(raw: pa.Table, path: Path, rename: Mapping[str, str]) -> MetadataTable:
    table = _rename_columns(raw, path, rename)
    present = [name for name in _IDS if name in table.column_names]
    if not present:
        usual = (*_TEXTS, "spacing", "name")
        has_header = any(name in usual for name in table.column_names)
        columns = (
            ", ".join(table.column_names) if has_header else f"{table.num_columns} columns, none with a known name"
        )
        raise BadTable(
            path, f"no id column among: {columns}", "Name one 'slide_id', 'case_id' or 'file', or use --rename"
        )
    if not table.num_rows:
        raise BadTable(path, "no rows", "Give a table with one row per slide or case")
    standard = (*_TEXTS, "spacing")
    extra = {name: table.schema.field(name).type for name in table.column_names if name not in standard}
    rows = tuple(_make_row(row, extra, path) for row in table.to_pylist())
    patient_columns = (name for name in raw.column_names if _normalise_name(name, rename) == "patient_id")
    return MetadataTable(path, rows, extra, next(patient_columns, "patient_id"))


def require_unique(table: MetadataTable) -> None:
    """Raise BadTable when two rows have the same id."""
    keys: set[tuple[str | None, ...]] = set()
    for row in table.rows:
        key = (row.file,) if row.file else (row.slide_id,) if row.slide_id else (None, row.case_id)
        if key in keys:
            raise BadTable(table.path, f"{row.key!r} is there twice", "Keep one row per slide, or one per case")
        keys.add(key)


def cast_columns(table: MetadataTable, types: Mapping[str, pa.DataType]) -> MetadataTable:
    """The table with its further columns in the types that an archive's columns have already.

    Raises InputError naming the column and the first value that does not fit.
    """
    changes = {name: kind for name, kind in table.extra_types.items() if types.get(name, kind) != kind}
    if not changes:
        return table
    rows = tuple(
        replace(row, extra={**row.extra, **{name: cast_value(name, row.extra[name], types[name]) for name in changes}})
        for row in table.rows
    )
    return replace(table, rows=rows, extra_types={**table.extra_types, **{name: types[name] for name in changes}})


def _decode(data: bytes) -> str:
    """UTF-8, UTF-16 with its mark (Excel's "Unicode text"), or else Windows' western code page."""
    for encoding in ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig",):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("cp1252", errors="replace")


def _read(path: Path, rename: Mapping[str, str]) -> pa.Table:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadTable(path, error.strerror or "cannot be read", "Check the path") from error
    text = _decode(data)
    head = text.partition("\n")[0]
    delimiter = max(",\t;", key=head.count)
    _require_closed_quotes(path, text, delimiter)
    return _parse(text, delimiter, path, rename)


def _parse(text: str, delimiter: str, path: Path, rename: Mapping[str, str]) -> pa.Table:
    """Typed columns of a table's text."""
    head = text.partition("\n")[0]
    parse = pc.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    names = [name.strip() for name in next(csv.reader([head.rstrip("\r")], delimiter=delimiter))]
    texts = {name: pa.string() for name in names if _normalise_name(name, rename) in _TEXTS}
    convert = pc.ConvertOptions(
        column_types=texts,
        strings_can_be_null=True,
        null_values=_NULLS,
        timestamp_parsers=[],
        quoted_strings_can_be_null=True,
    )
    try:
        return pc.read_csv(io.BytesIO(text.encode()), parse_options=parse, convert_options=convert)
    except pa.ArrowInvalid as error:
        reason = _strip_content(str(error))
        raise BadTable(path, f"not a readable table ({reason})", "Save it as CSV or TSV in UTF-8") from error


def _require_closed_quotes(path: Path, text: str, delimiter: str) -> None:
    """Raise BadTable for a quote that would take further rows into its cell."""
    try:
        quote = find_open_quote(io.StringIO(text, newline=""), delimiter)
    except csv.Error as error:
        raise BadTable(path, f"not a readable table ({error})", "Save it as CSV or TSV in UTF-8") from error
    if quote:
        raise BadTable(path, quote.what, "Close it, and double the quotes inside texts")


def _strip_content(fault: str) -> str:
    """What a parser says is wrong, without the row that it quotes: a row may identify the patient."""
    return fault.removeprefix("CSV parse error: ").partition(":")[0]


def _rename_columns(table: pa.Table, path: Path, rename: Mapping[str, str]) -> pa.Table:
    ours = [_normalise_name(name, rename) for name in table.column_names]
    standard = (*_TEXTS, "spacing")
    names = [name if name in standard else extra_column_name(name) for name in ours]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise BadTable(path, f"two columns are called {twice!r}", "Rename one of them, or use --rename OLD=NEW")
    plain = {name: pa.string() for name in _TEXTS}
    columns = [
        _simplify(column.cast(plain.get(name, column.type))) for name, column in zip(names, table.columns, strict=True)
    ]
    return pa.table(columns, names=names)


def _normalise_name(name: str, rename: Mapping[str, str]) -> str:
    """A column's name after renaming and in our spelling, as far as it is one of ours."""
    renamed = rename.get(name.strip(), name.strip()).lower()
    return _ALIASES.get(renamed, renamed)


def _simplify(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Columns of any other type than ours (empty ones, times) as text."""
    kinds = (pa.types.is_int64, pa.types.is_float64, pa.types.is_boolean, pa.types.is_date32, pa.types.is_string)
    return column if any(is_kind(column.type) for is_kind in kinds) else column.cast(pa.string())


def _make_row(row: Mapping[str, MetadataValue], extra: Mapping[str, pa.DataType], path: Path) -> TableRow:
    texts = {name: str(row[name]).strip() for name in _TEXTS if row.get(name) is not None}
    if not any(name in texts for name in _IDS):
        raise BadTable(path, "the row has no id", "Fill in its slide_id, case_id or file, or remove the row")
    key = next(texts[name] for name in _IDS if name in texts)
    return TableRow(
        file=texts.get("file"),
        slide_id=texts.get("slide_id"),
        case_id=texts.get("case_id"),
        spacing_um_per_px=_parse_spacing(row.get("spacing"), key, path),
        report=texts.get("report"),
        texts={name: texts[name] for name in TEXT_COLUMNS if name in texts},
        extra={name: row[name] for name in extra},
    )


def _parse_spacing(value: MetadataValue, key: str, path: Path) -> float | None:
    if value is None:
        return None
    try:
        spacing = float(str(value).strip().lstrip("~"))
    except ValueError:
        spacing = 0.0
    if not spacing > 0:
        raise BadTable(path, f"the spacing of {key!r} is {value!r}", "Give µm per pixel as a positive number")
    return spacing
