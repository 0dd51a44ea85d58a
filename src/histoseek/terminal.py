"""Tables for a terminal: on a narrow one less important columns go first, then long names lose their middle, and texts
break between words. Where the output is no terminal, every value is whole and every row one line."""

from __future__ import annotations

import os
import shutil
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

_GAP = "  "
_ELLIPSIS = "…"
_MOST_LINES = 4
"""Lines of a text in a row; longer ones end with an ellipsis."""

_COMFORT = {"name": 24, "text": 24}
"""Widths up to which other columns are dropped rather than these made narrower."""

_LEAST = {"name": 9, "text": 8}


@dataclass(frozen=True, slots=True)
class TableColumn:
    """kind: names (ids, files) may lose their middle, texts break between words, figures stay whole; drop: which column
    goes first where there is no room, from 1; 0 for one that stays."""

    heading: str
    kind: Literal["figure", "name", "text"] = "figure"
    drop: int = 0


def get_terminal_width() -> int | None:
    """Columns of the terminal that standard output is, or what COLUMNS says; None where there is no limit."""
    stated = os.environ.get("COLUMNS", "")
    if stated.isdecimal() and int(stated):
        return int(stated)
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def format_table(columns: Sequence[TableColumn], rows: Sequence[Sequence[str]], width: int | None) -> str:
    """A table at most so wide, with what was left out in a line below."""
    cells = [[_clean(cell) for cell in row] for row in rows]
    natural = [
        max(_count_cells(column.heading), *(_count_cells(row[at]) for row in cells))
        if cells
        else _count_cells(column.heading)
        for at, column in enumerate(columns)
    ]
    if width is None:
        kept, widths = list(range(len(columns))), natural
    else:
        kept, widths = _fit_columns(columns, cells, natural, width)
    lines = [
        line
        for row in ([column.heading for column in columns], *cells)
        for line in _format_row(columns, row, kept, widths)
    ]
    missing = [column.heading for at, column in enumerate(columns) if at not in kept and not _is_empty(cells, at)]
    if missing and width is not None:
        lines += _wrap(f"no room for: {', '.join(missing)}", width)
    return "\n".join(lines)


def _fit_columns(
    columns: Sequence[TableColumn], cells: Sequence[Sequence[str]], natural: Sequence[int], width: int
) -> tuple[list[int], list[int]]:
    """Which columns stay, and how wide each of them is."""
    least = [_find_least(column, [row[at] for row in cells], natural[at]) for at, column in enumerate(columns)]
    comfort = [
        max(least[at], min(natural[at], _COMFORT.get(column.kind, natural[at]))) for at, column in enumerate(columns)
    ]
    order = [at for at, column in enumerate(columns) if column.drop]
    order.sort(key=lambda at: (not _is_empty(cells, at), columns[at].drop))
    choices = [[at for at in range(len(columns)) if at not in order[:gone]] for gone in range(len(order) + 1)]
    for preferred in (comfort, least):
        for kept in choices:
            if _sum_widths([preferred[at] for at in kept]) <= width:
                return kept, _grow([preferred[at] for at in kept], [natural[at] for at in kept], width)
    kept = choices[-1]
    return kept, _squeeze([least[at] for at in kept], width)


def _is_empty(cells: Sequence[Sequence[str]], at: int) -> bool:
    return not any(row[at] for row in cells)


def _find_least(column: TableColumn, cells: Sequence[str], natural: int) -> int:
    """The least width of a column: that of its longest word, within reason, where it is of texts."""
    if column.kind == "figure":
        words = [_count_cells(word) for word in column.heading.split()]
        return max([*words, *map(_count_cells, cells)], default=0)
    if column.kind == "name":
        return min(natural, max(_LEAST["name"], _count_cells(column.heading)))
    words = [_count_cells(word) for text in (column.heading, *cells) for word in text.split()]
    return min(natural, _COMFORT["text"], max([_LEAST["text"], *words]))


def _grow(widths: Sequence[int], natural: Sequence[int], width: int) -> list[int]:
    """What room is left, given to the columns that lack most, one cell at a time."""
    grown = list(widths)
    for _ in range(width - _sum_widths(grown)):
        lacking = [full - present for full, present in zip(natural, grown, strict=True)]
        if max(lacking) <= 0:
            break
        grown[lacking.index(max(lacking))] += 1
    return grown


def _squeeze(widths: Sequence[int], width: int) -> list[int]:
    """Widths for a terminal that is too narrow even for the columns that stay."""
    squeezed = list(widths)
    while _sum_widths(squeezed) > width and max(squeezed) > 1:
        squeezed[squeezed.index(max(squeezed))] -= 1
    return squeezed


def _sum_widths(widths: Sequence[int]) -> int:
    return sum(widths) + len(_GAP) * (len(widths) - 1)


def _format_row(
    columns: Sequence[TableColumn], row: Sequence[str], kept: Sequence[int], widths: Sequence[int]
) -> list[str]:
    """A row's lines; a heading is a text in every column."""
    parts = []
    for at, width in zip(kept, widths, strict=True):
        text = row[at]
        is_text = columns[at].kind == "text" or text == columns[at].heading
        parts.append(_wrap(text, width) if is_text else [shorten_middle(text, width)])
    lines = []
    for number in range(max(map(len, parts))):
        line = (part[number] if number < len(part) else "" for part in parts)
        padded = (text + " " * (width - _count_cells(text)) for text, width in zip(line, widths, strict=True))
        lines.append(_GAP.join(padded).rstrip())
    return lines


def _wrap(text: str, width: int) -> list[str]:
    """A text in lines of whole words; a word that is wider than a line loses its middle."""
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if _count_cells(joined) <= width:
            lines[-1] = joined
        elif lines[-1]:
            lines.append(shorten_middle(word, width))
        else:
            lines[-1] = shorten_middle(word, width)
    if len(lines) > _MOST_LINES:
        last = lines[_MOST_LINES - 1]
        while last and _count_cells(last) + 2 > width:
            last = last.rpartition(" ")[0]
        lines = [*lines[: _MOST_LINES - 1], f"{last} {_ELLIPSIS}".strip()]
    return lines


def shorten_middle(text: str, width: int) -> str:
    """A name at most so wide: its beginning, an ellipsis, and its end, which tells files of one slide apart."""
    if _count_cells(text) <= width:
        return text
    end = (width - 1) // 2
    head, tail = text, text
    while _count_cells(head) > width - 1 - end:
        head = head[:-1]
    while _count_cells(tail) > end:
        tail = tail[1:]
    return head + _ELLIPSIS + tail


def _clean(text: str) -> str:
    """One line without control characters, which a terminal would obey."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _count_cells(text: str) -> int:
    """How many cells of a terminal a text takes: two for wide letters, none for combining marks."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(letter) else 1 + (unicodedata.east_asian_width(letter) in "WF") for letter in text
    )
