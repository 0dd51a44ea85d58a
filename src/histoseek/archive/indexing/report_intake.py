"""From report files to the text that the archive keeps of each slide, with a summary that holds no content."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from histoseek.archive.indexing.metadata_row import TableRow
from histoseek.archive.indexing.metadata_table import MetadataTable
from histoseek.archive.indexing.personal_data import collect_identifiers, list_record_identifiers, merge_identifiers
from histoseek.archive.indexing.report_cleaner import make_cleaner
from histoseek.archive.journal import ReportFileRefusal
from histoseek.archive.schema import SlideRecord
from histoseek.errors import InputError
from histoseek.progress import Reporter, SilentReporter
from histoseek.reports.files.document import Report, ReportBatch, ReportFileSummary, ReportSource
from histoseek.reports.files.report_columns import ReportColumns
from histoseek.reports.files.report_join import ReportJoin, SlideKey, join_reports
from histoseek.reports.files.report_reader import read_report_rows, read_reports
from histoseek.reports.privacy.deidentify import DeidentifyChoice, IdentifierCount, KnownIdentifiers
from histoseek.slides.sources.base import SlideSource

log = logging.getLogger(__name__)

Row = Mapping[str, object]
"""A report with its ids, by the names of columns."""

BAD_REPORT = "BadReport"
"""What refused report files and rows are called where slides have the class of their error."""


@dataclass(frozen=True, slots=True)
class OrphanReportSummary:
    """A report that belongs to no slide: its id, and why."""

    report_id: str
    why: str


@dataclass(frozen=True, slots=True)
class ReportIntakeSummary:
    """What became of the reports.

    files: how each was read; folded: ids whose text came twice and is kept once; differing: ids with several texts,
    all kept; reports: how many were read, joined: how many of them belong to a slide; slides: how many have a text, be
    it of their metadata row; removed: identifiers replaced.
    """

    files: tuple[ReportFileSummary, ...]
    refused: tuple[ReportFileRefusal, ...]
    folded: tuple[str, ...]
    differing: tuple[str, ...]
    reports: int
    joined: int
    slides: int
    unjoined: tuple[OrphanReportSummary, ...]
    slides_without_report: tuple[str, ...]
    deidentified: bool
    removed: tuple[IdentifierCount, ...]


@dataclass(frozen=True, slots=True)
class SlideReports:
    """The text to keep of each slide that has one; what became of the reports, None where there was none."""

    texts: Mapping[SlideSource, str]
    summary: ReportIntakeSummary | None


def make_report_columns(roles: Mapping[str, str] | None, rename: Mapping[str, str] | None) -> ReportColumns | None:
    """Columns as `--report-columns` and `--rename` name them. Raises ConfigurationError for an unknown role.

    Each table must have the columns of the former; beside a rename, which may be for another table, none must.
    """
    renamed = ReportColumns.from_renames(rename) if rename else None
    by_role = ReportColumns.from_roles(roles) if roles else None
    if by_role and renamed and renamed.roles:
        return ReportColumns((*by_role.roles, *renamed.roles), optional=True)
    return by_role or renamed


def load_reports(
    reports: Sequence[Path | Row],
    columns: ReportColumns | None,
    reporter: Reporter | None = None,
    trust: bool | None = None,
) -> ReportBatch:
    """Read reports from files and folders, or from rows; raises what `read_reports` raises, and InputError for folders
    without any report file and for paths and rows mixed."""
    paths = [report for report in reports if isinstance(report, Path)]
    rows = [report for report in reports if not isinstance(report, Path)]
    if paths and rows:
        raise InputError("reports", "paths and rows are mixed", "Give one or the other")
    if rows:
        return read_report_rows(rows, columns)
    with (reporter or SilentReporter()).part("report files", 0) as part:
        read = read_reports(paths, columns, part, trust)
    if not (read.files or read.refused):
        advice = "Give tables, JSON, Excel, text or PDF files, or folders of them"
        raise InputError(", ".join(map(str, paths)), "no report files in it", advice)
    return read


def list_report_identifiers(report: Report) -> KnownIdentifiers:
    """What a report's own ids say, and the names beside it."""
    ids = (report.report_id.partition("#")[0], report.case_id, *report.slide_ids)
    return merge_identifiers((collect_identifiers(ids, report.patient_id, {}), KnownIdentifiers(names=report.persons)))


def make_refusal(source: ReportSource, reason: str) -> ReportFileRefusal:
    """A refused file or row as it is logged; reason: in full, with its place."""
    return ReportFileRefusal(str(source.path), source.row, BAD_REPORT, " ".join(reason.split()))


