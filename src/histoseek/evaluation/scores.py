"""All figures of one ranking: means over queries and over classes, the vote's confusion, intervals and chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.evaluation.averages import CLASS_NAMES, SUMMARY_NAMES, VOTE_DEPTH, PatientSums, average_classes
from histoseek.evaluation.chance_levels import compute_chance_values, count_labels, simulate_vote_quality
from histoseek.evaluation.neighbours import NOBODY, Neighbours
from histoseek.evaluation.per_query import NAMES, compute_values, find_majority, find_top_labels
from histoseek.statistics.intervals import percentile_interval

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class MetricEstimate:
    """A figure with its 95 % interval over patients and what a random order would give; nan where undefined.

    queries: how many it is the mean of. An interval needs queries of five patients; where all are right, or none, it is
    exact (`histoseek.statistics.intervals`).
    """

    name: str
    value: float
    low: float
    high: float
    chance: float
    queries: int


@dataclass(frozen=True, slots=True)
class ClassMetrics:
    """The figures of the queries of one class; recall, precision and F1 are of the vote of the first five.

    slides, patients: of this class in the cohort, with or without queries.
    """

    label: str
    slides: int
    patients: int
    metrics: tuple[MetricEstimate, ...]


@dataclass(frozen=True, slots=True)
class Scores:
    """All figures of one system under one protocol.

    Queries that have no relevant slide at all (of a class with one patient, say) cannot be answered by any system: they
    are nan in `per_query`, left out of every average and of `confusion`, and counted in `without_answer`.

    queries: int64 [Q], places in the cohort as in Neighbours; per_query: float64 [Q, M], columns as in `names`.
    metrics: means over queries; "macro ..." of these, over the classes that have queries; balanced accuracy and
    macro-F1 of the vote of the first five, over the same classes. classes: one for each class of the cohort.
    votes: int64 [Q], the label that the first five vote for, NOBODY (-1) without neighbours; confidence: float64 [Q],
    its share of them. confusion: int64 [C, C + 1] of these votes, rows the truth; the last column counts queries to
    which the system gave no neighbour. chances: float64 [Q, M], the expectation of per_query under a random order.
    """

    queries: Ints
    per_query: Floats
    names: tuple[str, ...]
    metrics: tuple[MetricEstimate, ...]
    classes: tuple[ClassMetrics, ...]
    confusion: Ints
    votes: Ints
    confidence: Floats
    without_answer: int
    chances: Floats

    @property
    def answerable(self) -> Booleans:
        """Which queries have a relevant slide, bool [Q]."""
        return ~np.isnan(self.per_query[:, 0])

    def get_metric(self, name: str) -> MetricEstimate:
        """One of `metrics`; raises KeyError."""
        by_name = {metric.name: metric for metric in self.metrics}
        return by_name[name]


def vote(neighbours: Neighbours, labels: Ints, k: int) -> tuple[Ints, Floats]:
    """The most frequent label of the first k neighbours and its share of them, [Q] each.

    Of equally frequent labels that with the nearest neighbour wins. NOBODY and 0 for a query without neighbours; of
    fewer than k, the share is of those there are. labels: of all slides [n]. Raises ConfigurationError when the
    ranking was cut before k.
    """
    return find_majority(find_top_labels(neighbours, labels, k))


def score(neighbours: Neighbours, labels: Ints, classes: Sequence[str], patients: Ints, seed: int = 0) -> Scores:
    """All figures of a ranking.

    labels: int64 [n], places in `classes`; patients: codes, int64 [n]; both of all slides of the cohort. seed: of the
    bootstrap, and of the simulated chance of precision and F1. Intervals say what other patients' queries to the same
    database would give; the database is not drawn anew. Raises ConfigurationError when the ranking was cut
    before the deepest metric.
    """
    per_query = compute_values(neighbours, labels)
    votes, confidence = vote(neighbours, labels, VOTE_DEPTH)
    is_answerable, truth = neighbours.relevant > 0, labels[neighbours.queries]
    tally = PatientSums.from_queries(
        per_query[is_answerable],
        truth[is_answerable],
        votes[is_answerable],
        patients[neighbours.queries][is_answerable],
        len(classes),
    )
    chances = compute_chance_values(neighbours, labels)
    counts = count_labels(neighbours, labels, len(classes))
    chance = _compute_chance(chances[is_answerable], truth[is_answerable], counts[is_answerable], seed)
    figures = np.stack([*_estimate_averages(tally, seed), chance], axis=1)
    return Scores(
        queries=neighbours.queries,
        per_query=per_query,
        names=NAMES,
        metrics=_make_metrics(SUMMARY_NAMES, figures, int(is_answerable.sum())),
        classes=_make_class_metrics(figures[len(SUMMARY_NAMES) :], labels, classes, patients, truth[is_answerable]),
        confusion=_count_confusion(truth[is_answerable], votes[is_answerable], len(classes)),
        votes=votes,
        confidence=confidence,
        without_answer=int((~is_answerable).sum()),
        chances=chances,
    )


def _estimate_averages(tally: PatientSums, seed: int) -> tuple[Floats, Floats, Floats]:
    """Averages with low and high ends, each in the order of `Tally.averages`."""
    averages = tally.compute_averages(np.ones((1, tally.patients)))[0]
    if not tally.patients:
        return averages, averages, averages
    low, high = percentile_interval(tally.compute_averages, tally.patients, seed)
    enough, edges = tally.find_enough_patients(), tally.find_unanimous_edges()
    low, high = np.where(averages == 1, edges, low), np.where(averages == 0, 1 - edges, high)
    return averages, np.where(enough, low, np.nan), np.where(enough, high, np.nan)


def _compute_chance(chances: Floats, truth: Ints, counts: Ints, seed: int) -> Floats:
    """What a random order would give, in the order of `Tally.averages`; chances [Q, M], counts [Q, C] of queries."""
    rows, classes = np.arange(len(truth)), counts.shape[1]
    tally = PatientSums.from_queries(chances, truth, np.full(len(truth), NOBODY), rows, classes)
    averages = tally.compute_averages(np.ones((1, len(rows))))[0]
    by_class = averages[len(SUMMARY_NAMES) :].reshape(classes, len(CLASS_NAMES))
    by_class[:, -2], by_class[:, -1] = simulate_vote_quality(counts, truth, VOTE_DEPTH, seed)
    averages[len(SUMMARY_NAMES) - 1] = average_classes(by_class[None, :, -1:])[0, 0]
    return averages


def _make_class_metrics(
    figures: Floats, labels: Ints, classes: Sequence[str], patients: Ints, truth: Ints
) -> tuple[ClassMetrics, ...]:
    """figures: [C * metrics, 4], class by class; truth: labels of the queries with an answer."""
    class_metrics = []
    for code, label in enumerate(classes):
        is_member = labels == code
        metrics = _make_metrics(CLASS_NAMES, figures[code * len(CLASS_NAMES) :], int((truth == code).sum()))
        class_metrics.append(ClassMetrics(label, int(is_member.sum()), len(np.unique(patients[is_member])), metrics))
    return tuple(class_metrics)


def _make_metrics(names: Sequence[str], figures: Floats, queries: int) -> tuple[MetricEstimate, ...]:
    """From rows of value, low, high and chance; rows beyond the names are left."""
    rows = zip(names, figures.tolist(), strict=False)
    return tuple(MetricEstimate(name, value, low, high, chance, queries) for name, (value, low, high, chance) in rows)


def _count_confusion(truth: Ints, votes: Ints, classes: int) -> Ints:
    """int64 [C, C + 1], abstentions last."""
    columns = np.where(votes == NOBODY, classes, votes)
    return np.bincount(truth * (classes + 1) + columns, minlength=classes * (classes + 1)).reshape(classes, classes + 1)
