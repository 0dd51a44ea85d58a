"""How far the sheets of a workbook reach, read from its bytes before a library lays out all cells between its corners.

A sheet with one cell in its first and one in its last corner has 17 thousand million cells, and a file of 1.5 kB.
"""

from __future__ import annotations

import re
import struct
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from zipfile import BadZipFile

from histoseek.bounds import is_zip, read_zip_entries, require_cells, require_file_bytes
from histoseek.errors import TooLarge
from histoseek.reports.files.compound_file import is_compound, read_stream

_CELL = re.compile(
    rb"<(?:[A-Za-z]\w*:)?(?P<tag>row|c)(?:\s+r=\"(?P<letters>[A-Za-z]*)(?P<digits>\d{1,18})\"|(?=[\s/>]))(?P<rest>[^<>]*)>"
)
_PLACE = re.compile(rb"(?:^|\s)r\s*=\s*[\"'](?P<letters>[A-Za-z]*)(?P<digits>\d{1,18})")
_REPEATED = re.compile(
    rb"<(?:[A-Za-z]\w*:)?(?P<tag>table-row|table-cell|covered-table-cell|table)(?=[\s/>])(?P<rest>[^<>]*)>"
)
_TIMES = re.compile(rb"number-(?:rows|columns)-repeated\s*=\s*[\"'](\d{1,18})")
_EMPTY_TAG = b"/"
_LONGEST_TAG = 2**16

_ROW_RECORD = 0
_CELL_RECORDS = range(1, 12)
_BIFF_HEADER = struct.Struct("<HH")
_BIFF_SEVERAL = {0x00BD, 0x00BE}
_BIFF_CELLS = {*range(1, 7), 0x00D6, 0x00FD, *range(0x0201, 0x0206), 0x0206, 0x0406, 0x027E, *_BIFF_SEVERAL}
_BIFF_BEGIN = {0x0009, 0x0209, 0x0409, 0x0809}
_BIFF_STREAMS = ("Workbook", "Book")
_MOST_CHARACTERS_OF_A_COLUMN = 6


@dataclass(slots=True)
class _Extent:
    """The corner of a sheet that is furthest from its first cell, and where its next cell comes."""

    rows: int = 0
    columns: int = 0
    row: int = 0
    column: int = 0

    def reach(self, row: int, column: int) -> None:
        """Take in a cell; both counted from 1."""
        self.row, self.column = row, column
        self.rows, self.columns = max(self.rows, row), max(self.columns, column)


def require_small_sheets(path: Path) -> None:
    """Raise TooLarge when a workbook's sheets, or what is compressed in it, would take more than one file may.

    What is no workbook passes: the library that reads it says what is wrong.
    """
    require_file_bytes(path)
    if is_compound(path):
        _require_cells(path, [extent for name in _BIFF_STREAMS for extent in _scan_biff(read_stream(path, name))])
    elif is_zip(path):
        try:
            _require_small_parts(path)
        except (BadZipFile, NotImplementedError, UnicodeError, ValueError) as error:
            raise TooLarge(path, f"a workbook whose parts cannot be measured ({error})", "none of these") from error


def _require_small_parts(path: Path) -> None:
    extents: list[_Extent] = []
    for entry, chunks in read_zip_entries(path):
        name = entry.filename.lower()
        if name.endswith("content.xml"):
            extents += _scan_opendocument(chunks)
        elif name.endswith(".xml"):
            extents.append(_scan_xml(chunks))
        elif name.endswith(".bin"):
            extents.append(_scan_records(b"".join(chunks)))
        else:
            deque(chunks, maxlen=0)
    _require_cells(path, extents)


def _require_cells(path: Path, extents: Sequence[_Extent]) -> None:
    for extent in extents:
        require_cells(path, extent.rows, extent.columns, "a sheet")
    require_cells(path, sum(extent.rows * extent.columns for extent in extents), 1, "a workbook")


