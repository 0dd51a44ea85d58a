"""All slides of a patient or a case, in the order in which they lie on a tray, each report once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from histoseek.archive.filters.expression import compare
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.schema import SlideRecord
from histoseek.archive.stains import HE, name_stain
from histoseek.search.scope.listing import ListOptions, list_slides

TrayKind = Literal["case", "patient"]

MOST_ON_TRAY = 500
"""Slides that are shown of a patient or a case."""

_BLOCK_COLUMNS = ("block", "block_id", "specimen", "part")


@dataclass(frozen=True, slots=True)
class TrayReport:
    """A report, and the slides that have it, as on their tray."""

    records: tuple[SlideRecord, ...]


@dataclass(frozen=True, slots=True)
class TrayCase:
    """The slides of a case, by block where that is known, then H&E before other stains; case_id: None where unknown."""

    case_id: str | None
    records: tuple[SlideRecord, ...]
    reports: tuple[TrayReport, ...]


@dataclass(frozen=True, slots=True)
class Tray:
    """The slides of a patient or a case, case by case; patients: whose they are; total: slides, also those that are
    too many to be shown."""

    cases: tuple[TrayCase, ...]
    patients: tuple[str, ...]
    total: int


def find_tray(archive: ArchiveFolder, kind: TrayKind, name: str) -> Tray:
    """The tray of a patient or a case of this id; one without slides where there is none."""
    where = compare(f"{kind}_id", "=", name)
    page = list_slides(archive, ListOptions(where=where, sort="case_id", descending=False, limit=MOST_ON_TRAY))
    by_case: dict[str | None, list[SlideRecord]] = {}
    for record in page.records:
        by_case.setdefault(record.case_id, []).append(record)
    patients = dict.fromkeys(record.patient_id for record in page.records if record.patient_id)
    return Tray(tuple(_lay_out(*own) for own in by_case.items()), tuple(patients), page.total)


def _lay_out(case_id: str | None, records: Sequence[SlideRecord]) -> TrayCase:
    ordered = tuple(sorted(records, key=_place_on_tray))
    return TrayCase(case_id, ordered, tuple(_group_reports(ordered)))


def _place_on_tray(record: SlideRecord) -> tuple[str, int, str, str]:
    block = next((str(record.extra[name]) for name in _BLOCK_COLUMNS if record.extra.get(name) is not None), "")
    kind = name_stain(record.stain)
    rank = 0 if kind == HE else 1 if record.stain else 2
    return block, rank, (record.stain or "").lower(), record.slide_id


def _group_reports(records: Iterable[SlideRecord]) -> list[TrayReport]:
    by_text: dict[str, list[SlideRecord]] = {}
    for record in records:
        if record.report:
            by_text.setdefault(record.report, []).append(record)
    return [TrayReport(tuple(own)) for own in by_text.values()]
