"""A dry run over reports: what an archive would read, find and replace in them; counts and ids, never content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from histoseek.archive.indexing.report_cleaner import ReportCleaner
from histoseek.archive.indexing.report_intake import list_report_identifiers, load_reports, make_refusal
from histoseek.archive.journal import ReportFileRefusal
from histoseek.progress import Reporter, SilentReporter
from histoseek.reports.facts.structured import StructuredReport, extract_facts
from histoseek.reports.files.document import ReportFileSummary
from histoseek.reports.files.report_columns import ReportColumns
from histoseek.reports.language.sections import split_sections
from histoseek.reports.privacy.deidentify import IdentifierCount
from histoseek.reports.visible.rules import judge_sentences

_FIELDS = (
    *("gleason", "grade_groups", "nottingham", "differentiation", "grades", "tnm", "stage_groups", "nodes"),
    *("sizes", "margins", "stains", "ki67", "conflicts"),
)


@dataclass(frozen=True, slots=True)
class ReportCount:
    """In how many reports something is found."""

    name: str
    reports: int


@dataclass(frozen=True, slots=True)
class ReportCheck:
    """What was read and found. sections and terms: in how many reports each is; specimens: reports with labelled ones;
    sentences and visible_sentences: of all reports together."""

    reports: int
    files: tuple[ReportFileSummary, ...]
    refused: tuple[ReportFileRefusal, ...]
    folded: tuple[str, ...]
    differing: tuple[str, ...]
    sections: tuple[ReportCount, ...]
    specimens: int
    sentences: int
    visible_sentences: int
    terms: tuple[ReportCount, ...]
    identifiers: tuple[IdentifierCount, ...]


def check_reports(
    paths: Sequence[Path], columns: ReportColumns | None = None, reporter: Reporter | None = None
) -> ReportCheck:
    """Read reports as indexing would, and look into them; nothing is stored. Raises what `load_reports` raises."""
    reporter = reporter or SilentReporter()
    read = load_reports(paths, columns, reporter)
    reporter.expect(len(read.reports))
    cleaner = ReportCleaner()
    section_counts: Counter[str] = Counter()
    terms: Counter[str] = Counter()
    specimens = sentences = visible = 0
    for report in read.reports:
        text = cleaner.clean(report.text, list_report_identifiers(report))
        sections = split_sections(text)
        judged = judge_sentences(sections)
        section_counts.update({section.name for section in sections.sections})
        terms.update(set(_list_filled_fields(extract_facts(text))))
        specimens += bool(sections.specimens)
        sentences += len(judged)
        visible += sum(verdict.is_visible for verdict in judged)
        reporter.advance()
    return ReportCheck(
        reports=len(read.reports),
        files=read.files,
        refused=tuple(make_refusal(refusal.source, str(refusal)) for refusal in read.refused),
        folded=read.folded,
        differing=read.differing,
        sections=_sort_counts(section_counts.items()),
        specimens=specimens,
        sentences=sentences,
        visible_sentences=visible,
        terms=_sort_counts(terms.items()),
        identifiers=cleaner.removed,
    )


def _list_filled_fields(report: StructuredReport) -> Iterator[str]:
    """The names of the fields that a report fills."""
    if report.organ:
        yield "organ"
    if report.concepts("diagnosis"):
        yield "diagnosis"
    yield from (name for name in _FIELDS if getattr(report, name))


def _sort_counts(counts: Iterable[tuple[str, int]]) -> tuple[ReportCount, ...]:
    return tuple(ReportCount(*pair) for pair in sorted(counts, key=lambda pair: (-pair[1], pair[0])))
