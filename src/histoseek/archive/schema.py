"""What the archive keeps of a slide, and how it lies in columns."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import pyarrow as pa

from histoseek.arguments import describe
from histoseek.equality import EqualByContent
from histoseek.errors import InputError
from histoseek.mosaics.signature import Signature, pack_tiles, unpack_tiles
from histoseek.reports.privacy.person_names import make_patient_key
from histoseek.unicode import is_text

if TYPE_CHECKING:
    from histoseek.reports.index.record_words import RecordField

ANALYSER_KEY = b"analyser"

MetadataValue = str | int | float | bool | date | None

TEXT_COLUMNS = ("case_id", "patient_id", "site", "stain", "organ", "diagnosis")
"""Metadata that every archive has a column for; any other column of a table is kept as an extra one."""


@dataclass(frozen=True, slots=True)
class SlideRecord:
    """A slide without its vectors.

    uri: of its source, for a file its path; width and height in level-0 px and spacing in um/px, 0 when unknown
    (feature files); tile_count: tiles in its bag; times in UTC; extra: further typed metadata columns.
    """

    slide_id: str
    uri: str
    file_fingerprint: str
    width: int
    height: int
    spacing_um_per_px: float
    tile_count: int
    created: datetime
    updated: datetime
    case_id: str | None = None
    patient_id: str | None = None
    site: str | None = None
    stain: str | None = None
    organ: str | None = None
    diagnosis: str | None = None
    report: str | None = None
    extra: Mapping[str, MetadataValue] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.slide_id, self.file_fingerprint, self.updated))


@dataclass(frozen=True, slots=True, eq=False)
class LanguageVectors(EqualByContent):
    """What ties a slide to language; None where there is none. Vectors are float32 and of length one.

    report_vector: the report as its text encoder gives it; shared_vector and shared_report_vector: slide and report
    in the archive's shared space; report_tokens: what search for words compares, a blank around each; report_facts:
    what the report states, each as field:value; report_places: where the tokens stand (`pack_places`), so that searches
    mark them without reading the report anew; report_windows: the parts of a long report, float16 [W, T].
    """

    report_vector: np.ndarray | None = None
    shared_vector: np.ndarray | None = None
    shared_report_vector: np.ndarray | None = None
    report_tokens: str | None = None
    report_facts: tuple[str, ...] | None = None
    report_places: bytes | None = None
    report_windows: np.ndarray | None = None


PLACES_FIELD = pa.field("report_places", pa.binary())
"""Archives of older versions lack this column until their reports are read anew."""

LANGUAGE_COLUMNS = tuple(column.name for column in fields(LanguageVectors))


@dataclass(frozen=True, slots=True)
class StoredSlide:
    """A slide as the store holds it.

    altered: the parts of its row (`stores.checksums`) that are not as they were written, which stays known when the
    row is written again; word_tiles: tiles in the space of words (`mosaics.tile_words`), packed, None where there is
    none.
    """

    record: SlideRecord
    signature: Signature
    language: LanguageVectors = LanguageVectors()
    altered: tuple[str, ...] = ()
    word_tiles: bytes | None = None

    def renew(self, *parts: str) -> StoredSlide:
        """The same slide once these parts were made anew."""
        return replace(self, altered=tuple(part for part in self.altered if part not in parts))


_TIME = pa.timestamp("us", tz="UTC")
_RECORD_FIELDS = (
    pa.field("slide_id", pa.string(), nullable=False),
    pa.field("uri", pa.string()),
    pa.field("file_fingerprint", pa.string()),
    pa.field("width", pa.int64()),
    pa.field("height", pa.int64()),
    pa.field("spacing_um_per_px", pa.float64()),
    pa.field("tile_count", pa.int64()),
    pa.field("created", _TIME),
    pa.field("updated", _TIME),
    *(pa.field(name, pa.string()) for name in TEXT_COLUMNS),
    pa.field("report", pa.string()),
)
RECORD_COLUMNS = tuple(column.name for column in _RECORD_FIELDS)
SIGNATURE_COLUMNS = (
    "global_vector",
    "mosaic",
    "shares",
    "barcodes",
    "tiles",
)
MOSAIC_KEY = b"dimension"
"""Beside the column of mosaics: their dimension, where it is not that of the global vectors."""
CONTEXT: Final = "context_vector"
"""The vector of a slide at the archive's coarser spacing; archives of one spacing lack the column."""

