"""Workbooks and PDF files that another process reads, which may do little else (docs/decisions/0049).

Texts, CSV and JSON are read by Python's own parsers, within bounds, and need none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from histoseek.bounds import require_json
from histoseek.errors import BadTable, HistoseekError, InputError
from histoseek.reports.files.raw_tables import RawRow, RawTable, read_workbook
from histoseek.reports.files.texts import LONGEST_TEXT, read_pdf
from histoseek.sandbox.error_replies import parse_error
from histoseek.sandbox.failures import ChildError
from histoseek.sandbox.forks import can_fork
from histoseek.sandbox.readings import borrow_process
from histoseek.settings import choose_trust

_HANDLER = "histoseek.reports.files.files_process"
_LIBRARIES = ("python_calamine", "pypdf")

_MOST_BYTES = 2**30

READ = b"read"
"""The header of a reply with what was read behind it."""

Sheets = list[tuple[str | None, tuple[str, ...], list[tuple[int, list[str]]]]]
"""Name, header, and numbered rows of each sheet of a workbook."""


def load_workbook(path: Path, trust: bool | None = None) -> Iterator[RawTable]:
    """As `read_workbook`, in another process unless the file is trusted (None: as the settings say)."""
    if choose_trust(trust) or not can_fork():
        yield from read_workbook(path)
        return

    def blame(reason: str) -> BadTable:
        return BadTable(path, f"not a readable workbook ({reason})", "Save it again, or as CSV")

    text = _ask("workbook", path, blame)
    require_json(path, text)
    try:
        sheets = _get_sheets_adapter().validate_json(text)
    except ValidationError as error:
        raise blame("it could not be read") from error
    for sheet, names, rows in sheets:
        yield RawTable(path, "workbook", None, names, [RawRow(number, cells) for number, cells in rows], sheet)


def load_pdf(path: Path, trust: bool | None = None) -> str:
    """As `read_pdf`, in another process unless the file is trusted (None: as the settings say)."""
    if choose_trust(trust) or not can_fork():
        return read_pdf(path)

    def blame(reason: str) -> InputError:
        return InputError(str(path), f"not a readable PDF ({reason})", "Print it to PDF again")

    try:
        text = _ask("pdf", path, blame).decode()
    except UnicodeDecodeError as error:
        raise blame("it could not be read") from error
    if len(text) > LONGEST_TEXT:
        raise blame("it could not be read")
    return text


def _ask(kind: str, path: Path, blame: Callable[[str], HistoseekError]) -> bytes:
    """What a process read; raises the error it met."""
    request = {"kind": kind, "path": str(path.absolute())}
    with borrow_process(path, _HANDLER, *_LIBRARIES) as process:
        try:
            header, payload = process.ask(request, most_bytes=_MOST_BYTES)
        except ChildError as error:
            raise blame(error.reason) from error
    if header != READ:
        raise parse_error(header, str(path), blame)
    return payload


@lru_cache(maxsize=1)
def _get_sheets_adapter() -> TypeAdapter[Sheets]:
    return TypeAdapter(Sheets)
