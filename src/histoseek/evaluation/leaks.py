"""Slides that make an evaluation look better than it is: copies, shared reports, patients not known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from histoseek.archive.schema import SlideRecord

Kind = Literal["same file", "same file, other patient", "same report, other patient", "no patient"]

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Leak:
    """Slides that share what they should not; what: one line that names them, without the text of any report."""

    kind: Kind
    slide_ids: tuple[str, ...]
    what: str


def find_leaks(records: Sequence[SlideRecord]) -> tuple[Leak, ...]:
    """The leaks among the slides of a cohort, by kind, then by slide id.

    "same file": one fingerprint under several slide ids; "same file, other patient": such slides of different patients;
    "same report, other patient": one text (whatever its spaces and capitals) at slides of different patients; "no
    patient": slides without a patient id, all in one leak. A slide without a patient counts as a patient of its own.
    """
    found = (*_files(records), *_reports(records), *_nobody(records))
    return tuple(sorted(found, key=lambda leak: (leak.kind, leak.slide_ids)))


def _files(records: Sequence[SlideRecord]) -> Iterator[Leak]:
    for group in _groups(records, lambda record: record.file_fingerprint):
        if len(group) < 2:
            continue
        ids, patients = _ids(group), _patients(group)
        if patients > 1:
            yield Leak("same file, other patient", ids, f"{_named(ids)} are one file under {patients} patients")
        else:
            yield Leak("same file", ids, f"{_named(ids)} are one file under {len(ids)} slide ids")


def _reports(records: Sequence[SlideRecord]) -> Iterator[Leak]:
    for group in _groups(records, lambda record: " ".join((record.report or "").split()).casefold()):
        ids, patients = _ids(group), _patients(group)
        if patients > 1:
            what = f"{_named(ids)} have the same report text under {patients} patients"
            yield Leak("same report, other patient", ids, what)


def _nobody(records: Sequence[SlideRecord]) -> Iterator[Leak]:
    ids = _ids([record for record in records if not record.patient_id])
    if ids:
        yield Leak("no patient", ids, f"{_named(ids)} have no patient id: copies of a patient can't be kept apart")


def _groups(records: Iterable[SlideRecord], key: Callable[[SlideRecord], str]) -> list[list[SlideRecord]]:
    """Records with equal keys; an empty key groups with none."""
    found: dict[str, list[SlideRecord]] = defaultdict(list)
    for record in records:
        if key(record):
            found[key(record)].append(record)
    return list(found.values())


def _ids(records: Iterable[SlideRecord]) -> tuple[str, ...]:
    return tuple(sorted(record.slide_id for record in records))


def _patients(records: Iterable[SlideRecord]) -> int:
    """How many there are, one more for each slide without."""
    return len({(record.patient_id, "" if record.patient_id else record.slide_id) for record in records})


def _named(ids: Sequence[str]) -> str:
    return ", ".join(ids[:_SHOWN]) + (f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else "")