RECORD_TOKENS = "record_tokens"
"""What search for words compares of a slide's metadata and names, a blank around each token."""

CHECKSUM = "_checksum"
"""Of a row's parts (`stores.checksums`), null in rows of older versions. No column of a table is called so."""

WORD_TILES = "_word_tiles"
"""Tiles in the space of words; only archives whose tile encoder has words have this column."""

VECTOR_COLUMNS = (*SIGNATURE_COLUMNS, CONTEXT, *LANGUAGE_COLUMNS, RECORD_TOKENS, CHECKSUM, WORD_TILES)
"""What is derived from slides, reports and records, and is no metadata."""


def make_slides_schema(
    dimension: int,
    analyser: str = "",
    record_analyser: str = "",
    extra: Iterable[pa.Field] = (),
    mosaic_dimension: int = 0,
) -> pa.Schema:
    """Columns of the slides' table for vectors of this dimension, with one column per extra metadata field.

    mosaic_dimension: of the mosaics where it is another, kept beside their column (`MOSAIC_KEY`).
    analyser: what reads reports into tokens and facts, record_analyser: what reads records into tokens; each is kept
    beside its column of tokens (`ANALYSER_KEY`).
    """
    vectors = (
        pa.list_(pa.float32(), dimension),
        pa.list_(pa.float16()),
        pa.list_(pa.float32()),
        pa.list_(pa.uint64()),
        pa.binary(),
    )
    fields = [pa.field(name, kind) for name, kind in zip(SIGNATURE_COLUMNS, vectors, strict=True)]
    if mosaic_dimension:
        fields[1] = fields[1].with_metadata({MOSAIC_KEY: str(mosaic_dimension)})
    read = (
        pa.field("report_tokens", pa.string(), metadata={ANALYSER_KEY: analyser}),
        pa.field("report_facts", pa.list_(pa.string())),
        PLACES_FIELD,
        pa.field("report_windows", pa.list_(pa.float16())),
        pa.field(RECORD_TOKENS, pa.string(), metadata={ANALYSER_KEY: record_analyser}),
        pa.field(CHECKSUM, pa.binary()),
    )
    return pa.schema([*_RECORD_FIELDS, *fields, *read, *extra])


def list_record_fields(record: SlideRecord) -> tuple[RecordField, ...]:
    """What search for words looks at beside the report: metadata by column, and what the slide and its file are called.

    Of where a file lies its name alone, which everybody sees.
    """
    from histoseek.reports.index.record_words import RecordField
    from histoseek.slides.sources.registry import source_name

    names = {name: getattr(record, name) for name in ("slide_id", "case_id", "patient_id")}
    cells = {name: getattr(record, name) for name in TEXT_COLUMNS if name not in names} | dict(record.extra)
    return (
        *(RecordField(name, value) for name, value in cells.items() if not isinstance(value, date)),
        *(RecordField(name, value, is_name=True) for name, value in names.items()),
        RecordField("file", source_name(record.uri), is_name=True),
    )


def make_record_tokens(record: SlideRecord) -> str:
    """The tokens of a record, as a store keeps them."""
    from histoseek.reports.index.record_words import list_record_tokens

    return f" {' '.join(list_record_tokens(list_record_fields(record)))} "


def read_value(record: SlideRecord, column: str) -> str:
    """A metadata value as text, "" where empty; raises InputError for a column that the archive lacks."""
    columns = {*TEXT_COLUMNS, "report"}
    if column in columns:
        value = getattr(record, column)
    elif column in record.extra:
        value = record.extra[column]
    else:
        names = ", ".join(sorted(columns | set(record.extra)))
        raise InputError(f"column {column}", "the archive has no such column", f"The columns are: {names}")
    return "" if value is None else str(value)


