"""Looks for what must be gone in every byte of a folder: as it lies there, and in what compressed blocks hold."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tests.archive.lance_files import list_fst_keys, read_lance_file

_NUMBERS = 6
"""Of a vector; so many in a row are nobody else's."""

_FST = b"\x03\x00\x00\x00\x00\x00\x00\x00"


@dataclass(frozen=True, slots=True)
class Leftover:
    """A place where something was: path in the folder; how: "as it is", or what had to be opened."""

    what: str
    path: str
    how: str


def find_leftovers(
    folder: Path, texts: Mapping[str, str], vectors: Mapping[str, NDArray[np.generic]] | None = None
) -> list[Leftover]:
    """Where texts and vectors are, by what they are called; a text counts in any case and in any usual encoding."""
    wanted = {name: _encode_text(text) for name, text in texts.items()}
    wanted |= {name: _encode_vector(vector) for name, vector in (vectors or {}).items()}
    found = []
    for path in sorted(folder.rglob("*")):
        place = str(path.relative_to(folder))
        for how, content in (("its name", place.encode()), *_open(path)) if path.is_file() else ():
            lowered = content.lower()
            found += [
                Leftover(name, place, how)
                for name, forms in wanted.items()
                if any(form in content or form in lowered for form in forms)
            ]
    return found


def _encode_text(text: str) -> frozenset[bytes]:
    """A text as files may hold it; in base64 without what depends on its neighbours."""
    utf8 = text.encode()
    forms = {utf8, text.encode("utf-16-le"), text.encode("utf-16-be"), json.dumps(text)[1:-1].encode()}
    forms |= {quote(text).encode(), quote(text, safe="").encode(), utf8.hex().encode()}
    forms |= {form.lower() for form in forms}
    for lead in range(3):
        packed = base64.b64encode(b"\0" * lead + utf8)
        forms.add(packed[4 if lead else 0 : len(packed) - 4])
    return frozenset(form for form in forms if len(form) >= 4)


def _encode_vector(vector: NDArray[np.generic]) -> frozenset[bytes]:
    """The first numbers of a vector in their own type and in those that vectors are stored in."""
    first = vector.reshape(-1)[:_NUMBERS]
    kinds = (np.float16, np.float32, np.float64) if first.dtype.kind == "f" else ()
    return frozenset({first.tobytes(), *(first.astype(kind).tobytes() for kind in kinds)})


def _open(path: Path) -> Iterator[tuple[str, bytes]]:
    data = path.read_bytes()
    yield "as it is", data
    if path.suffix == ".lance":
        table = read_lance_file(path)
        for column in table.columns:
            yield "block opened", b"\n".join(_list_values(column))


def _list_values(column: pa.ChunkedArray) -> Iterator[bytes]:
    """The values of a column as bytes; what is packed in them, unpacked."""
    for chunk in map(_flatten, column.chunks):
        if pa.types.is_floating(chunk.type) or pa.types.is_integer(chunk.type):
            yield chunk.drop_null().to_numpy(zero_copy_only=False).tobytes()
        elif pa.types.is_string(chunk.type) or pa.types.is_large_string(chunk.type):
            yield from (value.encode() for value in chunk.to_pylist() if value is not None)
        elif pa.types.is_binary(chunk.type) or pa.types.is_large_binary(chunk.type):
            for value in chunk.drop_null().to_pylist():
                yield from _unpack(value)


def _flatten(values: pa.Array) -> pa.Array:
    kind = values.type
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return _flatten(values.flatten()) if is_list else values


def _unpack(value: bytes) -> Iterator[bytes]:
    yield value
    if value.startswith(_FST):
        yield from list_fst_keys(value)
    try:
        yield zlib.decompress(value)
    except zlib.error:
        return