def _scan_xml(chunks: Iterator[bytes]) -> _Extent:
    """The cells of a sheet in Excel's XML; those without a place come after the one before."""
    extent = _Extent()
    for text in _join_tags(chunks):
        for match in _CELL.finditer(text):
            place = match if match["digits"] else _PLACE.search(match["rest"])
            letters, digits = (place["letters"], int(place["digits"])) if place else (b"", 0)
            if match["tag"] == b"row":
                extent.reach(digits or extent.row + 1, 0)
            else:
                extent.reach(digits or extent.row, _read_letters(letters) or extent.column + 1)
    return extent


def _scan_opendocument(chunks: Iterator[bytes]) -> list[_Extent]:
    """The cells of OpenDocument's sheets; a row or cell that is repeated counts as often, unless nothing is in it:
    every program repeats empty ones up to the sheet's end, and no library lays them out."""
    extents, repeats = [_Extent()], 0
    for text in _join_tags(chunks):
        for match in _REPEATED.finditer(text):
            extent = extents[-1]
            times = max(map(int, _TIMES.findall(match["rest"])), default=1)
            if match["tag"] == b"table":
                extents.append(_Extent())
                repeats = 0
            elif match["tag"] == b"table-row":
                extent.row, extent.column, repeats = extent.row + repeats, 0, times
            else:
                extent.column += times
                if b"value" in match["rest"] or not match["rest"].endswith(_EMPTY_TAG):
                    extent.rows = max(extent.rows, extent.row + repeats)
                    extent.columns = max(extent.columns, extent.column)
    return extents


def _scan_records(data: bytes) -> _Extent:
    """The cells of a sheet in Excel's binary form (.xlsb): records of a type, a length and a place."""
    extent, place = _Extent(), 0
    while place < len(data):
        kind, place = _read_varint(data, place, 2)
        length, place = _read_varint(data, place, 4)
        head = data[place : place + 4]
        if kind == _ROW_RECORD and len(head) == 4:
            extent.row = int.from_bytes(head, "little") + 1
        elif kind in _CELL_RECORDS and len(head) == 4:
            extent.reach(extent.row, int.from_bytes(head, "little") + 1)
        place += length
    return extent


def _scan_biff(data: bytes) -> list[_Extent]:
    """The cells of sheets in Excel's old form (.xls): records of a type and a length, a sheet from each BOF on."""
    extents, place = [_Extent()], 0
    while place + 4 <= len(data):
        kind, length = _BIFF_HEADER.unpack_from(data, place)
        body = data[place + 4 : place + 4 + length]
        place += 4 + length
        if kind in _BIFF_BEGIN:
            extents.append(_Extent())
        elif kind in _BIFF_CELLS and len(body) >= 4:
            row, column = _BIFF_HEADER.unpack_from(body)
            last = int.from_bytes(body[-2:], "little") if kind in _BIFF_SEVERAL else column
            extents[-1].reach(row + 1, max(column, last) + 1)
    return extents


def _join_tags(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks, none of them ending within a tag."""
    kept = b""
    for chunk in chunks:
        text = kept + chunk
        cut = text.rfind(b"<")
        kept = text[cut:] if cut >= 0 and len(text) - cut < _LONGEST_TAG else b""
        yield text[: len(text) - len(kept)]
    yield kept


def _read_letters(letters: bytes) -> int:
    """The number of a column from 1: "A" is 1, "XFD" 16,384; 0 for none."""
    number = 0
    for letter in islice(letters.upper(), _MOST_CHARACTERS_OF_A_COLUMN):
        number = number * 26 + letter - 64
    return number


def _read_varint(data: bytes, place: int, most_bytes: int) -> tuple[int, int]:
    """A number of seven bits a byte, and the place behind it."""
    number = 0
    for index in range(most_bytes):
        if place >= len(data):
            break
        byte = data[place]
        place += 1
        number |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            break
    return number, place