def name_owner(record: SlideRecord) -> str:
    """Whose slide it is, as far as known: the patient's, else the case's, else its own."""
    return name_owner_of(record.patient_id, record.case_id, record.slide_id)


def name_owner_of(patient_id: str | None, case_id: str | None, slide_id: str) -> str:
    """The same, of a slide's ids."""
    patient = make_patient_key(patient_id or "")
    if patient:
        return f"patient {patient}"
    return f"case {case_id}" if case_id else f"slide {slide_id}"


def cast_value(column: str, value: MetadataValue, kind: pa.DataType) -> MetadataValue:
    """A value in the type of its column; raises InputError naming the column when it doesn't fit."""
    value = make_plain(column, value)
    if value is None:
        return None
    try:
        return _cast(value, kind)
    except (ValueError, TypeError, OverflowError, NotImplementedError) as error:
        text = repr(value) if len(str(value)) <= _LONGEST_SHOWN else f"{str(value)[:_LONGEST_SHOWN]!r}..."
        what = f"{text} does not fit, the column holds {kind}"
        raise InputError(f"column {column}", what, "Correct the value, or use another column") from error


def unwrap(value: object) -> object:
    """What a value of numpy says, as one of Python's; None for NaN, NaT and pandas' NA: there is none."""
    if isinstance(value, np.datetime64):
        value = None if np.isnat(value) else value.astype("datetime64[us]").item()
    elif isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        value = value.item()
    is_missing = type(value).__name__ in ("NAType", "NaTType") or (isinstance(value, float) and math.isnan(value))
    return None if is_missing else value


def make_plain(column: str, value: object) -> MetadataValue:
    """A value that a program has as one of Python's: None for NaN and its like, an id that became a decimal number in
    a data frame as it was. Raises InputError for what is no single value.
    """
    value = unwrap(value)
    if isinstance(value, float) and value.is_integer() and column in _ID_COLUMNS:
        return str(int(value))
    if value is None or isinstance(value, str | int | float | date):
        return value
    raise InputError(f"column {column}", f"{describe(value)} is no single value", "Give a text, number, bool or date")


def _cast(value: str | int | float | date, kind: pa.DataType) -> MetadataValue:
    """Raises one of Python's or Arrow's errors for a value that would become another one."""
    if pa.types.is_string(kind):
        text = value.isoformat() if isinstance(value, date) else str(value)
        text.encode()
        return text
    if isinstance(value, date) and not pa.types.is_temporal(kind):
        raise TypeError("a date is no number")
    if isinstance(value, datetime) and pa.types.is_date(kind):
        if value.time() != time():
            raise ValueError("a time of day would be lost")
        return value.date()
    cast: MetadataValue = pa.scalar(value).cast(kind).as_py()
    if isinstance(value, int | float) and cast != value and str(cast) != str(value):
        raise ValueError("not the same number")
    if isinstance(value, str) and isinstance(cast, float) and math.isinf(cast) and "inf" not in value.lower():
        raise OverflowError("too large for a number")
    return cast


def field_columns(types: Mapping[str, pa.DataType]) -> tuple[str, ...]:
    """The columns that people ask for by name and value: what tables say of slides, and the slides' ids.

    Not where files lie, what the archive measures itself, or whole reports. types: of the archive's columns.
    """
    return tuple(name for name in types if name not in RECORD_COLUMNS or name in (*TEXT_COLUMNS, "slide_id"))


_LONGEST_SHOWN = 60
_ID_COLUMNS = ("case_id", "patient_id")


def is_storable(text: str) -> bool:
    """Whether a store can hold it: Unicode text."""
    return is_text(text)


