"""Slides that make an evaluation look better than it is: copies, shared reports, patients not known."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.schema import SlideRecord
from histoseek.reports.privacy.person_names import make_patient_key

LeakKind = Literal[
    "same file",
    "same file, other patient",
    "same report, other patient",
    "patient ids alike",
    "same vector",
    "no patient",
]

_MOST_NAMES = 5
_BLOCK = 1024
_TWIN = 1e-6


@dataclass(frozen=True, slots=True)
class Leak:
    """Slides that share what they should not; what: one line that names them, without the text of any report."""

    kind: LeakKind
    slide_ids: tuple[str, ...]
    what: str


def find_leaks(records: Sequence[SlideRecord]) -> tuple[Leak, ...]:
    """The leaks among the slides of a cohort, by kind, then by slide id.

    "same file": one fingerprint under several slide ids; "same file, other patient": such slides of different patients;
    "same report, other patient": one text (whatever its spaces and capitals) at slides of different patients;
    "patient ids alike": ids that differ in case, punctuation or leading zeros only; "no patient": slides without a
    patient id, all in one leak. A slide without a patient counts as a patient of its own.
    """
    leaks = (
        *_find_shared_files(records),
        *_find_shared_reports(records),
        *_find_similar_ids(records),
        *_find_missing_patients(records),
    )
    return tuple(sorted(leaks, key=lambda leak: (leak.kind, leak.slide_ids)))


def find_twins(records: Sequence[SlideRecord], vectors: NDArray[np.float32]) -> tuple[Leak, ...]:
    """Slides of different patients with the same global vector, [n, D] of length one: a file saved twice, perhaps.

    Equal means a cosine above 1 - 1e-6 to the first of them, which no two pieces of tissue have.
    """
    groups: dict[int, list[SlideRecord]] = defaultdict(list)
    for start in range(0, len(vectors), _BLOCK):
        close = vectors[start : start + _BLOCK] @ vectors.T > 1 - _TWIN
        for row, first in enumerate(close.argmax(1).tolist(), start=start):
            groups[first].append(records[row])
    members = [(_list_ids(group), _count_patients(group)) for group in groups.values()]
    return tuple(
        Leak("same vector", ids, f"{_join_ids(ids)} have the same vector under {patients} patients")
        for ids, patients in members
        if len(ids) > 1 and patients > 1
    )


def _find_shared_files(records: Sequence[SlideRecord]) -> Iterator[Leak]:
    for group in _group_records(records, lambda record: record.file_fingerprint):
        if len(group) < 2:
            continue
        ids, patients = _list_ids(group), _count_patients(group)
        if patients > 1:
            yield Leak("same file, other patient", ids, f"{_join_ids(ids)} are one file under {patients} patients")
        else:
            yield Leak("same file", ids, f"{_join_ids(ids)} are one file under {len(ids)} slide ids")


def _find_shared_reports(records: Sequence[SlideRecord]) -> Iterator[Leak]:
    for group in _group_records(records, lambda record: " ".join((record.report or "").split()).casefold()):
        ids, patients = _list_ids(group), _count_patients(group)
        if patients > 1:
            what = f"{_join_ids(ids)} have the same report text under {patients} patients"
            yield Leak("same report, other patient", ids, what)


def _find_similar_ids(records: Sequence[SlideRecord]) -> Iterator[Leak]:
    """Patients whose ids differ in case, width, punctuation or leading zeros only."""
    for group in _group_records(records, lambda record: _normalise_id(record.patient_id or "")):
        ids, patients = _list_ids(group), _count_patients(group)
        if patients > 1:
            what = f"{_join_ids(ids)} have patient ids that differ only in spelling, and count as {patients} patients"
            yield Leak("patient ids alike", ids, what)


def _normalise_id(patient: str) -> str:
    text = unicodedata.normalize("NFKC", patient).casefold()
    return "".join(part.lstrip("0") or "0" for part in re.findall(r"\d+|[^\W\d_]+", text))


def _find_missing_patients(records: Sequence[SlideRecord]) -> Iterator[Leak]:
    ids = _list_ids([record for record in records if not record.patient_id])
    if ids:
        yield Leak("no patient", ids, f"{_join_ids(ids)} have no patient id: slides of one patient can't be kept apart")


def _group_records(records: Iterable[SlideRecord], key: Callable[[SlideRecord], str]) -> list[list[SlideRecord]]:
    """Records with equal keys; an empty key groups with none."""
    groups: dict[str, list[SlideRecord]] = defaultdict(list)
    for record in records:
        if key(record):
            groups[key(record)].append(record)
    return list(groups.values())


def _list_ids(records: Iterable[SlideRecord]) -> tuple[str, ...]:
    return tuple(sorted(record.slide_id for record in records))


def _count_patients(records: Iterable[SlideRecord]) -> int:
    """How many there are, one more for each slide without."""
    return len(
        {
            (make_patient_key(record.patient_id or ""), "" if record.patient_id else record.slide_id)
            for record in records
        }
    )


def _join_ids(ids: Sequence[str]) -> str:
    return ", ".join(ids[:_MOST_NAMES]) + (f" and {len(ids) - _MOST_NAMES} more" if len(ids) > _MOST_NAMES else "")
