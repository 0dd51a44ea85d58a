"""Means over queries and over classes, and the vote's precision and F1, under any weights of the patients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.evaluation.per_query import NAMES
from histoseek.statistics.intervals import FEW_PATIENTS, divide, sum_by_row, unanimous_interval

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


def sum_by_class(values: Floats, classes: Ints, patients: Ints, count: int) -> tuple[ClassSums, ...]:
    """For each of `count` classes the sums of values [Q, M]; classes, patients: codes [Q]."""
    sums_of_classes = []
    for code in range(count):
        patients_of_class, rows = np.unique(patients[classes == code], return_inverse=True)
        class_values = values[classes == code]
        queries = np.bincount(rows, minlength=len(patients_of_class)).astype(np.float64)
        sums_of_classes.append(
            ClassSums(patients_of_class, sum_by_row(class_values, rows, len(patients_of_class)), queries)
        )
    return tuple(sums_of_classes)


def weigh_sums(weights: Floats, by_class: tuple[ClassSums, ...]) -> tuple[Floats, Floats]:
    """Sums [r, C, M] and numbers of queries [r, C] under each row of weights [r, patients]."""
    sums = np.stack([weights[:, each.patients] @ each.sums for each in by_class], axis=1)
    return sums, np.stack([weights[:, each.patients] @ each.queries for each in by_class], axis=1)


def average_classes(values: Floats) -> Floats:
    """Means [r, M] of values [r, C, M] over the classes that have one."""
    is_known = ~np.isnan(values)
    return divide(np.where(is_known, values, 0).sum(1), is_known.sum(1) * 1.0)


@dataclass(frozen=True, slots=True)
class PatientSums:
    """Queries by class and patient, so that averages under other weights of the patients need no query again.

    patients: how many there are; by_truth: values of queries by their label; by_vote: queries by what was voted.
    """

    patients: int
    by_truth: tuple[ClassSums, ...]
    by_vote: tuple[ClassSums, ...]

    @classmethod
    def from_queries(cls, per_query: Floats, truth: Ints, votes: Ints, patients: Ints, classes: int) -> PatientSums:
        """Of queries that have an answer: values [Q, M] by NAMES, labels, votes and patients [Q]."""
        patient_codes, rows = np.unique(patients, return_inverse=True)
        nothing = np.empty((len(votes), 0))
        return cls(
            len(patient_codes),
            sum_by_class(per_query, truth, rows, classes),
            sum_by_class(nothing, votes, rows, classes),
        )

    def compute_averages(self, weights: Floats) -> Floats:
        """Averages for each row of weights [r, patients]: by SUMMARY_NAMES, then for each class by CLASS_NAMES."""
        sums, queries = weigh_sums(weights, self.by_truth)
        vote_counts = weigh_sums(weights, self.by_vote)[1]
        means, correct = divide(sums, queries[:, :, None]), sums[:, :, _VOTE]
        precision, f1 = divide(correct, vote_counts), divide(2 * correct, vote_counts + queries)
        precision, f1 = (np.where(queries > 0, each, np.nan)[:, :, None] for each in (precision, f1))
        micro, macro = divide(sums.sum(1), queries.sum(1)[:, None]), average_classes(means)
        by_class = np.concatenate([means, means[:, :, [_VOTE]], precision, f1], axis=2)
        return np.concatenate(
            [micro, macro, macro[:, [_VOTE]], average_classes(f1), by_class.reshape(len(weights), -1)], axis=1
        )

    def find_enough_patients(self) -> Booleans:
        """Which averages rest on queries of enough patients for an interval, in the order of `averages`."""
        by_class = [np.full(len(CLASS_NAMES), len(each.patients) >= FEW_PATIENTS) for each in self.by_truth]
        return np.concatenate([np.full(len(SUMMARY_NAMES), self.patients >= FEW_PATIENTS), *by_class])

    def find_unanimous_edges(self) -> Floats:
        """Where the interval of an average begins that is 1 in all patients, in the order of `averages`."""
        micro = np.full(len(NAMES), find_unanimous_edge(self.patients))
        macro = np.full(len(SUMMARY_NAMES) - len(NAMES), average_unanimous_edge(self.by_truth))
        by_class = [np.full(len(CLASS_NAMES), find_unanimous_edge(len(each.patients))) for each in self.by_truth]
        return np.concatenate([micro, macro, *by_class])


def find_unanimous_edge(patients: int) -> float:
    """The smallest share that is compatible with right answers in all of some patients; 0 without patients."""
    return unanimous_interval(1.0, patients)[0] if patients else 0.0


def average_unanimous_edge(by_class: tuple[ClassSums, ...]) -> float:
    """The same of a mean over the classes that have patients."""
    edges = [find_unanimous_edge(len(each.patients)) for each in by_class if len(each.patients)]
    return float(np.mean(edges)) if edges else 0.0