def require_slide_ids(slide_ids: Iterable[str]) -> tuple[str, ...]:
    """Several ids of slides, each once; raises InputError for one text, whose letters are no ids."""
    if isinstance(slide_ids, str | bytes):
        raise InputError(repr(slide_ids), "is one text, where ids of slides are listed", f"Give [{slide_ids!r}]")
    ids = tuple(slide_ids) if isinstance(slide_ids, Iterable) else (slide_ids,)
    for slide_id in ids:
        require_slide_id(slide_id)
    return tuple(dict.fromkeys(ids))


def require_slide_id(slide_id: object) -> None:
    """Raise InputError for what can't be the id of a slide."""
    if not isinstance(slide_id, str):
        raise InputError(f"slide id {slide_id!r}", "is no text", "Give the id as `histoseek list` shows it")


def require_changes(changes: object) -> None:
    """Raise InputError for what are no changes of metadata by slide id."""
    if not isinstance(changes, Mapping):
        advice = "Give {ID: {COLUMN: VALUE}}, as a data frame gives with to_dict('index')"
        raise InputError("changes", f"{describe(changes)} is no mapping", advice)
    for slide_id, values in changes.items():
        require_slide_id(slide_id)
        if not isinstance(values, Mapping):
            raise InputError(f"changes of {slide_id}", f"{describe(values)} is no mapping", "Give {COLUMN: VALUE}")
        _require_columns(values)


def _require_columns(columns: object) -> None:
    if not isinstance(columns, Mapping):
        raise InputError("columns", f"{describe(columns)} is no mapping", "Give {COLUMN: TYPE}")
    for name in columns:
        if not isinstance(name, str):
            raise InputError(f"column {describe(name)}", "is no name of a column", "Give a text")


def require_text(slide_id: str, changes: Mapping[str, MetadataValue]) -> None:
    """Raise InputError when an id, a column or a value holds what is no text, as a command line's stray bytes."""
    texts = {"the slide's id": slide_id, "a column's name": "".join(changes)}
    texts |= {f"column {column}": value for column, value in changes.items() if isinstance(value, str)}
    for where, text in texts.items():
        if not is_storable(text):
            raise InputError(where, "holds bytes that are no text", "Give it in UTF-8")


def extra_column_name(name: str) -> str:
    """The column name of a metadata field: lower case, letters, digits and underscores.

    A name that is the archive's own, such as `width`, becomes `table_width`.
    """
    column = re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_") or "column"
    is_reserved = column in RECORD_COLUMNS or column in VECTOR_COLUMNS
    return f"table_{column}" if is_reserved or column[0].isdigit() else column


_COLUMN_TYPES: Mapping[type, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    date: pa.date32(),
}
ColumnType: TypeAlias = "type | pa.DataType"
"""The type of a metadata column: str, int, float, bool or date, or Arrow's for one of these."""


def make_column_types(columns: Mapping[str, ColumnType]) -> dict[str, pa.DataType]:
    """Columns to be added with their types; raises InputError for a name or a type that no column has."""
    _require_columns(columns)
    for name, kind in columns.items():
        if name not in TEXT_COLUMNS and extra_column_name(name) != name:
            advice = f"Call it {extra_column_name(name)}"
            raise InputError(f"column {name}", "cannot be added under this name", advice)
        if kind not in (*_COLUMN_TYPES, *_COLUMN_TYPES.values()):
            raise InputError(
                f"column {name}", f"no column holds {describe(kind)}", "Give str, int, float, bool or date"
            )
    return {name: _COLUMN_TYPES.get(kind, kind) for name, kind in columns.items()}


def choose_new_columns(columns: Mapping[str, pa.DataType], types: Mapping[str, pa.DataType]) -> dict[str, pa.DataType]:
    """Of columns to be added those that the archive lacks; raises InputError for one that it has of another type.

    types: of the archive's columns.
    """
    for name, kind in columns.items():
        if types.get(name, kind) != kind:
            what = f"is there already, and holds {types[name]}, not {kind}"
            raise InputError(f"column {name}", what, "Use it as it is, or choose another name")
    return {name: kind for name, kind in columns.items() if name not in types}


