"""Means over queries and over classes, and the vote's precision and F1, under any weights of the patients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.evaluation.per_query import NAMES
from histoseek.evaluation.resampling import ratio, totals

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

VOTE_DEPTH = 5
"""How many neighbours vote where one depth must do: in the confusion matrix, balanced accuracy, F1, calibration."""

VOTE = NAMES.index(f"mMV@{VOTE_DEPTH}")

SUMMARY_NAMES = (*NAMES, *(f"macro {name}" for name in NAMES), "balanced accuracy", "macro-F1")
CLASS_NAMES = (*NAMES, "recall", "precision", "F1")


@dataclass(frozen=True, slots=True)
class Tally:
    """Sums by patient and class, so that averages under other weights of patients need no query again.

    patients: how many there are; by_truth, by_vote: for each class, the patients that have such queries [p], and sums
    over these: the values with a count as last column [p, M + 1], and the number of votes [p, 1].
    """

    patients: int
    by_truth: tuple[tuple[Ints, Floats], ...]
    by_vote: tuple[tuple[Ints, Floats], ...]

    @classmethod
    def of(cls, per_query: Floats, truth: Ints, votes: Ints, patients: Ints, classes: int) -> Tally:
        """Of queries that have an answer: values [Q, M], labels, votes and codes of patients [Q]."""
        found, rows = np.unique(patients, return_inverse=True)
        counted = np.column_stack([per_query, np.ones(len(per_query))])
        return cls(
            len(found),
            tuple(_sums(counted[truth == code], rows[truth == code]) for code in range(classes)),
            tuple(_sums(np.ones((int((votes == code).sum()), 1)), rows[votes == code]) for code in range(classes)),
        )

    def averages(self, weights: Floats) -> Floats:
        """Averages for each row of weights [r, patients]: by SUMMARY_NAMES, then for each class by CLASS_NAMES."""
        sums = np.stack([weights[:, some] @ values for some, values in self.by_truth], axis=1)
        voted = np.stack([(weights[:, some] @ values)[:, 0] for some, values in self.by_vote], axis=1)
        sums, there = sums[:, :, :-1], sums[:, :, -1]
        means = ratio(sums, there[:, :, None])
        right = sums[:, :, VOTE]
        f1 = np.where(there > 0, ratio(2 * right, voted + there), np.nan)
        by_class = np.concatenate([means, np.stack([means[:, :, VOTE], ratio(right, voted), f1], axis=2)], axis=2)
        macro = _over_classes(means)
        summary = (
            ratio(sums.sum(1), there.sum(1)[:, None]),
            macro,
            macro[:, [VOTE]],
            _over_classes(f1[:, :, None]),
        )
        return np.concatenate([*summary, by_class.reshape(len(weights), -1)], axis=1)

    def several_patients(self) -> NDArray[np.bool_]:
        """Which averages rest on queries of two patients or more, in the order of `averages`."""
        by_class = [np.full(len(CLASS_NAMES), len(some) > 1) for some, _ in self.by_truth]
        return np.concatenate([np.full(len(SUMMARY_NAMES), self.patients > 1), *by_class])


def _sums(values: Floats, rows: Ints) -> tuple[Ints, Floats]:
    some, back = np.unique(rows, return_inverse=True)
    return some, totals(values, back, len(some))


def _over_classes(values: Floats) -> Floats:
    """Means over classes [r, C, M] -> [r, M], of those classes that have a value."""
    known = ~np.isnan(values)
    return ratio(np.where(known, values, 0).sum(1), known.sum(1).astype(np.float64))
