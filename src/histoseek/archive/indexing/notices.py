"""What an indexing run says of tables and reports: what did not join, and what is not kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from histoseek.archive.indexing.identifying import identifying_columns, named_patients
from histoseek.archive.indexing.joining import Joined
from histoseek.archive.indexing.report_intake import ReportsTaken
from histoseek.archive.indexing.tables import SlideTable
from histoseek.archive.journal import Unmatched
from histoseek.reports.files.document import ReportFileSummary
from histoseek.slides.sources.registry import source_name

_KEPT = "identifiers are kept as they are: whoever reads the archive can see who the patients are"


def of_persons(metadata: SlideTable | None, deidentifies: bool, has_reports: bool) -> tuple[str, ...]:
    """That identifiers are kept, or which columns are left out or changed because they tell of a person."""
    if not deidentifies:
        return (_KEPT,) if metadata or has_reports else ()
    return tuple(_left_out(metadata)) if metadata else ()


def _left_out(metadata: SlideTable) -> Iterator[str]:
    columns = identifying_columns(metadata)
    if columns:
        told = f"not stored, since they tell who a patient is: {', '.join(columns)}"
        yield f"{metadata.path}: columns {told} (--keep-identifiers stores them)"
    named = named_patients(metadata)
    if named:
        rows = f"names of persons in {len(named)} of {len(metadata.rows)} rows, first in row {named[0] + 2}"
        stored = f"pseudonyms are stored instead; give ids, or {_as_names(metadata.patient_column)}"
        yield f"{metadata.path}: column {metadata.patient_column!r} holds {rows}: {stored}"


def of_patients(files: Sequence[ReportFileSummary]) -> tuple[str, ...]:
    """Which columns of report tables hold names of persons as ids of patients."""
    said = []
    for file in files:
        columns = [found.column for found in file.mapping.roles if found.role == "patient_id"] if file.mapping else []
        if columns and file.named_patients:
            rows = f"names of persons in {file.named_patients} of {file.texts} rows"
            advice = f"lists show row numbers instead; give ids, or {_as_names(columns[0])}"
            said.append(f"{file.path}: column {columns[0]!r} holds {rows}: {advice}")
    return tuple(said)


def _as_names(column: str) -> str:
    return f"use --rename '{column}=patient_name' where another column has ids"


def of_matches(metadata: SlideTable | None, joined: Joined, reports: ReportsTaken | None) -> tuple[str, ...]:
    """Names given as ids of reports' patients; how many rows, reports and slides found no partner, with some."""
    said = list(of_patients(reports.files)) if reports else []
    if metadata and joined.unmatched_rows:
        rows = joined.unmatched_rows
        said.append(f"{metadata.path}: {len(rows)} of {len(metadata.rows)} rows match no slide: {_some(rows)}")
    if reports and reports.unjoined:
        ids = [one.report_id for one in reports.unjoined]
        said.append(f"reports: {len(ids)} of {reports.reports} match no slide: {_some(ids)}")
    if joined.sources_without_row:
        names = [source.name for source in joined.sources_without_row]
        slides = len(names) + len(joined.row_of)
        said.append(f"{len(names)} of {slides} slides have no row in the metadata: {_some(names)}")
    if reports and reports.slides_without_report:
        names = [source_name(uri) for uri in reports.slides_without_report]
        said.append(f"{len(names)} slides have no report: {_some(names)}")
    return tuple(said)


def unmatched(joined: Joined, reports: ReportsTaken | None) -> Unmatched:
    """The whole lists of what did not join."""
    return Unmatched(
        metadata_rows=joined.unmatched_rows,
        report_rows=tuple(one.report_id for one in reports.unjoined) if reports else (),
        files_without_row=tuple(source.uri for source in joined.sources_without_row),
        files_without_report=reports.slides_without_report if reports else (),
    )


def _some(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