def to_table(slides: Sequence[StoredSlide], schema: pa.Schema) -> pa.Table:
    """Slides as rows of `schema`, exact to the bit, without checksums."""
    rows = [_make_row(slide) for slide in slides]
    if RECORD_TOKENS in schema.names:
        for row, slide in zip(rows, slides, strict=True):
            row[RECORD_TOKENS] = make_record_tokens(slide.record)
    return pa.table(
        {name: pa.array([row.get(name) for row in rows], schema.field(name).type) for name in schema.names},
        schema=schema,
    )


def to_slides(table: pa.Table) -> list[StoredSlide]:
    """The slides of a table that has all columns."""
    columns = {name: table.column(name) for name in table.column_names if name in VECTOR_COLUMNS}
    rows = [{name: column[i] for name, column in columns.items()} for i in range(table.num_rows)]
    return [
        StoredSlide(record, _parse_signature(row), _parse_language(row), word_tiles=_parse_word_tiles(row))
        for record, row in zip(to_records(table), rows, strict=True)
    ]


def to_records(table: pa.Table) -> list[SlideRecord]:
    """The records of a table; its columns beyond those of SlideRecord become `extra`."""
    names = [name for name in table.column_names if name not in VECTOR_COLUMNS]
    extra = [name for name in names if name not in RECORD_COLUMNS]
    return [
        SlideRecord(**{name: row[name] for name in RECORD_COLUMNS}, extra={name: row[name] for name in extra})
        for row in table.select(names).to_pylist()
    ]


def _make_row(slide: StoredSlide) -> dict[str, object]:
    record, signature = slide.record, slide.signature
    return {
        **{name: getattr(record, name) for name in RECORD_COLUMNS},
        **record.extra,
        "global_vector": signature.global_vector,
        **{name: getattr(slide.language, name) for name in LANGUAGE_COLUMNS},
        "report_windows": None if slide.language.report_windows is None else slide.language.report_windows.reshape(-1),
        "mosaic": signature.mosaic.reshape(-1),
        "shares": signature.shares,
        "barcodes": signature.barcodes.reshape(-1),
        "tiles": pack_tiles(signature),
        WORD_TILES: slide.word_tiles,
        CONTEXT: signature.context,
    }


def _parse_signature(row: Mapping[str, pa.Scalar]) -> Signature:
    values = {name: _array(row[name]) for name in SIGNATURE_COLUMNS[:-1]}
    count = len(values["shares"])
    tiles, edge_level0 = unpack_tiles(row["tiles"].as_py())
    return Signature(
        global_vector=values["global_vector"],
        mosaic=values["mosaic"].reshape(count, -1),
        shares=values["shares"],
        barcodes=values["barcodes"].reshape(count + 1, -1),
        mosaic_tiles=tiles,
        tile_size_level0=edge_level0,
        context=_array(row[CONTEXT]) if CONTEXT in row and row[CONTEXT].is_valid else None,
    )


def _parse_language(row: Mapping[str, pa.Scalar]) -> LanguageVectors:
    values = {name: row[name] for name in LANGUAGE_COLUMNS if name in row and row[name].is_valid}
    vectors = LanguageVectors(
        report_tokens=values.pop("report_tokens").as_py() if "report_tokens" in values else None,
        report_facts=tuple(values.pop("report_facts").as_py()) if "report_facts" in values else None,
        report_places=values.pop("report_places").as_py() if "report_places" in values else None,
        **{name: _array(value) for name, value in values.items()},
    )
    if vectors.report_windows is None or vectors.report_vector is None:
        return vectors
    return replace(vectors, report_windows=vectors.report_windows.reshape(-1, len(vectors.report_vector)))


def _parse_word_tiles(row: Mapping[str, pa.Scalar]) -> bytes | None:
    packed: bytes | None = row[WORD_TILES].as_py() if WORD_TILES in row else None
    return packed


def _array(scalar: pa.Scalar) -> np.ndarray:
    return np.array(scalar.values.to_numpy(zero_copy_only=False))
