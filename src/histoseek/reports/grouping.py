"""Entries put together: one report with its slides and addenda, the same text once, differing texts apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from histoseek.reports.document import Report, ReportPart
from histoseek.reports.report_rows import Entry


@dataclass(frozen=True, slots=True)
class Grouped:
    """Reports in the order of their first entry; ids whose text came twice; ids with several differing texts."""

    reports: tuple[Report, ...]
    folded: tuple[str, ...]
    differing: tuple[str, ...]


@dataclass(slots=True)
class _Draft:
    """A report in the making: its first entry, and all that belong to it."""

    first: Entry
    slide_ids: list[str]
    files: list[str]
    addenda: list[Entry]

    def take_ids(self, entry: Entry) -> None:
        self.slide_ids += [slide_id for slide_id in entry.slide_ids if slide_id not in self.slide_ids]
        self.files += [file for file in entry.files if file not in self.files]


def grouped(entries: Iterable[Entry]) -> Grouped:
    """Make reports of entries that share a key.

    An entry is an addendum when it says so, or when its date or sequence is later than that of the first; it is put
    behind the report whose slides it names, else behind the first, and never replaces anything.
    """
    groups: dict[tuple[str, str], list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.key, []).append(entry)
    reports: list[Report] = []
    folded: list[str] = []
    differing: list[str] = []
    taken: set[str] = set()
    for (_, name), group in groups.items():
        drafts, repeats = _drafts(group)
        if repeats:
            folded.append(name)
        if len(drafts) > 1:
            differing.append(name)
        for draft in drafts:
            report_id = _free_id(name, taken)
            taken.add(report_id)
            reports.append(_report(report_id, draft))
    return Grouped(tuple(reports), tuple(folded), tuple(differing))


def _drafts(group: Sequence[Entry]) -> tuple[list[_Draft], bool]:
    mains, addenda = _parted(group)
    by_text: dict[tuple[object, ...], _Draft] = {}
    repeats = False
    for entry in mains:
        draft = by_text.get(entry.text)
        repeats = repeats or (draft is not None and set(entry.slide_ids) <= set(draft.slide_ids))
        if draft is None:
            draft = by_text[entry.text] = _Draft(entry, [], [], [])
        draft.take_ids(entry)
    drafts = list(by_text.values())
    for entry in addenda:
        home = next((draft for draft in drafts if set(draft.slide_ids) & set(entry.slide_ids)), drafts[0])
        if any(entry.text == other.text for other in (home.first, *home.addenda)):
            repeats = True
        else:
            home.addenda.append(entry)
        home.take_ids(entry)
    return drafts, repeats


def _parted(group: Sequence[Entry]) -> tuple[list[Entry], list[Entry]]:
    """Reports and addenda, each in order; a group of addenda only has its first as the report."""
    ordered = sorted(group, key=lambda entry: (entry.order is None, entry.order or 0.0))
    plain = [entry for entry in ordered if not entry.addendum] or ordered[:1]
    earliest = plain[0].order
    later = [e for e in plain if e.order is not None and earliest is not None and e.order > earliest]
    mains = [entry for entry in plain if entry not in later]
    return mains, [entry for entry in ordered if entry not in mains]


def _report(report_id: str, draft: _Draft) -> Report:
    parts = list(draft.first.parts)
    for entry in draft.addenda:
        number = max((part.addendum for part in parts), default=0) + 1
        parts += [replace(part, addendum=number) for part in entry.parts]
    same = (draft.first, *draft.addenda)
    return Report(
        report_id=report_id,
        slide_ids=tuple(draft.slide_ids),
        files=tuple(draft.files),
        case_id=next((entry.case_id for entry in same if entry.case_id), None),
        patient_id=next((entry.patient_id for entry in same if entry.patient_id), None),
        parts=_numbered(parts),
        source=draft.first.source,
    )


def _numbered(parts: Sequence[ReportPart]) -> tuple[ReportPart, ...]:
    """Parts in the order of their addenda, the report's own first."""
    return tuple(sorted(parts, key=lambda part: part.addendum))


def _free_id(name: str, taken: set[str]) -> str:
    if name not in taken:
        return name
    number = 2
    while f"{name}#{number}" in taken:
        number += 1
    return f"{name}#{number}"
