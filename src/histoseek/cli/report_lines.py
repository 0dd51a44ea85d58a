"""Lines about report files and what became of them, without a word of their content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from histoseek.archive.indexing.report_intake import ReportIntakeSummary
    from histoseek.reports.files.document import ReportFileSummary
    from histoseek.reports.privacy.deidentify import IdentifierCount

_MOST_IDS = 5


def describe_files(files: Sequence[ReportFileSummary]) -> Iterator[str]:
    """One line per table with how its columns are read; files of one text are counted by format and encoding."""
    single: Counter[str] = Counter()
    for file in files:
        kind = f"{file.format} in {file.encoding}" if file.encoding else file.format
        if file.mapping:
            yield f"reports: {file.path} ({kind}, {file.texts} texts): {file.mapping}"
        else:
            single[kind] += 1
    for kind, count in single.items():
        yield f"reports: files with one text each: {count} ({kind})"


def describe_ids(folded: Sequence[str], differing: Sequence[str]) -> Iterator[str]:
    """Ids that several reports have."""
    if folded:
        yield f"reports: identical texts, kept once: {shorten_list(folded)}"
    if differing:
        yield f"reports: different texts with the same id, all kept: {shorten_list(differing)}"


def describe_intake(intake: ReportIntakeSummary) -> Iterator[str]:
    """What an indexing run did with reports."""
    yield from describe_files(intake.files)
    yield from describe_ids(intake.folded, intake.differing)
    if intake.files:
        joined = f"{intake.joined} of {intake.reports} belong to slides"
        yield f"reports: {joined}; {intake.slides} slides have a report from this run"
    if intake.deidentified:
        yield f"reports: identifiers replaced: {format_counts(intake.removed)}"
    for refusal in intake.refused:
        yield f"refused: {refusal.reason}"


def format_counts(removed: Sequence[IdentifierCount]) -> str:
    """Counts by kind: "3 name, 1 date"."""
    return ", ".join(f"{count.count} {count.kind.value}" for count in removed) or "none"


def shorten_list(names: Sequence[str]) -> str:
    """The first few names and how many more there are."""
    more = f" and {len(names) - _MOST_IDS} more" if len(names) > _MOST_IDS else ""
    return ", ".join(names[:_MOST_IDS]) + more
