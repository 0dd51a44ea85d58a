"""How report files and what became of them are told in lines, without a word of their content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from histoseek.archive.indexing.report_intake import ReportsTaken
    from histoseek.reports.files.document import ReportFileSummary
    from histoseek.reports.privacy.deidentify import IdentifierCount

_MOST_IDS = 5


def file_lines(files: Sequence[ReportFileSummary]) -> Iterator[str]:
    """One line a table with how its columns were taken; files of one text are counted by format and encoding."""
    single: Counter[str] = Counter()
    for file in files:
        kind = f"{file.format} in {file.encoding}" if file.encoding else file.format
        if file.mapping:
            yield f"reports: {file.path} ({kind}, {file.texts} texts): {file.mapping}"
        else:
            single[kind] += 1
    for kind, count in single.items():
        yield f"reports: files of one text each: {count} ({kind})"


def id_lines(folded: Sequence[str], differing: Sequence[str]) -> Iterator[str]:
    """Ids that came more than once."""
    if folded:
        yield f"reports: the same text twice, kept once: {some(folded)}"
    if differing:
        yield f"reports: different texts under one id, all kept: {some(differing)}"


def taken_lines(taken: ReportsTaken) -> Iterator[str]:
    """What an indexing run did with reports."""
    yield from file_lines(taken.files)
    yield from id_lines(taken.folded, taken.differing)
    if taken.files:
        joined = f"{taken.joined} of {taken.reports} belong to slides"
        yield f"reports: {joined}; {taken.slides} slides have a text from this run"
    if taken.deidentified:
        yield f"reports: identifiers replaced: {counts(taken.removed)}"
    for refusal in taken.refused:
        yield f"refused: {refusal.reason}"


def counts(removed: Sequence[IdentifierCount]) -> str:
    """Counts by kind: "3 name, 1 date"."""
    return ", ".join(f"{one.count} {one.kind.value}" for one in removed) or "none"


def some(names: Sequence[str]) -> str:
    """The first few names and how many more there are."""
    more = f" and {len(names) - _MOST_IDS} more" if len(names) > _MOST_IDS else ""
    return ", ".join(names[:_MOST_IDS]) + more
