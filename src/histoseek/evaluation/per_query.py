"""What each query is worth by each metric, in one pass over its first neighbours."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from histoseek.errors import ConfigurationError
from histoseek.evaluation.neighbours import NOBODY, Neighbours

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

DEPTHS = (1, 3, 5, 10)

NAMES = (
    "top-1",
    *(f"{family}@{k}" for family in ("mMV", "recall", "fraction", "MAP", "nDCG") for k in DEPTHS),
)
"""The metrics of a query; their meaning is said at `compute_values`."""

SAME_AS_TOP_1 = ("mMV@1", "recall@1", "MAP@1", "nDCG@1")

DISCOUNTS: Floats = 1 / np.log2(np.arange(2, max(DEPTHS) + 2))
"""Gain of a relevant slide at each place (Järvelin and Kekäläinen 2002)."""


def compute_values(neighbours: Neighbours, labels: Ints) -> Floats:
    """Each query by each of NAMES, float64 [Q, M]; nan for queries that no allowed slide could answer.

    With R relevant slides, hits h_i (1 where the i-th neighbour has the query's label) and P_i the share of hits among
    the first i: top-1: h_1; mMV@k: the vote of the first k is right; recall@k: any hit among the first k; fraction@k:
    hits among the first k / R; MAP@k: sum of P_i h_i over the first k / min(R, k); nDCG@k: with binary gains, over the
    best that min(R, k) hits could reach. Where there are fewer neighbours than k, the places left are misses.

    labels: int64 [n], of all slides of the cohort. Raises ConfigurationError when the ranking was cut before the
    deepest metric.
    """
    neighbour_labels = find_top_labels(neighbours, labels, max(DEPTHS))
    query_labels = labels[neighbours.queries]
    hits = (neighbour_labels == query_labels[:, None]).astype(np.float64)
    relevant = neighbours.relevant.astype(np.float64)[:, None]
    divisors = np.maximum(relevant, 1)
    hit_counts = hits.cumsum(1)
    best = np.minimum(divisors, np.array(DEPTHS))
    columns = np.array(DEPTHS) - 1
    precision = (hits * hit_counts / np.arange(1, max(DEPTHS) + 1)).cumsum(1)[:, columns] / best
    gain = (hits * DISCOUNTS).cumsum(1)[:, columns] / DISCOUNTS.cumsum()[best.astype(np.int64) - 1]
    votes = np.stack([find_majority(neighbour_labels[:, :k])[0] == query_labels for k in DEPTHS], axis=1)
    families = (hits[:, :1], votes, hit_counts[:, columns] > 0, hit_counts[:, columns] / divisors, precision, gain)
    return np.where(relevant > 0, np.concatenate(families, axis=1), np.nan)


def find_top_labels(neighbours: Neighbours, labels: Ints, k: int) -> Ints:
    """Labels of the first k neighbours, int64 [Q, k], NOBODY where there is none; raises ConfigurationError."""
    slides, largest = neighbours.slides[:, :k], int(neighbours.eligible.max(initial=0))
    if slides.shape[1] < min(k, largest):
        what = f"{slides.shape[1]} neighbours were ranked per query, but {k} are needed"
        raise ConfigurationError("depth of the ranking", what, f"Rank at least {k}")
    places = np.pad(slides, ((0, 0), (0, k - slides.shape[1])), constant_values=NOBODY)
    return np.where(places == NOBODY, NOBODY, labels[places])


def find_majority(labels: Ints) -> tuple[Ints, Floats]:
    """The most frequent label of each row [Q, k] and its share of the neighbours there are, both [Q].

    Of equally frequent labels that with the nearest neighbour wins. NOBODY and 0 for a row without neighbours.
    """
    is_neighbour = labels != NOBODY
    counts = ((labels[:, :, None] == labels[:, None, :]).sum(2)) * is_neighbour
    first = counts.argmax(1)[:, None]
    label = np.take_along_axis(labels, first, 1)[:, 0]
    return label, np.take_along_axis(counts, first, 1)[:, 0] / np.maximum(is_neighbour.sum(1), 1)
