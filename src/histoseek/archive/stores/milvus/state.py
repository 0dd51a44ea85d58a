"""What counts of an archive's collections: one note with the first of them, replaced as a whole by each commit."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import pyarrow as pa

from histoseek.archive.remote.milvus.collections import FILLER, join, split
from histoseek.archive.remote.milvus.connection import Database

NOTE = "histoseek"
FORMAT = 1

_PARTS_BITS = 10


@dataclass(frozen=True, slots=True)
class StoreState:
    """The last commit.

    commit: what tells it from all other commits; time: of the server, at which all of it is seen; store: what tells the
    store from all others; next_row: the number of the next row; oldest: the version from which on snapshots can be
    read; rows: how many there are; bytes: of what was written; waiting: rows that came since they were last written
    into files; odd: columns with values that lie with the large ones, as they don't fit; schemas: from which version on
    columns are as such, as Arrow writes them, in base64.
    """

    version: int
    commit: str
    time: int
    store: str
    next_row: int = 1
    oldest: int = 1
    rows: int = 0
    bytes: int = 0
    waiting: int = 0
    odd: Sequence[str] = ()
    schemas: Sequence[tuple[int, str]] = ()
    format: int = FORMAT

    @classmethod
    def parse(cls, note: str) -> StoreState:
        """Of the note's text."""
        return cls(**json.loads(note))

    def format_note(self) -> str:
        """As a text."""
        return json.dumps(asdict(self))

    def schema_at(self, version: int) -> pa.Schema:
        """The columns at a version."""
        packed = [text for since, text in self.schemas if since <= version][-1]
        return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(packed)))

    def with_schema(self, schema: pa.Schema) -> StoreState:
        """With other columns from the next version on."""
        packed = base64.b64encode(schema.serialize().to_pybytes()).decode()
        return replace(self, schemas=[*self.schemas, (self.version + 1, packed)])

    def from_oldest(self, oldest: int) -> StoreState:
        """Without what only versions before need."""
        later = [one for one in self.schemas if one[0] > oldest]
        before = [one for one in self.schemas if one[0] <= oldest][-1:]
        return replace(self, oldest=oldest, schemas=[*before, *later])


@dataclass(frozen=True, slots=True)
class Commit:
    """One version: commit: as in its state; made_s: when, in seconds since 1970; ended: the rows it took out."""

    version: int
    commit: str
    made_s: float
    ended: Sequence[int] = field(default_factory=tuple)


def write_commit(database: Database, name: str, commit: Commit, check: Callable[[], None]) -> None:
    """Write a version down, which does not count before the state says so; check: as of `Database.write_notes`."""
    content = {"commit": commit.commit, "made_s": commit.made_s, "ended": list(commit.ended)}
    for part, text in enumerate(split(json.dumps(content).encode())):
        database.insert(name, [{"key": _key(commit.version, part), "data": text, "vector": FILLER}], check)


def read_commits(database: Database, name: str, first: int, last: int, at: int) -> list[Commit]:
    """The versions from one to another, in their order; at: a time at which they are seen."""
    if first > last:
        return []
    where = f"key <= {_key(first, 0)} and key > {_key(last + 1, 0)}"
    texts: dict[int, dict[int, str]] = {}
    for row in database.query(name, where, ["key", "data"], at):
        number = -row["key"] - 1
        texts.setdefault(number >> _PARTS_BITS, {})[number & (1 << _PARTS_BITS) - 1] = row["data"]
    return [_parse(version, texts[version]) for version in sorted(texts)]


def remove_commits(database: Database, name: str, first: int, last: int) -> None:
    """Forget the versions from one to another."""
    if first <= last:
        database.delete(name, f"key <= {_key(first, 0)} and key > {_key(last + 1, 0)}")


def later_than(version: int) -> str:
    """The expression of all that is written down of later versions."""
    return f"key <= {_key(version + 1, 0)}"


def _parse(version: int, texts: Mapping[int, str]) -> Commit:
    content = json.loads(join([texts[part] for part in sorted(texts)]))
    return Commit(version, content["commit"], content["made_s"], tuple(content["ended"]))


def _key(version: int, part: int) -> int:
    """Below zero, where no row's number is."""
    return -((version << _PARTS_BITS) | part) - 1
