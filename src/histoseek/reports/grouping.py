"""Entries put together: one report with its slides and addenda, the same text once, differing texts apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from histoseek.reports.document import Report
from histoseek.reports.report_rows import Entry


@dataclass(frozen=True, slots=True)
class Grouped:
    """Reports in the order of their first entry; ids whose text came twice; ids with several differing texts."""

    reports: tuple[Report, ...]
    folded: tuple[str, ...]
    differing: tuple[str, ...]


@dataclass(slots=True)
class _Draft:
    """A report in the making: its first entry, the slides and files of all its entries in order, its addenda."""

    first: Entry
    slide_ids: dict[str, None] = field(default_factory=dict)
    files: dict[str, None] = field(default_factory=dict)
    addenda: list[Entry] = field(default_factory=list)

    def take_ids(self, entry: Entry) -> None:
        self.slide_ids.update(dict.fromkeys(entry.slide_ids))
        self.files.update(dict.fromkeys(entry.files))


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
        for draft, report_id in zip(drafts, _free_ids(name, taken), strict=False):
            taken.add(report_id)
            reports.append(_report(report_id, draft))
    return Grouped(tuple(reports), tuple(folded), tuple(differing))


def _drafts(group: Sequence[Entry]) -> tuple[list[_Draft], bool]:
    """One draft for each text that differs, with its addenda; and whether an entry said nothing new."""
    mains, addenda = _parted(group)
    by_text: dict[tuple[object, ...], _Draft] = {}
    home_of: dict[str, _Draft] = {}
    repeats = False
    for entry in mains:
        draft = by_text.get(entry.text)
        repeats = repeats or (draft is not None and all(name in draft.slide_ids for name in entry.slide_ids))
        draft = by_text.setdefault(entry.text, _Draft(entry))
        draft.take_ids(entry)
        for slide_id in entry.slide_ids:
            home_of.setdefault(slide_id, draft)
    drafts = list(by_text.values())
    for entry in addenda:
        home = next((home_of[slide_id] for slide_id in entry.slide_ids if slide_id in home_of), drafts[0])
        said = any(entry.text == other.text for other in (home.first, *home.addenda))
        repeats = repeats or said
        home.take_ids(entry)
        if not said:
            home.addenda.append(entry)
    return drafts, repeats


def _parted(group: Sequence[Entry]) -> tuple[list[Entry], list[Entry]]:
    """Reports and addenda, each in order; a group of addenda only has its first as the report."""
    ordered = sorted(group, key=lambda entry: (entry.order is None, entry.order or 0.0))
    plain = [entry for entry in ordered if not entry.addendum] or ordered[:1]
    earliest = plain[0].order
    mains = [entry for entry in plain if entry.order is None or earliest is None or entry.order <= earliest]
    kept = {id(entry) for entry in mains}
    return mains, [entry for entry in ordered if id(entry) not in kept]


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
        parts=tuple(sorted(parts, key=lambda part: part.addendum)),
        source=draft.first.source,
    )


def _free_ids(name: str, taken: set[str]) -> Iterator[str]:
    """The name, then name#2, name#3 ..., as far as no report has them yet."""
    names = (name if number == 1 else f"{name}#{number}" for number in count(1))
    return (free for free in names if free not in taken)
