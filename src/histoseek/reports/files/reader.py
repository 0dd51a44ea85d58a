"""Reports from files of many kinds: one bad file never stops the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from histoseek.errors import BadTable, InputError
from histoseek.progress import Reporter, SilentReporter
from histoseek.reports.files.columns import ReportColumns, mapped_columns
from histoseek.reports.files.document import FileRead, Format, Refusal, ReportPart, ReportsRead, Source
from histoseek.reports.files.encodings import clean_id
from histoseek.reports.files.grouping import grouped
from histoseek.reports.files.rows import Entry, entries_of
from histoseek.reports.files.tables import RawTable, json_file, json_lines, looks_separated, separated, workbook
from histoseek.reports.files.texts import (
    TABLE_SUFFIXES,
    TEXT_SUFFIXES,
    WORKBOOK_SUFFIXES,
    pdf_text,
    report_files,
    require_readable,
    whole_text,
)


@dataclass(frozen=True, slots=True)
class _Content:
    """What one file gave."""

    files: tuple[FileRead, ...]
    entries: tuple[Entry, ...]
    refused: tuple[Refusal, ...]


def read_reports(
    paths: Sequence[Path], columns: ReportColumns | None = None, reporter: Reporter | None = None
) -> ReportsRead:
    """Read reports from tables (CSV, TSV, JSON, JSON Lines, Excel), texts (plain, Markdown, PDF) and folders of them.

    columns: what a table's columns hold, as far as their names do not say it. A file or row that cannot be used is
    refused and the others are read. Raises BadTable or InputError only when a single file was given and nothing of it
    can be used: no such file, no id or text column, no text.
    """
    reporter = reporter or SilentReporter()
    files = [file for path in paths for file in report_files(path)]
    reporter.expect(len(files))
    contents: list[_Content] = []
    for file in files:
        try:
            contents.append(_content(file, columns))
        except InputError as error:
            if len(files) == 1:
                raise
            contents.append(_Content((), (), (Refusal(Source(file), error.what, error.advice),)))
        reporter.advance()
    found = grouped(entry for content in contents for entry in content.entries)
    return ReportsRead(
        reports=found.reports,
        files=tuple(file for content in contents for file in content.files),
        refused=tuple(refusal for content in contents for refusal in content.refused),
        folded=found.folded,
        differing=found.differing,
    )


def _content(path: Path, columns: ReportColumns | None) -> _Content:
    """Read one file by its kind. Raises InputError when nothing of it can be used."""
    require_readable(path)
    try:
        suffix = path.suffix.lower()
        if suffix in WORKBOOK_SUFFIXES:
            return _sheets(path, columns)
        opened = _table_reader(path)
        if opened:
            return _rows(opened(path), columns)
        return _one_text(path, is_pdf=_begins_as_pdf(path))
    except OSError as error:
        raise BadTable(path, error.strerror or "cannot be read", "Check the path") from error


def _table_reader(path: Path) -> Callable[[Path], RawTable] | None:
    suffix = path.suffix.lower()
    if suffix == ".json":
        return json_file
    if suffix in (".jsonl", ".ndjson"):
        return json_lines
    tabular = suffix in TABLE_SUFFIXES or (suffix in TEXT_SUFFIXES - {".md"} and _is_table(path))
    return separated if tabular else None


def _is_table(path: Path) -> bool:
    """Whether a text file is a table with an id and a report column, as Excel's "Unicode text" is."""
    if _begins_as_pdf(path) or not looks_separated(path):
        return False
    try:
        mapped_columns(path, separated(path).names, None)
    except BadTable:
        return False
    return True


def _begins_as_pdf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(1024).lstrip().startswith(b"%PDF-")


def _one_text(path: Path, is_pdf: bool) -> _Content:
    text, encoding = (pdf_text(path), None) if is_pdf else whole_text(path)
    kind: Format = "pdf" if is_pdf else "text"
    name = clean_id(path.stem)
    entry = Entry(name, (), (), None, None, (ReportPart("report", text),), Source(path))
    return _Content((FileRead(path, kind, encoding, None, 1),), (entry,), ())


def _rows(table: RawTable, columns: ReportColumns | None) -> _Content:
    mapping = mapped_columns(table.path, table.names, columns)
    found = tuple(entries_of(table, mapping))
    entries = tuple(entry for entry in found if isinstance(entry, Entry))
    if not found:
        raise BadTable(table.path, "no rows", "Give a table with one row a slide or case")
    named = sum(entry.has_named_patient for entry in entries)
    read = FileRead(table.path, table.format, table.encoding, mapping, len(entries), named)
    return _Content((read,), entries, tuple(row for row in found if isinstance(row, Refusal)))


def _sheets(path: Path, columns: ReportColumns | None) -> _Content:
    """All sheets that hold reports; the first sheet's fault is raised when none does."""
    contents: list[_Content] = []
    fault = BadTable(path, "an empty workbook", "Give one with a sheet of reports")
    for number, table in enumerate(workbook(path)):
        try:
            contents.append(_rows(table, columns))
        except BadTable as error:
            fault = error if number == 0 else fault
    if not contents:
        raise fault
    return _Content(
        files=tuple(chain.from_iterable(content.files for content in contents)),
        entries=tuple(chain.from_iterable(content.entries for content in contents)),
        refused=tuple(chain.from_iterable(content.refused for content in contents)),
    )
