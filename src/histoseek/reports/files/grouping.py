"""Entries put together: one report with its slides and addenda, the same text once, differing texts apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from histoseek.reports.files.document import Report
from histoseek.reports.files.report_entries import ReportEntry


@dataclass(frozen=True, slots=True)
class ReportGroups:
    """Reports in the order of their first entry; ids whose text came twice; ids with several differing texts."""

    reports: tuple[Report, ...]
    folded: tuple[str, ...]
    differing: tuple[str, ...]


@dataclass(slots=True)
class _Draft:
    """A report in the making: its first entry, the slides and files of all its entries in order, its addenda."""

    first: ReportEntry
    slide_ids: dict[str, None] = field(default_factory=dict)
    files: dict[str, None] = field(default_factory=dict)
    addenda: list[ReportEntry] = field(default_factory=list)
    texts: set[tuple[object, ...]] = field(default_factory=set)

    def add(self, entry: ReportEntry) -> bool:
        """Take an entry's ids; whether it says something that this report did not say before."""
        self.slide_ids.update(dict.fromkeys(entry.slide_ids))
        self.files.update(dict.fromkeys(entry.files))
        is_new = entry.text not in self.texts
        self.texts.add(entry.text)
        return is_new


def group_entries(entries: Iterable[ReportEntry]) -> ReportGroups:
    """Make reports of entries that share a key.

    An entry is an addendum when it says so, or when its date or sequence is later than that of the report before it.
    It is put behind the report whose slides it names; when it names none, or no report does, behind the first. It
    never replaces anything. Rows of other slides of the case are reports of their own.
    """
    groups: dict[tuple[str, str], list[ReportEntry]] = {}
    for entry in entries:
        groups.setdefault(entry.key, []).append(entry)
    reports: list[Report] = []
    folded: list[str] = []
    differing: list[str] = []
    used_ids: set[str] = set()
    for group in groups.values():
        name = group[0].report_name
        drafts, repeats = _make_drafts(group)
        if repeats:
            folded.append(name)
        if len(drafts) > 1:
            differing.append(name)
        for draft, report_id in zip(drafts, _propose_ids(name, used_ids), strict=False):
            used_ids.add(report_id)
            reports.append(_make_report(report_id, draft))
    return ReportGroups(tuple(reports), tuple(folded), tuple(differing))


def _make_drafts(group: Sequence[ReportEntry]) -> tuple[list[_Draft], bool]:
    """One draft for each text that differs, with its addenda; and whether an entry said nothing new."""
    by_text: dict[tuple[object, ...], _Draft] = {}
    report_of_slide: dict[str, _Draft] = {}
    repeats = False
    for entry in sorted(group, key=lambda entry: (entry.addendum, entry.order is None, entry.order or 0.0)):
        home = _find_home(entry, next(iter(by_text.values()), None), report_of_slide)
        if home and _is_addendum(entry, home.first):
            is_new = home.add(entry)
            repeats = repeats or not is_new
            home.addenda += [entry] if is_new else []
            continue
        draft = by_text.get(entry.text)
        repeats = repeats or (draft is not None and all(slide in draft.slide_ids for slide in entry.slide_ids))
        draft = by_text.setdefault(entry.text, _Draft(entry))
        draft.add(entry)
        report_of_slide |= {slide: draft for slide in entry.slide_ids if slide not in report_of_slide}
    return list(by_text.values()), repeats


def _find_home(entry: ReportEntry, first: _Draft | None, report_of_slide: Mapping[str, _Draft]) -> _Draft | None:
    """The report that an entry could be an addendum to."""
    named_report = next((report_of_slide[slide] for slide in entry.slide_ids if slide in report_of_slide), None)
    names_others = entry.slide_ids and report_of_slide and not entry.addendum
    return named_report or (None if names_others else first)


def _is_addendum(entry: ReportEntry, first: ReportEntry) -> bool:
    later = entry.order is not None and first.order is not None and entry.order > first.order
    return entry.addendum or later


def _make_report(report_id: str, draft: _Draft) -> Report:
    parts = list(draft.first.parts)
    own_addenda = max(part.addendum for part in parts)
    addenda = sorted(draft.addenda, key=lambda entry: (entry.order is None, entry.order or 0.0))
    for number, entry in enumerate(addenda, start=own_addenda + 1):
        parts += [replace(part, addendum=number) for part in entry.parts]
    entries = (draft.first, *draft.addenda)
    return Report(
        report_id=report_id,
        slide_ids=tuple(draft.slide_ids),
        files=tuple(draft.files),
        case_id=next((entry.case_id for entry in entries if entry.case_id), None),
        patient_id=next((entry.patient_id for entry in entries if entry.patient_id), None),
        parts=tuple(sorted(parts, key=lambda part: part.addendum)),
        source=draft.first.source,
        persons=tuple(dict.fromkeys(name for entry in entries for name in entry.persons)),
    )


def _propose_ids(name: str, used_ids: set[str]) -> Iterator[str]:
    """The name, then name#2, name#3 ..., as far as no report has them yet."""
    names = (name if number == 1 else f"{name}#{number}" for number in count(1))
    return (report_id for report_id in names if report_id not in used_ids)
