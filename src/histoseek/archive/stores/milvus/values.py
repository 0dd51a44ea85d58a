"""Values of columns: small ones in an entity's own JSON, where filters reach them, others as bytes on their own."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from histoseek.archive.remote.milvus.collections import FILLER, split

KEPT_APART = ("report", "report_tokens", "report_places", "tiles", "_word_tiles")
"""Columns that are never among the small values, though they might be."""

PRESENT = "p"
"""Of an entity: the numbers of the columns whose values lie on their own."""

_PREFIX = "c_"
_MOST_BYTES = 1000
_MOST_IN_ALL = 50_000

_PART_BITS, _COLUMN_BITS = 10, 12
MOST_COLUMNS = 1 << _COLUMN_BITS
MOST_PARTS = 1 << _PART_BITS


def small_key(column: str) -> str:
    """How a column is called in an entity's JSON."""
    return _PREFIX + column


def large_key(row: int, column: int, part: int) -> int:
    """The key of a part of a value; column: its number in the schema, which never changes."""
    return ((row << _COLUMN_BITS | column) << _PART_BITS) | part


def split_key(key: int) -> tuple[int, int, int]:
    """Row, column and part of a key."""
    column = key >> _PART_BITS
    return column >> _COLUMN_BITS, column & MOST_COLUMNS - 1, key & MOST_PARTS - 1


def is_vector(kind: pa.DataType) -> bool:
    """Whether a column holds vectors that can be searched."""
    return pa.types.is_fixed_size_list(kind) and pa.types.is_float32(kind.value_type)


def is_small(name: str, kind: pa.DataType) -> bool:
    """Whether a column's values lie in an entity's JSON, as long as they fit."""
    if name in KEPT_APART:
        return False
    lists = pa.types.is_list(kind) and pa.types.is_string(kind.value_type)
    return lists or not (pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind) or pa.types.is_struct(kind))


@dataclass(slots=True)
class WrittenRows:
    """Rows as entities: small: one for each row, without its vector; large: all parts of values of their own; vectors:
    by column, of the rows that have one; odd: columns with values that did not fit among the small ones."""

    small: list[dict[str, Any]] = field(default_factory=list)
    large: list[dict[str, Any]] = field(default_factory=list)
    vectors: dict[str, dict[int, Any]] = field(default_factory=dict)
    odd: set[str] = field(default_factory=set)


def write_rows(rows: pa.Table, first: int, version: int) -> WrittenRows:
    """Rows as entities; first: the number of the first of them."""
    written = WrittenRows()
    small = {name: _to_plain(rows[name]) for name in rows.column_names if is_small(name, rows.schema.field(name).type)}
    large = [name for name in rows.column_names if name not in small]
    ids = rows["slide_id"].to_pylist()
    for place in range(rows.num_rows):
        number = first + place
        own = {name: values[place] for name, values in small.items() if values[place] is not None}
        apart = {name: _encode_plain(own.pop(name)) for name in _list_unfit(own)}
        written.odd |= set(apart)
        for name in large:
            value = rows[name][place]
            if value.is_valid:
                apart[name] = _encode(value)
                if is_vector(value.type):
                    written.vectors.setdefault(name, {})[number] = value.values.to_numpy(zero_copy_only=False)
        columns = {rows.schema.get_field_index(name): data for name, data in apart.items()}
        facts = {"key": number, "slide_id": ids[place], "since": version, PRESENT: sorted(columns)}
        written.small.append(facts | {small_key(name): value for name, value in own.items()})
        written.large += [
            {"key": large_key(number, column, part), "data": text, "vector": FILLER}
            for column, data in columns.items()
            for part, text in enumerate(split(data))
        ]
    return written


def read_small(entities: Sequence[Mapping[str, Any]], name: str, kind: pa.DataType) -> pa.Array:
    """A column of entities."""
    return _from_plain([one.get(small_key(name)) for one in entities], kind)


def read_large(values: Sequence[bytes | None], name: str, kind: pa.DataType) -> pa.Array:
    """A column of values that lie on their own."""
    if is_small(name, kind):
        return _from_plain([None if one is None else json.loads(one) for one in values], kind)
    if pa.types.is_string(kind):
        return pa.array([None if one is None else one.decode() for one in values], kind)
    if pa.types.is_binary(kind):
        return pa.array(values, kind)
    numbers = kind.value_type.to_pandas_dtype()
    return pa.array([None if one is None else np.frombuffer(one, numbers) for one in values], kind)


def _to_plain(column: pa.ChunkedArray) -> list[Any]:
    """Values as JSON has them: days and moments as whole numbers, bytes in base64."""
    kind = column.type
    if pa.types.is_date32(kind):
        column = column.cast(pa.int32())
    elif pa.types.is_timestamp(kind):
        column = column.cast(pa.int64())
    elif pa.types.is_binary(kind):
        return [None if one is None else base64.b64encode(one).decode() for one in column.to_pylist()]
    values: list[Any] = column.to_pylist()
    return values


def _from_plain(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_date32(kind):
        return pa.array(values, pa.int32()).cast(kind)
    if pa.types.is_timestamp(kind):
        return pa.array(values, pa.int64()).cast(kind)
    if pa.types.is_binary(kind):
        return pa.array([None if one is None else base64.b64decode(one) for one in values], kind)
    if pa.types.is_floating(kind):
        values = [None if one is None else float(one) for one in values]
    return pa.array(values, kind)


def _list_unfit(own: Mapping[str, Any]) -> Iterator[str]:
    """The columns whose values are too large, or such as filters in the server would not understand."""
    total = 0
    for name, value in list(own.items()):
        size = len(json.dumps(value).encode()) if isinstance(value, str | list) else 20
        is_number = not isinstance(value, float) or math.isfinite(value)
        is_text = "\0" not in value if isinstance(value, str) else True
        if size > _MOST_BYTES or total + size > _MOST_IN_ALL or not is_number or not is_text:
            yield name
        else:
            total += size


def _encode_plain(value: Any) -> bytes:
    return json.dumps(value).encode()


def _encode(value: pa.Scalar) -> bytes:
    if pa.types.is_string(value.type):
        text: str = value.as_py()
        return text.encode()
    if pa.types.is_binary(value.type):
        data: bytes = value.as_py()
        return data
    return bytes(value.values.to_numpy(zero_copy_only=False).tobytes())
