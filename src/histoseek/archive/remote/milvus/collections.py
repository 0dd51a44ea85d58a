"""Collections and what lies in them: entities with a vector, and large values in pieces."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import Any, Literal, TypeVar

from histoseek.archive.remote.milvus.connection import Database

T = TypeVar("T")

MOST_LETTERS = 65_535
"""Of one text field."""

FILLER = [1.0, 0.0]
"""A vector for entities that are never searched: every collection needs one."""

_PIECE = 49_000
_HEAD = 6
_MESSAGE = 3 * 2**20
"""Bytes of one insertion at most: a cluster's message queue takes 5 MB."""


def create_collection(
    database: Database,
    name: str,
    key: Literal["whole", "text"],
    *,
    texts: Sequence[str] = (),
    numbers: Sequence[str] = (),
    dimension: int = len(FILLER),
    notes: dict[str, str] | None = None,
) -> None:
    """Make a collection that can be read and searched at once, unless it is there.

    key: what primary keys are; texts, numbers: further fields; dimension: of the vectors.
    """
    from pymilvus import DataType, MilvusClient

    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=dimension > len(FILLER))
    if key == "whole":
        schema.add_field("key", DataType.INT64, is_primary=True)
    else:
        schema.add_field("key", DataType.VARCHAR, is_primary=True, max_length=1024)
    for text in texts:
        schema.add_field(text, DataType.VARCHAR, max_length=MOST_LETTERS)
    for number in numbers:
        schema.add_field(number, DataType.INT64)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dimension)
    index = _make_index(dimension)

    def make(client: Any, left_s: float) -> None:
        if not client.has_collection(name, timeout=left_s):
            client.create_collection(name, schema=schema, num_shards=1, properties=notes or {}, timeout=left_s)
        if not client.list_indexes(name):
            client.create_index(name, index, sync=False, timeout=left_s)
        client.load_collection(name, timeout=left_s)

    database.call(make)


def _make_index(dimension: int) -> Any:
    """A graph of vectors that are searched; the server compares all of parts too small for one."""
    from pymilvus import MilvusClient

    index = MilvusClient.prepare_index_params()
    if dimension == len(FILLER):
        index.add_index("vector", index_type="FLAT", metric_type="L2")
    else:
        graph = {"M": 16, "efConstruction": 200}
        index.add_index("vector", index_type="HNSW", metric_type="COSINE", params=graph)
    return index


def split(data: bytes) -> list[str]:
    """A value as texts that a field can hold; the first says how many there are."""
    pieces = [data[start : start + _PIECE] for start in range(0, len(data), _PIECE)] or [b""]
    return [f"{len(pieces):0{_HEAD}d}{base64.b64encode(piece).decode()}" for piece in pieces]


def count_pieces(first: str) -> int:
    """Of how many texts a value consists."""
    return int(first[:_HEAD])


def join(texts: Sequence[str]) -> bytes:
    """The value of such texts."""
    return b"".join(base64.b64decode(text[_HEAD:]) for text in texts)


def pack(entities: Sequence[T], sizes: Sequence[int]) -> Iterator[list[T]]:
    """As many entities at a time as one insertion takes; sizes: in bytes."""
    held: list[T] = []
    total = 0
    for entity, size in zip(entities, sizes, strict=True):
        if held and total + size > _MESSAGE:
            yield held
            held, total = [], 0
        held.append(entity)
        total += size
    if held:
        yield held


def quote(text: str) -> str:
    """A text as a literal of an expression, of nothing but plain letters: others by their numbers."""
    letters = (one if one.isascii() and (one.isalnum() or one in " _-.:") else _number(one) for one in text)
    return f'"{"".join(letters)}"'


def _number(letter: str) -> str:
    code = ord(letter)
    return f"\\u{code:04x}" if code < 2**16 else f"\\U{code:08x}"
