"""Rows of a separated table with their quotes checked: one that is not closed must not take other rows along."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

_LONGEST_CELL = 1 << 27
_CUT_OFF = "unexpected end of data"
_BAD_END = "expected after"


@dataclass(frozen=True, slots=True)
class OpenQuote:
    """Lines left out because a quote is not closed: the line of the quote, and the first and last line left out."""

    line: int
    first: int
    last: int

    @property
    def what(self) -> str:
        """The fault in words."""
        return f"a quote opened in line {self.line} is not closed"

    @property
    def advice(self) -> str:
        """The next step, and what is lost."""
        lines = f"lines {self.first} to {self.last} are" if self.last > self.first else f"line {self.first} is"
        return f"Close it, and double the quotes inside texts: {lines} left out"


def read_rows(lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str] | OpenQuote]]:
    """The rows of a table's lines as cells, with an OpenQuote in place of those that a quote makes unreadable, and the
    number of the line that each begins in.

    A row over several lines needs a proper end of each quoted cell: a quote with a delimiter or the line's end behind
    it (RFC 4180), or blanks between. Where another row's quoted cell begins instead, rows go on from there; where it is
    a quote within the text, behind the next proper end. Pairs of quotes within one line are taken as they come. Raises
    csv.Error for a cell that is too long.
    """
    csv.field_size_limit(_LONGEST_CELL)
    source = _Lines(iter(lines))
    blanks = re.compile(rf'" +(?={re.escape(delimiter)}|[\r\n]*$)')
    readers = (
        csv.reader(source, delimiter=delimiter, skipinitialspace=True, strict=True),
        csv.reader(map(partial(blanks.sub, '"'), source), delimiter=delimiter, skipinitialspace=True, strict=True),
    )
    while True:
        source.start_row()
        row = _read_row(source, readers, delimiter)
        if row is None:
            return
        yield source.first, row


class _Lines(Iterator[str]):
    """Lines that can be given back. taken: those of the row being read."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._returned_lines: list[str] = []
        self._lines_before = 0
        self.row_lines: list[str] = []

    @property
    def first(self) -> int:
        """The number of the row's first line, from 1."""
        return self._lines_before + 1

    def __next__(self) -> str:
        line = self._returned_lines.pop() if self._returned_lines else next(self._lines)
        self.row_lines.append(line)
        return line

    def start_row(self) -> None:
        """Go on to the next row."""
        self._lines_before += len(self.row_lines)
        self.row_lines = []

    def keep_lines(self, count: int) -> None:
        """Give back all lines of the row but the first ones."""
        self._returned_lines += reversed(self.row_lines[count:])
        del self.row_lines[count:]


def _read_row(source: _Lines, readers: Iterable[Iterator[list[str]]], delimiter: str) -> list[str] | OpenQuote | None:
    """The next row by the first reader that takes it, None behind the last one."""
    fault = ""
    for reader in readers:
        source.keep_lines(0)
        try:
            return next(reader, None)
        except csv.Error as error:
            fault = _read_quote_error(error)
    return _read_one_line(source, fault, delimiter) or _leave_out(source, fault, delimiter)


def _read_quote_error(error: csv.Error) -> str:
    """What is said of quotes; any other error is raised again."""
    if _CUT_OFF in str(error) or _BAD_END in str(error):
        return str(error)
    raise error


def _read_one_line(source: _Lines, fault: str, delimiter: str) -> list[str] | None:
    """The cells of a row whose quotes go wrong but are in pairs and end with the cell, all in one line."""
    if len(source.row_lines) > 1 or _CUT_OFF in fault or source.row_lines[0].count('"') % 2:
        return None
    reader = csv.reader([*source.row_lines, ""], delimiter=delimiter)
    cells = next(reader)
    whole = all(cell.endswith('"') for cell in cells if '"' in cell)
    return cells if whole and reader.line_num == 1 else None


def _leave_out(source: _Lines, fault: str, delimiter: str) -> OpenQuote:
    """Leave out the lines of a row whose quotes go wrong in the last one that was taken."""
    opening_line = source.first + _find_opening_line(source.row_lines, delimiter)
    if _CUT_OFF not in fault:
        if _begins_row(source.row_lines, delimiter):
            source.keep_lines(len(source.row_lines) - 1)
        else:
            _skip_to_cell_end(source, delimiter)
    return OpenQuote(opening_line, source.first, source.first + len(source.row_lines) - 1)


def _skip_to_cell_end(source: _Lines, delimiter: str) -> None:
    end = re.compile(rf'"[ ]*(?:{re.escape(delimiter)}|[\r\n]*$)')
    while not end.search(source.row_lines[-1]):
        if next(source, None) is None:
            return


def _find_opening_line(lines: list[str], delimiter: str) -> int:
    """The place of the line in which the cell was opened that goes on in the last one."""
    inner = range(len(lines) - 2, 0, -1)
    return next((place for place in inner if len(next(csv.reader([f'"{lines[place]}'], delimiter=delimiter))) > 1), 0)


def _begins_row(lines: list[str], delimiter: str) -> bool:
    """Whether the first quote of the last of several lines stands where a cell begins."""
    before = lines[-1].partition('"')[0]
    return len(lines) > 1 and (before.endswith(delimiter) if before else lines[0].startswith('"'))
