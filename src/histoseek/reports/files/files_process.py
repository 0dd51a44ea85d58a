"""What a confined process does with workbooks and PDF files. Only ever imported where processes are forked from."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from histoseek.reports.files.confined_files import READ, Sheets
from histoseek.reports.files.raw_tables import RawRow, read_workbook
from histoseek.reports.files.texts import read_pdf


def create_handler(arguments: Mapping[str, str | float | None]) -> Callable[[bytes], tuple[bytes, bytes]]:
    """What answers the requests of a process."""
    return answer


def answer(header: bytes) -> tuple[bytes, bytes]:
    """The text of a PDF, or the sheets of a workbook as JSON, or an error."""
    request = json.loads(header)
    path = Path(request["path"])
    if request["kind"] == "pdf":
        return READ, read_pdf(path).encode()
    return READ, json.dumps(_list_sheets(path)).encode()


def _list_sheets(path: Path) -> Sheets:
    return [
        (table.sheet, table.names, [(row.number, list(row.cells)) for row in table.rows if isinstance(row, RawRow)])
        for table in read_workbook(path)
    ]
