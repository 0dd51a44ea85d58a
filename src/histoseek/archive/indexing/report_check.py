"""A dry run over reports: what an archive would read, find, replace and mend in them; counts and ids, and no content
but the words that were mended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from histoseek.archive.indexing.report_cleaner import ReportCleaner
from histoseek.archive.indexing.report_intake import list_report_identifiers, load_reports, make_refusal
from histoseek.archive.journal import ReportFileRefusal
from histoseek.progress import Reporter, SilentReporter
from histoseek.reports.concepts.cleaning import clean_report
from histoseek.reports.facts.quality import judge_quality
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
class PoorReport:
    """A report of poor quality, and why (`judge_quality`)."""

    report_id: str
    flaws: tuple[str, ...]
    unknown_share: float


@dataclass(frozen=True, slots=True)
class ReportMend:
    """A mend of a report: what stands there, what is read instead ("" where it is left out), and why."""

    report_id: str
    original: str
    mended: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReportCheck:
    """What was read and found.

    sections and terms: in how many reports each is; specimens: reports with labelled ones; sentences and
    visible_sentences: of all reports together; mend_counts: in how many reports something was mended for each reason;
    poor: the reports of poor quality; mends: each single one.
    """

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
    mend_counts: tuple[ReportCount, ...]
    poor: tuple[PoorReport, ...]
    mends: tuple[ReportMend, ...]


def check_reports(
    paths: Sequence[Path], columns: ReportColumns | None = None, reporter: Reporter | None = None
) -> ReportCheck:
    """Read reports as indexing would, and look into them; nothing is stored. Raises what `load_reports` raises."""
    reporter = reporter or SilentReporter()
    batch = load_reports(paths, columns, reporter)
    reporter.expect(len(batch.reports))
    cleaner, tally = ReportCleaner(), _Tally()
    for report in batch.reports:
        tally.add(report.report_id, cleaner.clean(report.text, list_report_identifiers(report)))
        reporter.advance()
    mended = {(mend.report_id, mend.reason) for mend in tally.mends}
    return ReportCheck(
        reports=len(batch.reports),
        files=batch.files,
        refused=tuple(make_refusal(refusal.source, str(refusal)) for refusal in batch.refused),
        folded=batch.folded,
        differing=batch.differing,
        sections=_sort_counts(tally.sections.items()),
        specimens=tally.specimens,
        sentences=tally.sentences,
        visible_sentences=tally.visible,
        terms=_sort_counts(tally.terms.items()),
        identifiers=cleaner.removed,
        mend_counts=_sort_counts(Counter(reason for _, reason in mended).items()),
        poor=tuple(tally.poor),
        mends=tuple(tally.mends),
    )


@dataclass
class _Tally:
    """What was read of the reports so far."""

    sections: Counter[str] = field(default_factory=Counter)
    terms: Counter[str] = field(default_factory=Counter)
    mends: list[ReportMend] = field(default_factory=list)
    poor: list[PoorReport] = field(default_factory=list)
    specimens: int = 0
    sentences: int = 0
    visible: int = 0

    def add(self, report_id: str, text: str) -> None:
        """Read a report."""
        sections, facts = split_sections(text), extract_facts(text)
        judged, quality = judge_sentences(sections), judge_quality(text, facts)
        self.sections.update({section.name for section in sections.sections})
        self.terms.update(set(_list_filled_fields(facts)))
        self.mends += _list_mends(report_id, text)
        if quality.flaws:
            self.poor.append(PoorReport(report_id, quality.flaws, quality.unknown_share))
        self.specimens += bool(sections.specimens)
        self.sentences += len(judged)
        self.visible += sum(verdict.is_visible for verdict in judged)


def _list_mends(report_id: str, text: str) -> Iterator[ReportMend]:
    for mend in clean_report(text).mends:
        yield ReportMend(report_id, mend.original, mend.mended, mend.reason.value)


def _list_filled_fields(report: StructuredReport) -> Iterator[str]:
    """The names of the fields that a report fills."""
    if report.organ:
        yield "organ"
    if report.concepts("diagnosis"):
        yield "diagnosis"
    yield from (name for name in _FIELDS if getattr(report, name))


def _sort_counts(counts: Iterable[tuple[str, int]]) -> tuple[ReportCount, ...]:
    return tuple(ReportCount(*pair) for pair in sorted(counts, key=lambda pair: (-pair[1], pair[0])))
