"""The files of a table, and which of them a version needs, read from its manifest.

Only what names files is read of the engine's format, by the numbers of its fields;
`tests/archive/test_ledger.py` compares it with what the engine opens.
"""

from __future__ import annotations

import os
import re
import struct
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path, PurePosixPath

from histoseek.archive.stores.lance.engine import TABLE

ROOT = f"{TABLE}.lance"
VERSIONS = f"{ROOT}/_versions"
TRANSACTIONS = f"{ROOT}/_transactions/"
HINT = f"{VERSIONS}/latest_version_hint.json"
"""What the engine writes over."""
_MANIFEST = re.compile(r"(\d+)\.manifest")
_LAST = 2**64 - 1
_LONG = 20
"""Digits of a manifest's name that counts down from the last number, so that the newest comes first."""

_MAGIC = b"LANC"
_END = 16
"""Bytes of what closes a manifest: where its message begins, and the magic."""

Fields = dict[int, list["int | bytes"]]


@dataclass(frozen=True, slots=True)
class Fragment:
    """A part of a table: its number, how many rows it had when it was written, the names of the files of its columns.

    Rows are numbered by part and place. Files never change, and no two have the same name.
    """

    number: int
    rows: int
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TableVersion:
    """What a version needs, as its manifest has it.

    files: paths in the store's folder; indexes: names of the indexes' folders; fragments: the parts that its rows lie
    in; bytes: the sizes of those files of rows and indexes that it states them of.
    """

    files: frozenset[str]
    indexes: frozenset[str]
    fragments: tuple[Fragment, ...] = ()
    bytes: Mapping[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> frozenset[str]:
        """The files of its rows alone."""
        return frozenset(path for path in self.files if not path.startswith(TRANSACTIONS))

    def list_needed(self, paths: Iterable[str]) -> Iterator[str]:
        """What it needs of some files, and what it needs besides."""
        yield from self.files
        yield from (path for path in paths if _find_index(path) in self.indexes)


def list_files(folder: Path) -> set[str]:
    """The files of the table, as paths in the store's folder, but for the engine's hint, which it writes over."""
    return set(_walk(folder, ROOT)) - {HINT}


def _walk(folder: Path, under: str) -> Iterator[str]:
    try:
        entries = list(os.scandir(folder / under))
    except FileNotFoundError:
        return
    for entry in entries:
        path = f"{under}/{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(folder, path)
        else:
            yield path


def list_versions(folder: Path) -> list[int]:
    """The versions that have a manifest, in no order."""
    try:
        names = [entry.name for entry in os.scandir(folder / VERSIONS)]
    except FileNotFoundError:
        return []
    return [_read_number(match.group(1)) for name in names if (match := _MANIFEST.fullmatch(name))]


def name_manifest(folder: Path, version: int) -> str:
    """Where a version's manifest is, or would be."""
    short = f"{VERSIONS}/{version}.manifest"
    return short if (folder / short).exists() else f"{VERSIONS}/{_LAST - version:0{_LONG}d}.manifest"


def find_version(path: str) -> int | None:
    """The version whose manifest lies at a path; None for other files."""
    pure = PurePosixPath(path)
    match = _MANIFEST.fullmatch(pure.name)
    return _read_number(match.group(1)) if match and str(pure.parent) == VERSIONS else None


def _read_number(digits: str) -> int:
    return _LAST - int(digits) if len(digits) == _LONG else int(digits)


def _find_index(path: str) -> str | None:
    parts = PurePosixPath(path).parts
    return parts[2] if parts[:2] == (ROOT, "_indices") else None


def find_unneeded(
    there: Collection[str], made_s: Mapping[int, float], before_s: float, read: Callable[[int], TableVersion]
) -> list[str]:
    """Files of versions that were not the newest any more before some time, and files that no other needs.

    there: all files; made_s: when the versions were made, all of them; read: raises OSError, ValueError.
    """
    versions = sorted(made_s)
    kept = [version for version, later in pairwise(versions) if made_s[later] >= before_s]
    # An older one that cannot be read is of no use to anybody; the newest must be.
    of_kept = [read(versions[-1])]
    for version in kept:
        with suppress(OSError, ValueError):
            of_kept.append(read(version))
    named = {path for one in of_kept for path in one.list_needed(())}
    indexes = frozenset(index for one in of_kept for index in one.indexes)
    needed = named | set(TableVersion(frozenset(), indexes).list_needed(there))
    manifests = [path for path in there if find_version(path) not in (None, *kept, versions[-1])]
    return manifests + [path for path in there if find_version(path) is None and path not in needed]


def has_end(folder: Path, version: int) -> bool:
    """Whether a version's manifest is there to its end."""
    try:
        with (folder / name_manifest(folder, version)).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            return size >= _END and os.pread(file.fileno(), _END, size - _END).endswith(_MAGIC)
    except FileNotFoundError:
        # Removed in the meantime, as older versions are.
        return True


def parse_manifest(content: bytes) -> TableVersion:
    """What a manifest says; raises ValueError for one that is torn."""
    try:
        place, magic = struct.unpack("<Q4x4s", content[-_END:])
        if magic != _MAGIC:
            raise ValueError("no manifest")
        manifest = _read_message(content, place)
        section = manifest.get(6)
        indexes = _read_message(content, _number(section[0])).get(1, []) if section else []
        indexed = [_parse(_bytes(one)) for one in indexes]
        names = [_name_index(one) for one in indexed]
        parts = [_parse(_bytes(one)) for one in manifest.get(2, [])]
        files = [path for one in parts for path in _list_fragment(one)]
        fragments = tuple(map(_read_fragment, parts))
        sizes = {path: size for one in parts for path, size in _list_column_sizes(one)}
        sizes |= {path: size for one in indexed for path, size in _list_index_sizes(one)}
    except (struct.error, IndexError, KeyError) as error:
        raise ValueError("a torn manifest") from error
    transaction = [f"{TRANSACTIONS}{_bytes(one).decode()}" for one in manifest.get(12, [])]
    return TableVersion(frozenset([*files, *transaction]), frozenset(names), fragments, sizes)


def _read_fragment(fragment: Fields) -> Fragment:
    files = tuple(sorted(_bytes(_parse(_bytes(one))[1][0]).decode() for one in fragment.get(2, [])))
    return Fragment(_first(fragment, 1), _first(fragment, 4), files)


def _list_fragment(fragment: Fields) -> Iterator[str]:
    """The files of a fragment of rows: its columns, and which of its rows are deleted."""
    for one in fragment.get(2, []):
        yield f"{ROOT}/data/{_bytes(_parse(_bytes(one))[1][0]).decode()}"
    for one in fragment.get(3, []):
        deleted = _parse(_bytes(one))
        ending = "bin" if _first(deleted, 1) else "arrow"
        name = f"{_first(fragment, 1)}-{_first(deleted, 2)}-{_first(deleted, 3)}.{ending}"
        yield f"{ROOT}/_deletions/{name}"


def _list_column_sizes(fragment: Fields) -> Iterator[tuple[str, int]]:
    for one in fragment.get(2, []):
        file = _parse(_bytes(one))
        if 6 in file:
            yield f"{ROOT}/data/{_bytes(file[1][0]).decode()}", _first(file, 6)


def _list_index_sizes(index: Fields) -> Iterator[tuple[str, int]]:
    for one in index.get(10, []):
        file = _parse(_bytes(one))
        if 2 in file:
            yield f"{ROOT}/_indices/{_name_index(index)}/{_bytes(file[1][0]).decode()}", _first(file, 2)


def _name_index(index: Fields) -> str:
    return str(uuid.UUID(bytes=_bytes(_parse(_bytes(index[1][0]))[1][0])))


def _read_message(content: bytes, place: int) -> Fields:
    """A message with its length before it."""
    (size,) = struct.unpack_from("<I", content, place)
    message = content[place + 4 : place + 4 + size]
    if len(message) < size:
        raise ValueError("a torn manifest")
    return _parse(message)


def _parse(message: bytes) -> Fields:
    """The fields of a protocol buffer by their numbers."""
    fields: Fields = {}
    place = 0
    while place < len(message):
        key, place = _read_varint(message, place)
        value: int | bytes
        if key & 7 == 0:
            value, place = _read_varint(message, place)
        else:
            size, place = _read_varint(message, place) if key & 7 == 2 else ({1: 8, 5: 4}[key & 7], place)
            value, place = message[place : place + size], place + size
        fields.setdefault(key >> 3, []).append(value)
    return fields


def _read_varint(message: bytes, place: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        byte = message[place]
        number |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return number, place


def _first(fields: Fields, number: int) -> int:
    """A number; 0, which is never written, where there is none."""
    return _number(fields.get(number, [0])[0])


def _number(value: int | bytes) -> int:
    if not isinstance(value, int):
        raise ValueError("a torn manifest")
    return value


def _bytes(value: int | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("a torn manifest")
    return value
