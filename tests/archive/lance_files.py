"""Reads any single file of the embedded store's engine, whether a version of a table names it or not.

The engine itself decodes it: a table of the same columns and as many rows is made beside, its one data file is replaced
by the file in question, and the length that its manifest notes by that file's.
"""

from __future__ import annotations

import os
import shutil
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

import lancedb
import numpy as np
import pyarrow as pa

_FOOTER = struct.Struct("<QQQIIHH4s")
_PLAIN = {
    "string": pa.string(),
    "large_string": pa.large_string(),
    "binary": pa.binary(),
    "large_binary": pa.large_binary(),
    "bool": pa.bool_(),
    "int8": pa.int8(),
    "uint8": pa.uint8(),
    "int16": pa.int16(),
    "uint16": pa.uint16(),
    "int32": pa.int32(),
    "uint32": pa.uint32(),
    "int64": pa.int64(),
    "uint64": pa.uint64(),
    "halffloat": pa.float16(),
    "float": pa.float32(),
    "double": pa.float64(),
    "date32:day": pa.date32(),
}
_FILLING = "filling"
_FILLING_BYTES = 3 * 2**20

Fields = dict[int, "int | bytes"]


def read_lance_file(path: Path) -> pa.Table:
    """All rows of a file, deleted ones as well; its columns are called c0, c1, ..., as some names are reserved."""
    rows, schema = _describe(path)
    if not rows:
        return schema.empty_table()
    folder = Path(tempfile.mkdtemp(prefix="lance-file-"))
    try:
        columns = [_make_empty(field.type, rows) for field in schema]
        filling = pa.array([os.urandom(_FILLING_BYTES), *[b""] * (rows - 1)], pa.binary())
        table = pa.table([*columns, filling], schema=schema.append(pa.field(_FILLING, pa.binary())))
        lancedb.connect(folder).create_table("one", table)
        _put_in_place(path, folder / "one.lance")
        return lancedb.connect(folder).open_table("one").search().select(schema.names).limit(None).to_arrow()
    finally:
        shutil.rmtree(folder)


def list_fst_keys(data: bytes) -> Iterator[bytes]:
    """The words in a finite state transducer (version 3 of the crate `fst`), in which the engine keeps tokens."""
    root = struct.unpack("<Q", data[-12:-4])[0]
    waiting = [(root, b"")]
    while waiting:
        address, prefix = waiting.pop()
        is_final, transitions = _read_node(data, address)
        if is_final:
            yield prefix
        waiting += [(target, prefix + bytes([letter])) for letter, target in transitions]


def _describe(path: Path) -> tuple[int, pa.Schema]:
    data = path.read_bytes()
    _, _, buffers, *_, magic = _FOOTER.unpack(data[-_FOOTER.size :])
    assert magic == b"LANC", path
    start, size = struct.unpack("<QQ", data[buffers : buffers + 16])
    content = _parse(data[start : start + size])
    rows = next((value for number, value in content if number == 2), 0)
    schema = next(value for number, value in content if number == 1)
    fields = [dict(_parse(value)) for number, value in _parse(schema) if number == 1]
    tops = [field for field in fields if field.get(4, 0) > 2**63]
    types = [_make_type(field, fields) for field in tops]
    return rows, pa.schema([pa.field(f"c{place}", kind) for place, kind in enumerate(types)])


def _make_type(field: Fields, fields: list[Fields]) -> pa.DataType:
    name = bytes(field[5]).decode()
    own = field.get(3, 0)
    children = [one for one in fields if one is not field and one.get(4, 0) == own]
    if name in ("list", "large_list"):
        item = _make_type(children[0], fields)
        return pa.list_(item) if name == "list" else pa.large_list(item)
    if name.startswith("fixed_size_list:"):
        item_name, size = name.removeprefix("fixed_size_list:").rsplit(":", 1)
        return pa.list_(_PLAIN[item_name], int(size))
    if name.startswith("timestamp:"):
        _, unit, zone = name.split(":")
        return pa.timestamp(unit, None if zone in ("", "-") else zone)
    return _PLAIN[name]


def _make_empty(kind: pa.DataType, rows: int) -> pa.Array:
    """Rows that take no room; of vectors zeros, as the engine wants them whole."""
    if pa.types.is_fixed_size_list(kind):
        values = pa.array(np.zeros(rows * kind.list_size, kind.value_type.to_pandas_dtype()), kind.value_type)
        return pa.FixedSizeListArray.from_arrays(values, kind.list_size)
    return pa.nulls(rows, kind)


def _put_in_place(path: Path, table: Path) -> None:
    (target,) = (table / "data").glob("*.lance")
    (manifest,) = (table / "_versions").glob("*.manifest")
    noted = _pack(target.stat().st_size)
    content = manifest.read_bytes()
    assert noted in content
    manifest.write_bytes(content.replace(noted, _pack(path.stat().st_size, len(noted))))
    shutil.copyfile(path, target)


def _parse(data: bytes) -> list[tuple[int, int | bytes]]:
    """The fields of a protobuf message, by their numbers."""
    place, fields = 0, []
    while place < len(data):
        key, place = _unpack(data, place)
        kind = key & 7
        value: int | bytes
        if kind == 0:
            value, place = _unpack(data, place)
        else:
            size, place = (_unpack(data, place)) if kind == 2 else ({1: 8, 5: 4}[kind], place)
            value, place = data[place : place + size], place + size
        fields.append((key >> 3, value))
    return fields


def _unpack(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        value, shift, place = value | (byte & 127) << shift, shift + 7, place + 1
        if byte < 128:
            return value, place


def _pack(value: int, length: int = 0) -> bytes:
    """A number as protobuf writes it, in at least so many bytes."""
    packed = bytearray()
    while value or len(packed) < max(1, length):
        packed.append((value & 127) | 128)
        value >>= 7
    packed[-1] &= 127
    return bytes(packed)


_COMMON = b"te/oasripcnw.hlm-du012g=:bf3y5&_4v9678k%?xCDASFIBEjPTzRNM+LOqHGWUVJKYXZQ"
"""The bytes that the transducer writes in six bits, the first as 1."""


def _read_node(data: bytes, address: int) -> tuple[bool, list[tuple[int, int]]]:
    if address == 0:
        return True, []
    state = data[address]
    if state >> 6 == 0b11 or state >> 6 == 0b10:
        letter, place = _COMMON[(state & 63) - 1] if state & 63 else data[address - 1], address - (not state & 63)
        if state >> 6 == 0b11:
            return False, [(letter, place - 1)]
        sizes, place = data[place - 1], place - 1
        target_size, output_size = sizes >> 4, sizes & 15
        place -= target_size
        return False, [(letter, _follow(data, place, target_size, place - output_size))]
    count, place = state & 63, address
    if not count:
        place -= 1
        count = data[place] if data[place] != 1 else 256
    place -= 1
    target_size, output_size = data[place] >> 4, data[place] & 15
    place -= 256 if count > 32 else 0
    letters = data[place - count : place][::-1]
    place -= count
    targets = place - count * target_size
    is_final = bool(state & 64)
    end = targets - count * output_size - (output_size if is_final else 0)
    transitions = [
        (letter, _follow(data, place - (number + 1) * target_size, target_size, end))
        for number, letter in enumerate(letters)
    ]
    return is_final, transitions


def _follow(data: bytes, place: int, size: int, end: int) -> int:
    """Where a transition leads: a distance from the end of its node, 0 for the empty final node."""
    distance = int.from_bytes(data[place : place + size], "little")
    return end - distance if distance else 0
