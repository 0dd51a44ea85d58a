"""Tables as files: CSV that spreadsheets open without running anything, and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence

Cell = str | int | float | bool | None

# The last four are the full-width forms, which spreadsheets in Japanese take too.
_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def to_csv(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """CSV with a head line (RFC 4180). Texts that a spreadsheet would take for a formula begin with an apostrophe.

    See OWASP, "CSV Injection". Numbers are left as they are.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([_escape_formula(column) for column in columns])
    writer.writerows([_escape_formula(cell) for cell in row] for row in rows)
    return text.getvalue()


def to_json(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A JSON list of one object a row."""
    return json.dumps([dict(zip(columns, row, strict=True)) for row in rows], ensure_ascii=False, indent=1)


def _escape_formula(cell: Cell) -> Cell:
    if isinstance(cell, str) and cell.lstrip(" ").startswith(_FORMULA_SIGNS):
        return f"'{cell}"
    return cell
