"""Means over queries and over classes, and the vote's precision and F1, under any weights of the patients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.evaluation.per_query import NAMES
from histoseek.statistics.intervals import FEW_PATIENTS, ratio, totals, unanimous_interval

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

VOTE_DEPTH = 5
"""How many neighbours vote where one depth must do: in the confusion matrix, balanced accuracy, F1, calibration."""

SUMMARY_NAMES = (*NAMES, *(f"macro {name}" for name in NAMES), "balanced accuracy", "macro-F1")
CLASS_NAMES = (*NAMES, "recall", "precision", "F1")

_VOTE = NAMES.index(f"mMV@{VOTE_DEPTH}")


@dataclass(frozen=True, slots=True)
class ClassSums:
    """Sums over the queries of one class: patients, codes [p] of those who have any; sums [p, M]; queries [p]."""

    patients: Ints
    sums: Floats
    queries: Floats


def sums_by_class(values: Floats, classes: Ints, patients: Ints, count: int) -> tuple[ClassSums, ...]:
    """For each of `count` classes the sums of values [Q, M]; classes, patients: codes [Q]."""
    found = []
    for code in range(count):
        some, rows = np.unique(patients[classes == code], return_inverse=True)
        own = values[classes == code]
        queries = np.bincount(rows, minlength=len(some)).astype(np.float64)
        found.append(ClassSums(some, totals(own, rows, len(some)), queries))
    return tuple(found)


def weighted(weights: Floats, by_class: tuple[ClassSums, ...]) -> tuple[Floats, Floats]:
    """Sums [r, C, M] and numbers of queries [r, C] under each row of weights [r, patients]."""
    sums = np.stack([weights[:, each.patients] @ each.sums for each in by_class], axis=1)
    return sums, np.stack([weights[:, each.patients] @ each.queries for each in by_class], axis=1)


def over_classes(values: Floats) -> Floats:
    """Means [r, M] of values [r, C, M] over the classes that have one."""
    known = ~np.isnan(values)
    return ratio(np.where(known, values, 0).sum(1), known.sum(1) * 1.0)


@dataclass(frozen=True, slots=True)
class Tally:
    """Queries by class and patient, so that averages under other weights of the patients need no query again.

    patients: how many there are; by_truth: values of queries by their label; by_vote: queries by what was voted.
    """

    patients: int
    by_truth: tuple[ClassSums, ...]
    by_vote: tuple[ClassSums, ...]

    @classmethod
    def of(cls, per_query: Floats, truth: Ints, votes: Ints, patients: Ints, classes: int) -> Tally:
        """Of queries that have an answer: values [Q, M] by NAMES, labels, votes and patients [Q]."""
        found, rows = np.unique(patients, return_inverse=True)
        nothing = np.empty((len(votes), 0))
        return cls(
            len(found),
            sums_by_class(per_query, truth, rows, classes),
            sums_by_class(nothing, votes, rows, classes),
        )

    def averages(self, weights: Floats) -> Floats:
        """Averages for each row of weights [r, patients]: by SUMMARY_NAMES, then for each class by CLASS_NAMES."""
        sums, queries = weighted(weights, self.by_truth)
        voted = weighted(weights, self.by_vote)[1]
        means, right = ratio(sums, queries[:, :, None]), sums[:, :, _VOTE]
        precision, f1 = ratio(right, voted), ratio(2 * right, voted + queries)
        precision, f1 = (np.where(queries > 0, each, np.nan)[:, :, None] for each in (precision, f1))
        micro, macro = ratio(sums.sum(1), queries.sum(1)[:, None]), over_classes(means)
        by_class = np.concatenate([means, means[:, :, [_VOTE]], precision, f1], axis=2)
        return np.concatenate(
            [micro, macro, macro[:, [_VOTE]], over_classes(f1), by_class.reshape(len(weights), -1)], axis=1
        )

    def enough_patients(self) -> Booleans:
        """Which averages rest on queries of enough patients for an interval, in the order of `averages`."""
        by_class = [np.full(len(CLASS_NAMES), len(each.patients) >= FEW_PATIENTS) for each in self.by_truth]
        return np.concatenate([np.full(len(SUMMARY_NAMES), self.patients >= FEW_PATIENTS), *by_class])

    def unanimous_edges(self) -> Floats:
        """Where the interval of an average begins that is 1 in all patients, in the order of `averages`."""
        micro = np.full(len(NAMES), edge(self.patients))
        macro = np.full(len(SUMMARY_NAMES) - len(NAMES), mean_edge(self.by_truth))
        by_class = [np.full(len(CLASS_NAMES), edge(len(each.patients))) for each in self.by_truth]
        return np.concatenate([micro, macro, *by_class])


def edge(patients: int) -> float:
    """The smallest share that is compatible with right answers in all of some patients; 0 without patients."""
    return unanimous_interval(1.0, patients)[0] if patients else 0.0


def mean_edge(by_class: tuple[ClassSums, ...]) -> float:
    """The same of a mean over the classes that have patients."""
    found = [edge(len(each.patients)) for each in by_class if len(each.patients)]
    return float(np.mean(found)) if found else 0.0
