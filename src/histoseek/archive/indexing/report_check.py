"""A dry run over reports: what an archive would read, find and replace in them; counts and ids, never content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from histoseek.archive.indexing.report_intake import known_of_report, load_reports, refusal_of
from histoseek.archive.indexing.report_texts import ReportDoor
from histoseek.archive.journal import ReportRefusal
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
class NamedCount:
    """In how many reports something is found."""

    name: str
    reports: int


@dataclass(frozen=True, slots=True)
class ReportsCheck:
    """What was read and found. sections and terms: in how many reports each is; specimens: reports with labelled ones;
    sentences and visible_sentences: of all reports together."""

    reports: int
    files: tuple[ReportFileSummary, ...]
    refused: tuple[ReportRefusal, ...]
    folded: tuple[str, ...]
    differing: tuple[str, ...]
    sections: tuple[NamedCount, ...]
    specimens: int
    sentences: int
    visible_sentences: int
    terms: tuple[NamedCount, ...]
    identifiers: tuple[IdentifierCount, ...]


def check_reports(
    paths: Sequence[Path], columns: ReportColumns | None = None, reporter: Reporter | None = None
) -> ReportsCheck:
    """Read reports as indexing would, and look into them; nothing is stored. Raises what `load_reports` raises."""
    reporter = reporter or SilentReporter()
    read = load_reports(paths, columns, reporter)
    reporter.expect(len(read.reports))
    door = ReportDoor()
    named: Counter[str] = Counter()
    terms: Counter[str] = Counter()
    specimens = sentences = visible = 0
    for report in read.reports:
        text = door.passed(report.text, known_of_report(report))
        found = split_sections(text)
        judged = judge_sentences(found)
        named.update({section.name for section in found.sections})
        terms.update(set(_stated(extract_facts(text))))
        specimens += bool(found.specimens)
        sentences += len(judged)
        visible += sum(verdict.is_visible for verdict in judged)
        reporter.advance()
    return ReportsCheck(
        reports=len(read.reports),
        files=read.files,
        refused=tuple(refusal_of(one.source, str(one)) for one in read.refused),
        folded=read.folded,
        differing=read.differing,
        sections=_sorted(named.items()),
        specimens=specimens,
        sentences=sentences,
        visible_sentences=visible,
        terms=_sorted(terms.items()),
        identifiers=door.removed,
    )


def _stated(report: StructuredReport) -> Iterator[str]:
    """The names of the fields that a report fills."""
    if report.organ:
        yield "organ"
    if report.concepts("diagnosis"):
        yield "diagnosis"
    yield from (name for name in _FIELDS if getattr(report, name))


def _sorted(counts: Iterable[tuple[str, int]]) -> tuple[NamedCount, ...]:
    return tuple(NamedCount(*pair) for pair in sorted(counts, key=lambda pair: (-pair[1], pair[0])))
