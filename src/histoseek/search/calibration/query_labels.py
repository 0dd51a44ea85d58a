"""The patients around a query, and how probable their labels are to be the query's."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from histoseek.archive.calibration_file import LabelCalibration
from histoseek.ranking.label_posterior import DEPTH, Voices
from histoseek.search.vote import LabelDistribution, LabelShare

MOST_RANKED = 1000
"""Slides nearest to a query among which patients are looked for."""

_BATCH = 100
_LEAST_SHOWN = 0.001
_RARE = ""


@dataclass(frozen=True, slots=True)
class LabelledOwner:
    """Whose a slide is, as far as known, and its label, "" without one."""

    owner: str
    label: str


@dataclass(frozen=True, slots=True)
class NearPatient:
    """A patient by its nearest labelled slide."""

    owner: str
    label: str
    distance: float


OwnLabels = Mapping[int, str | None]
ReadOwners = Callable[[Sequence[str]], Sequence[LabelledOwner]]


def find_near_patients(
    nearest: Sequence[tuple[str, float]], read: ReadOwners, without: str | None = None
) -> list[NearPatient]:
    """The DEPTH patients whose slides come first, as far as there are so many; slides without a label are passed over.

    nearest: slides and their distances, nearest first; read: gives owners and labels; without: a label that counts as
    missing.
    """
    found: dict[str, NearPatient] = {}
    for distance, one in _read_in_turn(nearest, read):
        if not one.label or one.label == without or one.owner in found:
            continue
        found[one.owner] = NearPatient(one.owner, one.label, distance)
        if len(found) == DEPTH:
            break
    return list(found.values())


def _read_in_turn(nearest: Sequence[tuple[str, float]], read: ReadOwners) -> Iterator[tuple[float, LabelledOwner]]:
    for start in range(0, len(nearest), _BATCH):
        some = nearest[start : start + _BATCH]
        distances = (distance for _, distance in some)
        yield from zip(distances, read([slide_id for slide_id, _ in some]), strict=True)


@dataclass(frozen=True, slots=True)
class QueryLabels:
    """The probability of each label to be the query's, by name; rare: of each that a single patient has, who is not
    near; others: of all these; none: of none; patients: how many were listened to; own: the labels of those of the
    query's slides, by number, that are of the archive, None where one has no label."""

    column: str
    patients: int
    by_label: Mapping[str, float]
    rare: float
    others: float
    none: float
    own: OwnLabels

    def find(self, label: str, query_slide: int) -> float | None:
        """The probability of a label of the archive for what is nearest to one of the query's slides; None where there
        is no label, or that slide's is known to be another, or to be missing."""
        if not label or (query_slide in self.own and self.own[query_slide] != label):
            return None
        return self.by_label.get(label, self.rare)

    @property
    def distribution(self) -> LabelDistribution:
        """What is shown of it."""
        ordered = sorted(self.by_label.items(), key=lambda pair: (-pair[1], pair[0]))
        shown = tuple(LabelShare(label, share) for label, share in ordered if share >= _LEAST_SHOWN)
        hidden = math.fsum(share for _, share in ordered if share < _LEAST_SHOWN)
        return LabelDistribution(self.column, self.patients, shown, self.others + hidden, self.none)


def weigh_labels(calibration: LabelCalibration, near: Sequence[NearPatient], own: OwnLabels) -> QueryLabels | None:
    """How probable labels are, given the patients around a query; None without any.

    own: as in QueryLabels; that patient does not count.
    """
    if not near:
        return None
    counts = Counter({known.label: known.patients for known in calibration.labels})
    labels = {label for label in own.values() if label}
    counts.subtract(label for label in labels if label in counts)
    for patient in near:
        counts[patient.label] = max(counts[patient.label], 1)
    unlisted = {*labels, *(patient.label for patient in near)} - {known.label for known in calibration.labels}
    counts[_RARE] = max(0, calibration.rare - len(unlisted))
    names = [name for name, count in counts.items() if count > 0]
    places = {name: place for place, name in enumerate(names)}
    patients = np.array([counts[name] for name in names], np.float64)
    voices = Voices(
        distances=np.array([[patient.distance for patient in near]]),
        labels=np.array([[places[patient.label] for patient in near]]),
        prevalence=(patients / patients.sum())[None],
    )
    shares = calibration.fitted.posterior(voices)[0].tolist()
    by_label = {name: share for name, share in zip(names, shares[:-1], strict=True) if name != _RARE}
    others = shares[places[_RARE]] if _RARE in places else 0.0
    rare = others / counts[_RARE] if others else 0.0
    return QueryLabels(calibration.column, len(near), by_label, rare, others, shares[-1], own)
