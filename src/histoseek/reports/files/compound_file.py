"""Streams of Microsoft's compound files (.xls), with every chain of sectors bounded by the file's own size."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_MARK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_HEADER_BYTES, _ENTRY_BYTES = 512, 128
_FIRST_IN_HEADER = 109
_SMALLEST_SECTOR_SHIFT, _LARGEST_SECTOR_SHIFT = 6, 12
_STREAM, _ROOT = 2, 5


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line of the directory: what it is, its first sector and its length in bytes."""

    kind: int
    first: int
    length: int


def is_compound(path: Path) -> bool:
    """Whether a file begins as compound files do."""
    with path.open("rb") as file:
        return file.read(len(_MARK)) == _MARK


def read_stream(path: Path, name: str) -> bytes:
    """The bytes of a stream as far as they are there; none where the file has no such stream, or is damaged."""
    try:
        return _CompoundFile(path.read_bytes()).read(name)
    except (struct.error, IndexError, KeyError):
        return b""


class _CompoundFile:
    def __init__(self, data: bytes) -> None:
        self._data = data
        shift, mini_shift = struct.unpack_from("<HH", data, 30)
        if not _SMALLEST_SECTOR_SHIFT <= mini_shift <= shift <= _LARGEST_SECTOR_SHIFT:
            raise KeyError("sector")
        self._sector, self._mini_sector = 1 << shift, 1 << mini_shift
        directory, _, self._cutoff, mini_first, _, more, _ = struct.unpack_from("<7I", data, 48)
        self._table = self._read_table(more)
        self._entries = self._read_directory(directory)
        mini = self._read_chain(mini_first, self._table, self._data, self._sector, max(_HEADER_BYTES, self._sector))
        self._mini_table = struct.unpack(f"<{len(mini) // 4}I", mini[: len(mini) // 4 * 4])

    def read(self, name: str) -> bytes:
        """The stream of this name."""
        entry = self._entries.get(name)
        if entry is None or entry.kind != _STREAM:
            return b""
        if entry.length >= self._cutoff:
            return self._read_sectors(entry.first)[: entry.length]
        root = next((entry for entry in self._entries.values() if entry.kind == _ROOT), None)
        small = self._read_sectors(root.first) if root else b""
        return self._read_chain(entry.first, self._mini_table, small, self._mini_sector, 0)[: entry.length]

    def _read_sectors(self, first: int) -> bytes:
        return self._read_chain(first, self._table, self._data, self._sector, max(_HEADER_BYTES, self._sector))

    def _read_table(self, more: int) -> tuple[int, ...]:
        """Which sector follows which: from the sectors that the header lists, and the lists that follow it."""
        places = list(struct.unpack_from(f"<{_FIRST_IN_HEADER}I", self._data, 76))
        seen: set[int] = set()
        while more not in seen and (block := self._get_sector(more)):
            seen.add(more)
            numbers = struct.unpack(f"<{len(block) // 4}I", block[: len(block) // 4 * 4])
            places += numbers[:-1]
            more = numbers[-1]
        blocks = b"".join(self._get_sector(place) for place in dict.fromkeys(places))
        return struct.unpack(f"<{len(blocks) // 4}I", blocks[: len(blocks) // 4 * 4])

    def _get_sector(self, number: int) -> bytes:
        start = max(_HEADER_BYTES, self._sector) + number * self._sector
        return self._data[start : start + self._sector]

    def _read_directory(self, first: int) -> Mapping[str, _Entry]:
        data = self._read_sectors(first)
        entries: dict[str, _Entry] = {}
        for place in range(0, len(data) - _ENTRY_BYTES + 1, _ENTRY_BYTES):
            length, kind = struct.unpack_from("<HB", data, place + 64)
            name = data[place : place + max(0, min(length, 64) - 2)].decode("utf-16-le", "replace")
            start, size = struct.unpack_from("<II", data, place + 116)
            entries.setdefault(name, _Entry(kind, start, size))
        return entries

    @staticmethod
    def _read_chain(first: int, table: tuple[int, ...], data: bytes, sector: int, offset: int) -> bytes:
        """The sectors of a chain; it ends at its end, and where it would go round or out of the file."""
        blocks, seen = [], set()
        while first not in seen and (block := data[offset + first * sector : offset + (first + 1) * sector]):
            seen.add(first)
            blocks.append(block)
            first = table[first] if first < len(table) else len(data)
        return b"".join(blocks)