@dataclass
class ReportIntake:
    """Joins reports to slides and removes identifiers from their texts.

    row_of: the metadata row of each slide; records: what the archive holds, for slides without a row.
    """

    sources: Sequence[SlideSource]
    row_of: Mapping[SlideSource, TableRow]
    records: Sequence[SlideRecord]
    metadata: MetadataTable | None
    deidentify: DeidentifyChoice
    _refused: list[ReportFileRefusal] = field(default_factory=list, init=False)

    def take(self, read: ReportBatch | None, reporter: Reporter) -> SlideReports:
        """The text of each slide: its reports, or else the `report` of its metadata row."""
        self._cleaner = make_cleaner(self.deidentify)
        self._record_of = {record.uri: record for record in self.records}
        if read is None:
            texts = self._add_row_texts({})
            nothing = ReportBatch((), (), (), (), ())
            return SlideReports(texts, self._summarise(nothing, None, len(texts)) if texts or self._refused else None)
        self._refused += [make_refusal(refusal.source, str(refusal)) for refusal in read.refused]
        joined = join_reports(read.reports, [self._make_key(source) for source in self.sources])
        texts = self._add_row_texts(self._collect_texts(read.reports, joined, reporter))
        return SlideReports(texts, self._summarise(read, joined, len(texts)))

    def _make_key(self, source: SlideSource) -> SlideKey:
        row, record = self.row_of.get(source, TableRow()), self._record_of.get(source.uri)
        return SlideKey(
            slide_id=row.slide_id or (record.slide_id if record else None),
            file=PurePath(*source.parts),
            case_id=row.case_id or (record.case_id if record else None),
            patient_id=row.texts.get("patient_id") or (record.patient_id if record else None),
        )

    def _collect_texts(
        self, reports: Sequence[Report], joined: ReportJoin, reporter: Reporter
    ) -> dict[SlideSource, str]:
        """The clean texts of each slide; a report of several slides is cleaned once."""
        places: dict[int, list[int]] = defaultdict(list)
        for pair in joined.pairs:
            places[pair.report].append(pair.slide)
        texts: dict[SlideSource, list[str]] = defaultdict(list)
        with reporter.part("reading reports", len(places)) as part:
            for number, slides in places.items():
                sources = [self.sources[slide] for slide in slides]
                text = self._clean(
                    reports[number].text, self._collect_identifiers(reports[number], sources), reports[number].source
                )
                for source in sources if text else ():
                    texts[source].append(text)
                part.advance()
        return {source: "\n\n".join(parts) for source, parts in texts.items()}

    def _add_row_texts(self, texts: dict[SlideSource, str]) -> dict[SlideSource, str]:
        """The texts, with those of metadata rows where no report speaks of a slide."""
        clean: dict[int, str] = {}
        for source, row in self.row_of.items():
            if source in texts or not row.report or self.metadata is None:
                continue
            if id(row) not in clean:
                clean[id(row)] = self._clean(row.report, row.identifiers, ReportSource(self.metadata.path))
            if clean[id(row)]:
                texts[source] = clean[id(row)]
        return texts

    def _collect_identifiers(self, report: Report, sources: Sequence[SlideSource]) -> KnownIdentifiers:
        rows = [self.row_of[source].identifiers for source in sources if source in self.row_of]
        records = [self._record_of[source.uri] for source in sources if source.uri in self._record_of]
        return merge_identifiers((*rows, *map(list_record_identifiers, records), list_report_identifiers(report)))

    def _clean(self, text: str, identifiers: KnownIdentifiers, source: ReportSource) -> str:
        """The text as it may be stored, empty where that fails: what could not be cleaned is not kept."""
        try:
            return self._cleaner.clean(text.encode(errors="replace").decode(), identifiers)
        except Exception as error:
            log.debug("unexpected %s while replacing identifiers", type(error).__name__)
            what = f"{source.path}: its identifiers could not be replaced (unexpected {type(error).__name__})"
            self._refused.append(make_refusal(source, f"{what}. Shorten the report, or leave it out"))
            return ""

    def _summarise(self, read: ReportBatch, joined: ReportJoin | None, slides: int) -> ReportIntakeSummary:
        orphans = joined.reports_without_slide if joined else ()
        return ReportIntakeSummary(
            files=read.files,
            refused=tuple(self._refused),
            folded=read.folded,
            differing=read.differing,
            reports=len(read.reports),
            joined=len(read.reports) - len(orphans),
            slides=slides,
            unjoined=tuple(OrphanReportSummary(orphan.report.report_id, orphan.reason) for orphan in orphans),
            slides_without_report=tuple(self.sources[i].uri for i in joined.slides_without_report) if joined else (),
            deidentified=bool(self.deidentify),
            removed=self._cleaner.removed,
        )
