"""Columns of Arrow tables as columns of the database, and the values of rows in both directions, exact to the bit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from psycopg.adapt import Dumper
from psycopg.pq import Format

from histoseek.archive.stores.base import ROW

NEAR = "_near_"
"""How columns begin that hold directions of vectors in half precision, for their index."""

MOST_INDEXED = 4000
"""Numbers of a vector that the database's index of half-precision vectors takes."""

_MOST_HALVES = 16_000
_MOST_BYTES_OF_NAME = 48
_TAKEN = frozenset(
    ("tableoid", "xmin", "cmin", "xmax", "cmax", "ctid", "_row", "_from_version", "_to_version", "_words")
)
"""Columns that every table has, or those of ours."""

_NUL, _ESCAPE = "\ufdd0", "\ufdd1"
"""Noncharacters: the first stands for the character of code 0, which the database's texts can't hold; behind the second
an `a` stands for the first, and a `b` for the second."""

_TYPES: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
    (pa.types.is_string, 'text COLLATE "C"'),
    (pa.types.is_large_string, 'text COLLATE "C"'),
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_integer, "bigint"),
    (pa.types.is_floating, "double precision"),
    (pa.types.is_date, "date"),
    (pa.types.is_timestamp, "timestamptz"),
)


@dataclass(frozen=True, slots=True)
class Direction:
    """The direction of a vector in half precision, [D]."""

    values: NDArray[np.float16]


class DirectionDumper(Dumper):
    """Directions as the database's own binary format has them: how many numbers, none of note, the numbers."""

    format = Format.BINARY

    def dump(self, obj: Direction) -> bytes:
        """As it is sent."""
        return len(obj.values).to_bytes(2, "big") + b"\0\0" + obj.values.astype(">f2").tobytes()


def name_column(name: str) -> str:
    """What a column is called in the database, which cuts long names off and has some of its own."""
    if len(name.encode()) <= _MOST_BYTES_OF_NAME and name not in _TAKEN and not name.startswith(NEAR):
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{name.encode()[:24].decode(errors='ignore')}_{digest}"


def name_type(kind: pa.DataType) -> str:
    """A column's type in the database: texts ordered by their code points, lists of numbers as their bytes."""
    if _is_texts(kind):
        return 'text[] COLLATE "C"'
    return next((name for fits, name in _TYPES if fits(kind)), "bytea STORAGE EXTERNAL")


def has_direction(column: pa.Field) -> bool:
    """Whether slides are searched by a column's vectors, and the database can hold their directions."""
    return bool(pa.types.is_fixed_size_list(column.type)) and column.type.list_size <= _MOST_HALVES


def list_directions(schema: pa.Schema) -> list[pa.Field]:
    """The columns of vectors that have a column of directions beside them."""
    return [column for column in schema if has_direction(column)]


def dump_columns(rows: pa.Table) -> list[list[object]]:
    """Values for the database, column by column in the order of `name_columns`."""
    columns = [_dump(rows[column.name].combine_chunks(), column.type) for column in rows.schema]
    for column in list_directions(rows.schema):
        values = columns[rows.schema.get_field_index(column.name)]
        columns.append([_direct(value) for value in values])
    return columns


def name_columns(schema: pa.Schema) -> list[str]:
    """The columns of the database that hold those of a schema: these, and those of directions."""
    near = [f"{NEAR}{column.name}" for column in list_directions(schema)]
    return [*(name_column(name) for name in schema.names), *near]


def load_batch(rows: Sequence[Sequence[object]], schema: pa.Schema) -> pa.RecordBatch:
    """Rows of the database with the columns of a schema."""
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    arrays = [_load(values, column.type) for values, column in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def select_schema(schema: pa.Schema, columns: Sequence[str]) -> pa.Schema:
    """Of a scan; ROW is the number of a row."""
    return pa.schema([pa.field(ROW, pa.uint64()) if name == ROW else schema.field(name) for name in columns])


def pack_text(text: str) -> str:
    """A text as the database holds it."""
    if _ESCAPE in text or _NUL in text:
        text = text.replace(_ESCAPE, f"{_ESCAPE}b").replace(_NUL, f"{_ESCAPE}a")
    return text.replace("\0", _NUL)


def unpack_text(text: str) -> str:
    """A text that the database held."""
    if _ESCAPE not in text and _NUL not in text:
        return text
    return text.replace(_NUL, "\0").replace(f"{_ESCAPE}a", _NUL).replace(f"{_ESCAPE}b", _ESCAPE)


def _is_texts(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) and pa.types.is_string(kind.value_type))


def _is_numbers(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind)) and not _is_texts(kind)


def _dump(values: pa.Array, kind: pa.DataType) -> list[object]:
    if _is_numbers(kind):
        return list(_dump_numbers(values))
    plain: list[object] = values.to_pylist()
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return [pack_text(value) if isinstance(value, str) else None for value in plain]
    if _is_texts(kind):
        return [[pack_text(one) for one in value] if isinstance(value, list) else None for value in plain]
    return plain


def _dump_numbers(values: pa.Array) -> Iterator[bytes | None]:
    """The bytes of each list, in the order of small computers."""
    for one in values:
        if not one.is_valid:
            yield None
        else:
            numbers = one.values.to_numpy(zero_copy_only=False)
            yield numbers.astype(numbers.dtype.newbyteorder("<"), copy=False).tobytes()


def _direct(value: object) -> Direction | None:
    if not isinstance(value, bytes):
        return None
    vector = np.frombuffer(value, "<f4")
    largest = float(np.abs(vector).max(initial=0))
    scaled = vector / largest if largest > 0 else vector
    return Direction((scaled / (np.linalg.norm(scaled) or 1)).astype(np.float16))


def _load(values: Sequence[object], kind: pa.DataType) -> pa.Array:
    if _is_numbers(kind):
        return _load_numbers([value if isinstance(value, bytes) else None for value in values], kind)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return pa.array([unpack_text(value) if isinstance(value, str) else None for value in values], kind)
    if _is_texts(kind):
        texts = [[unpack_text(one) for one in value] if isinstance(value, list) else None for value in values]
        return pa.array(texts, kind)
    return pa.array(values, kind)


def _load_numbers(values: Sequence[bytes | None], kind: pa.DataType) -> pa.Array:
    """Raises ValueError for a vector that is too short or too long."""
    dtype = np.dtype(kind.value_type.to_pandas_dtype()).newbyteorder("<")
    numbers = pa.array(np.frombuffer(b"".join(value or b"" for value in values), dtype).astype(dtype.newbyteorder("=")))
    mask = np.array([value is None for value in values], bool)
    if pa.types.is_fixed_size_list(kind):
        size = kind.list_size * dtype.itemsize
        if any(value is not None and len(value) != size for value in values):
            raise ValueError("a vector of another dimension")
        return _load_vectors(numbers, mask, kind)
    offsets = np.cumsum([0, *(len(value or b"") // dtype.itemsize for value in values)], dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), numbers, type=kind, mask=pa.array(mask))


def _load_vectors(numbers: pa.Array, mask: NDArray[np.bool_], kind: pa.DataType) -> pa.Array:
    """Arrow wants numbers where there is no vector, too."""
    if mask.any():
        full = np.zeros((len(mask), kind.list_size), numbers.to_numpy().dtype)
        full[~mask] = numbers.to_numpy(zero_copy_only=False).reshape(-1, kind.list_size)
        numbers = pa.array(full.reshape(-1))
    return pa.FixedSizeListArray.from_arrays(numbers, type=kind, mask=pa.array(mask))
