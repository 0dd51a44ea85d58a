"""What reading reports gives: reports with their parts, and all that was noticed on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from histoseek.reports.files.column_names import PartName
from histoseek.reports.files.report_columns import ColumnMapping

Format = Literal["rows", "table", "json", "json lines", "workbook", "text", "pdf"]


@dataclass(frozen=True, slots=True)
class ReportSource:
    """Where a text was read: row counts as a spreadsheet shows it (the header is row 1), None in a file of one text;
    line: that of a text file in which the row begins, None in a workbook; sheet: of a workbook of several."""

    path: Path
    row: int | None = None
    line: int | None = None
    sheet: str | None = None

    @property
    def place(self) -> str:
        """The row and, where it differs, the line; empty for a whole file."""
        if self.row is None:
            return f"line {self.line}" if self.line else ""
        row = f"row {self.row} of sheet {self.sheet!r}" if self.sheet else f"row {self.row}"
        return row if self.line in (None, self.row) else f"{row} (line {self.line})"


@dataclass(frozen=True, slots=True)
class ReportPart:
    """One piece of a report: name says which ("report" is a whole text); addendum: 0 the report itself, 1... later."""

    name: PartName
    text: str
    addendum: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """One report with the ids it was given; at least one of report_id, slide_ids, files, case_id, patient_id is set.

    report_id is unique within one reading: texts that differ under one id become ID, ID#2 and so on; a report that is
    known by nothing but the name of a person is called by its first row ("row 12 of lab.csv").
    parts: those of the report, then those of its addenda in order. source: where its first part was read.
    persons: names that its table gives beside the text, to be looked for in it and never kept.
    """

    report_id: str
    slide_ids: tuple[str, ...]
    files: tuple[str, ...]
    case_id: str | None
    patient_id: str | None = field(repr=False)
    parts: tuple[ReportPart, ...]
    source: ReportSource
    persons: tuple[str, ...] = field(default=(), repr=False)

    @property
    def text(self) -> str:
        """All parts in order; a part that came from a column or an addendum begins with its heading."""
        return "\n\n".join(self._format_parts())

    def _format_parts(self) -> Iterator[str]:
        addendum = 0
        for part in self.parts:
            if part.addendum > addendum:
                addendum = part.addendum
                yield f"ADDENDUM {addendum}:"
            heading = part.name not in ("report", "addendum")
            yield f"{part.name.upper()}:\n{part.text}" if heading else part.text


@dataclass(frozen=True, slots=True)
class FileRefusal:
    """A file, or one row of it, that was left out: what is wrong and the next step."""

    source: ReportSource
    what: str
    advice: str

    def __str__(self) -> str:
        place = f", {self.source.place}" if self.source.place else ""
        return f"{self.source.path}{place}: {self.what}. {self.advice}"


@dataclass(frozen=True, slots=True)
class ReportFileSummary:
    """A file that was read.

    encoding: as found, None where the format fixes it; mapping: None in a file of one text; texts: how many were read;
    named_patients: in how many rows the id of the patient is the name of a person.
    """

    path: Path
    format: Format
    encoding: str | None
    mapping: ColumnMapping | None
    texts: int
    named_patients: int = 0


@dataclass(frozen=True, slots=True)
class ReportBatch:
    """Reports in the order of the files, and what was noticed.

    refused: files and rows left out. folded: ids whose text came more than once and is kept once.
    differing: ids under which several different texts came; all of them are kept. passed_over: how many files of
    folders are of other kinds.
    """

    reports: tuple[Report, ...]
    files: tuple[ReportFileSummary, ...]
    refused: tuple[FileRefusal, ...]
    folded: tuple[str, ...]
    differing: tuple[str, ...]
    passed_over: Mapping[str, int] = field(default_factory=dict)
