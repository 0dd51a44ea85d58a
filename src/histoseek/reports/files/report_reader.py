"""Reports from files of many kinds: one bad file never stops the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from histoseek.bounds import refusing_exhaustion
from histoseek.errors import BadTable, InputError
from histoseek.progress import Reporter, SilentReporter
from histoseek.reports.files.confined_files import load_pdf, load_workbook
from histoseek.reports.files.document import (
    FileRefusal,
    Format,
    ReportBatch,
    ReportFileSummary,
    ReportPart,
    ReportSource,
)
from histoseek.reports.files.encodings import clean_id
from histoseek.reports.files.grouping import group_entries
from histoseek.reports.files.raw_tables import (
    RawTable,
    looks_separated,
    read_json,
    read_json_lines,
    read_separated,
    table_of_rows,
)
from histoseek.reports.files.report_columns import ReportColumns, map_columns
from histoseek.reports.files.report_entries import ReportEntry, read_entries
from histoseek.reports.files.texts import (
    TABLE_SUFFIXES,
    TEXT_SUFFIXES,
    WORKBOOK_SUFFIXES,
    list_report_files,
    read_text,
    require_readable,
)


@dataclass(frozen=True, slots=True)
class _FileContent:
    """What one file gave."""

    files: tuple[ReportFileSummary, ...]
    entries: tuple[ReportEntry, ...]
    refused: tuple[FileRefusal, ...]


def read_reports(
    paths: Sequence[Path],
    columns: ReportColumns | None = None,
    reporter: Reporter | None = None,
    trust: bool | None = None,
) -> ReportBatch:
    """Read reports from tables (CSV, TSV, JSON, JSON Lines, Excel), texts (plain, Markdown, PDF) and folders of them.

    columns: what a table's columns hold, as far as their names do not say it; trust: whether workbooks and PDFs are
    read in this very process, None for what the settings say. A file or row that cannot be used is refused and the
    others are read. Raises BadTable or InputError only when a single file was given and nothing of it
    can be used: no such file, no id or text column, no text.
    """
    reporter = reporter or SilentReporter()
    passed_over: Counter[str] = Counter()
    files = [file for path in paths for file in list_report_files(path, passed_over)]
    reporter.expect(len(files))
    contents: list[_FileContent] = []
    for file in files:
        try:
            contents.append(_read_file(file, columns, trust))
        except InputError as error:
            if len(files) == 1:
                raise
            contents.append(_FileContent((), (), (FileRefusal(ReportSource(file), error.what, error.advice),)))
        reporter.advance()
    return replace(_batch(contents), passed_over=passed_over)


def read_report_rows(rows: Sequence[Mapping[str, object]], columns: ReportColumns | None = None) -> ReportBatch:
    """Reports from rows that a program has at hand, one mapping of column names to values each, read as those of a
    table; raises BadTable when none of them can be used."""
    return _batch([_read_rows(table_of_rows(rows, "reports"), columns)])


def _batch(contents: Sequence[_FileContent]) -> ReportBatch:
    groups = group_entries(entry for content in contents for entry in content.entries)
    return ReportBatch(
        reports=groups.reports,
        files=tuple(file for content in contents for file in content.files),
        refused=tuple(refusal for content in contents for refusal in content.refused),
        folded=groups.folded,
        differing=groups.differing,
    )


def _read_file(path: Path, columns: ReportColumns | None, trust: bool | None) -> _FileContent:
    """Read one file by its kind. Raises InputError when nothing of it can be used."""
    require_readable(path)
    try:
        with refusing_exhaustion(lambda reason: BadTable(path, reason, "Check how it was made, or give it in parts")):
            return _read_content(path, columns, trust)
    except OSError as error:
        raise BadTable(path, error.strerror or "cannot be read", "Check the path") from error


def _read_content(path: Path, columns: ReportColumns | None, trust: bool | None) -> _FileContent:
    suffix = path.suffix.lower()
    if suffix in WORKBOOK_SUFFIXES:
        return _read_sheets(path, columns, trust)
    read_table = _choose_table_reader(path)
    if read_table:
        return _read_rows(read_table(path), columns)
    return _read_text(path, load_pdf(path, trust) if _begins_as_pdf(path) else None)


def _choose_table_reader(path: Path) -> Callable[[Path], RawTable] | None:
    suffix = path.suffix.lower()
    if suffix == ".json":
        return read_json
    if suffix in (".jsonl", ".ndjson"):
        return read_json_lines
    tabular = suffix in TABLE_SUFFIXES or (suffix in TEXT_SUFFIXES - {".md"} and _is_table(path))
    return read_separated if tabular else None


def _is_table(path: Path) -> bool:
    """Whether a text file is a table with an id and a report column, as Excel's "Unicode text" is."""
    if _begins_as_pdf(path) or not looks_separated(path):
        return False
    try:
        map_columns(path, read_separated(path).names, None)
    except BadTable:
        return False
    return True


def _begins_as_pdf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(1024).lstrip().startswith(b"%PDF-")


def _read_text(path: Path, pdf_text: str | None) -> _FileContent:
    text, encoding = (pdf_text, None) if pdf_text is not None else read_text(path)
    kind: Format = "text" if pdf_text is None else "pdf"
    name = clean_id(path.stem)
    entry = ReportEntry(name, (), (), None, None, (ReportPart("report", text),), ReportSource(path))
    return _FileContent((ReportFileSummary(path, kind, encoding, None, 1),), (entry,), ())


def _read_rows(table: RawTable, columns: ReportColumns | None) -> _FileContent:
    mapping = map_columns(table.path, table.names, columns)
    items = tuple(read_entries(table, mapping))
    entries = tuple(entry for entry in items if isinstance(entry, ReportEntry))
    if not items:
        raise BadTable(table.path, "no rows", "Give a table with one row per slide or case")
    named_patients = sum(entry.has_named_patient for entry in entries)
    summary = ReportFileSummary(table.path, table.format, table.encoding, mapping, len(entries), named_patients)
    return _FileContent((summary,), entries, tuple(row for row in items if isinstance(row, FileRefusal)))


def _read_sheets(path: Path, columns: ReportColumns | None, trust: bool | None) -> _FileContent:
    """All sheets that hold reports; the first sheet's fault is raised when none does."""
    contents: list[_FileContent] = []
    fault = BadTable(path, "an empty workbook", "Give one with a sheet of reports")
    for number, table in enumerate(load_workbook(path, trust)):
        try:
            contents.append(_read_rows(table, columns))
        except BadTable as error:
            fault = error if number == 0 else fault
    if not contents:
        raise fault
    return _FileContent(
        files=tuple(chain.from_iterable(content.files for content in contents)),
        entries=tuple(chain.from_iterable(content.entries for content in contents)),
        refused=tuple(chain.from_iterable(content.refused for content in contents)),
    )
