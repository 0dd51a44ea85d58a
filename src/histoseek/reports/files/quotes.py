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
    """Lines that are no row, since a quote is not closed: that of the quote, and the first and last left out."""

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
        return f"Close it, and double the quotes within texts: {lines} left out"


def records(lines: Iterable[str], delimiter: str) -> Iterator[list[str] | OpenQuote]:
    """The rows of a table's lines as cells, with an OpenQuote in place of those that a quote makes unreadable.

    A row over several lines needs a proper end of each quoted cell: a quote with a delimiter or the line's end behind
    it (RFC 4180), or blanks between. Where another row's quoted cell begins instead, rows go on from there; where it is
    a quote within the text, behind the next proper end. Pairs of quotes within one line are taken as they come. Raises
    csv.Error for a cell that is too long.
    """
    csv.field_size_limit(_LONGEST_CELL)
    source = _Lines(iter(lines))
    blanks = re.compile(rf'" +(?={re.escape(delimiter)}|[\r\n]*$)')
    readers = (
        csv.reader(source, delimiter=delimiter, strict=True),
        csv.reader(map(partial(blanks.sub, '"'), source), delimiter=delimiter, strict=True),
    )
    while True:
        source.begin()
        row = _row(source, readers, delimiter)
        if row is None:
            return
        yield row


def first_open_quote(lines: Iterable[str], delimiter: str) -> OpenQuote | None:
    """The first fault of a whole table; None when there is none. Raises csv.Error."""
    return next((found for found in records(lines, delimiter) if isinstance(found, OpenQuote)), None)


class _Lines(Iterator[str]):
    """Lines that can be given back. taken: those of the row being read."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._back: list[str] = []
        self._before = 0
        self.taken: list[str] = []

    @property
    def first(self) -> int:
        """The number of the row's first line, from 1."""
        return self._before + 1

    def __next__(self) -> str:
        line = self._back.pop() if self._back else next(self._lines)
        self.taken.append(line)
        return line

    def begin(self) -> None:
        """Go on to the next row."""
        self._before += len(self.taken)
        self.taken = []

    def keep(self, count: int) -> None:
        """Give back all lines of the row but the first ones."""
        self._back += reversed(self.taken[count:])
        del self.taken[count:]


def _row(source: _Lines, readers: Iterable[Iterator[list[str]]], delimiter: str) -> list[str] | OpenQuote | None:
    """The next row by the first reader that takes it, None behind the last one."""
    fault = ""
    for reader in readers:
        source.keep(0)
        try:
            return next(reader, None)
        except csv.Error as error:
            fault = _of_quotes(error)
    return _one_line(source, fault, delimiter) or _left_out(source, fault, delimiter)


def _of_quotes(error: csv.Error) -> str:
    """What is said of quotes; any other error is raised again."""
    if _CUT_OFF in str(error) or _BAD_END in str(error):
        return str(error)
    raise error


def _one_line(source: _Lines, fault: str, delimiter: str) -> list[str] | None:
    """The cells of a row whose quotes go wrong but are in pairs and end with the cell, all in one line."""
    if len(source.taken) > 1 or _CUT_OFF in fault or source.taken[0].count('"') % 2:
        return None
    reader = csv.reader([*source.taken, ""], delimiter=delimiter)
    cells = next(reader)
    whole = all(cell.endswith('"') for cell in cells if '"' in cell)
    return cells if whole and reader.line_num == 1 else None


def _left_out(source: _Lines, fault: str, delimiter: str) -> OpenQuote:
    """Leave out the lines of a row whose quotes go wrong in the last one that was taken."""
    opened = source.first + _opening(source.taken, delimiter)
    if _CUT_OFF not in fault:
        if _begins_row(source.taken, delimiter):
            source.keep(len(source.taken) - 1)
        else:
            _skip_to_end_of_cell(source, delimiter)
    return OpenQuote(opened, source.first, source.first + len(source.taken) - 1)


def _skip_to_end_of_cell(source: _Lines, delimiter: str) -> None:
    end = re.compile(rf'"[ ]*(?:{re.escape(delimiter)}|[\r\n]*$)')
    while not end.search(source.taken[-1]):
        if next(source, None) is None:
            return


def _opening(lines: list[str], delimiter: str) -> int:
    """The place of the line in which the cell was opened that goes on in the last one."""
    inner = range(len(lines) - 2, 0, -1)
    return next((place for place in inner if len(next(csv.reader([f'"{lines[place]}'], delimiter=delimiter))) > 1), 0)


def _begins_row(lines: list[str], delimiter: str) -> bool:
    """Whether the first quote of the last of several lines stands where a cell begins."""
    before = lines[-1].partition('"')[0]
    return len(lines) > 1 and (before.endswith(delimiter) if before else lines[0].startswith('"'))
