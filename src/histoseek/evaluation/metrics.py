"""All figures of one ranking: means over queries and over classes, the vote's confusion, intervals and chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.evaluation.averages import CLASS_NAMES, SUMMARY_NAMES, VOTE_DEPTH, Tally, over_classes
from histoseek.evaluation.chance import expected_values, label_counts, vote_quality_chance
from histoseek.evaluation.per_query import NAMES, majority, top_labels, values
from histoseek.evaluation.ranking import NOBODY, Neighbours
from histoseek.statistics.intervals import percentile_interval

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Metric:
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
    metrics: tuple[Metric, ...]


@dataclass(frozen=True, slots=True)
class Scores:
    """All figures of one system under one protocol.

    Queries that have no relevant slide at all (of a class with one patient, say) can't be answered by any system: they
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
    metrics: tuple[Metric, ...]
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

    def metric(self, name: str) -> Metric:
        """One of `metrics`; raises KeyError."""
        found = {metric.name: metric for metric in self.metrics}
        return found[name]


def vote(neighbours: Neighbours, labels: Ints, k: int) -> tuple[Ints, Floats]:
    """The most frequent label of the first k neighbours and its share of them, [Q] each.

    Of equally frequent labels that with the nearest neighbour wins. NOBODY and 0 for a query without neighbours; of
    fewer than k, the share is of those there are. labels: of all slides [n]. Raises ConfigurationError when the
    ranking was cut before k.
    """
    return majority(top_labels(neighbours, labels, k))


def score(neighbours: Neighbours, labels: Ints, classes: Sequence[str], patients: Ints, seed: int = 0) -> Scores:
    """All figures of a ranking.

    labels: int64 [n], places in `classes`; patients: codes, int64 [n]; both of all slides of the cohort. seed: of the
    bootstrap, and of the simulated chance of precision and F1. Intervals say what other patients' queries to the same
    database would give; the database is not drawn anew. Raises ConfigurationError when the ranking was cut
    before the deepest metric.
    """
    per_query = values(neighbours, labels)
    votes, confidence = vote(neighbours, labels, VOTE_DEPTH)
    asked, truth = neighbours.relevant > 0, labels[neighbours.queries]
    tally = Tally.of(per_query[asked], truth[asked], votes[asked], patients[neighbours.queries][asked], len(classes))
    chances = expected_values(neighbours, labels)
    counts = label_counts(neighbours, labels, len(classes))
    luck = _luck(chances[asked], truth[asked], counts[asked], seed)
    figures = np.stack([*_values_and_intervals(tally, seed), luck], axis=1)
    return Scores(
        queries=neighbours.queries,
        per_query=per_query,
        names=NAMES,
        metrics=_metrics(SUMMARY_NAMES, figures, int(asked.sum())),
        classes=_class_metrics(figures[len(SUMMARY_NAMES) :], labels, classes, patients, truth[asked]),
        confusion=_confusion(truth[asked], votes[asked], len(classes)),
        votes=votes,
        confidence=confidence,
        without_answer=int((~asked).sum()),
        chances=chances,
    )


def _values_and_intervals(tally: Tally, seed: int) -> tuple[Floats, Floats, Floats]:
    """Averages with low and high ends, each in the order of `Tally.averages`."""
    found = tally.averages(np.ones((1, tally.patients)))[0]
    if not tally.patients:
        return found, found, found
    low, high = percentile_interval(tally.averages, tally.patients, seed)
    enough, edges = tally.enough_patients(), tally.unanimous_edges()
    low, high = np.where(found == 1, edges, low), np.where(found == 0, 1 - edges, high)
    return found, np.where(enough, low, np.nan), np.where(enough, high, np.nan)


def _luck(chances: Floats, truth: Ints, counts: Ints, seed: int) -> Floats:
    """What a random order would give, in the order of `Tally.averages`; chances [Q, M], counts [Q, C] of queries."""
    rows, classes = np.arange(len(truth)), counts.shape[1]
    tally = Tally.of(chances, truth, np.full(len(truth), NOBODY), rows, classes)
    found = tally.averages(np.ones((1, len(rows))))[0]
    by_class = found[len(SUMMARY_NAMES) :].reshape(classes, len(CLASS_NAMES))
    by_class[:, -2], by_class[:, -1] = vote_quality_chance(counts, truth, VOTE_DEPTH, seed)
    found[len(SUMMARY_NAMES) - 1] = over_classes(by_class[None, :, -1:])[0, 0]
    return found


def _class_metrics(
    figures: Floats, labels: Ints, classes: Sequence[str], patients: Ints, truth: Ints
) -> tuple[ClassMetrics, ...]:
    """figures: [C * metrics, 4], class by class; truth: labels of the queries with an answer."""
    found = []
    for code, label in enumerate(classes):
        own = labels == code
        metrics = _metrics(CLASS_NAMES, figures[code * len(CLASS_NAMES) :], int((truth == code).sum()))
        found.append(ClassMetrics(label, int(own.sum()), len(np.unique(patients[own])), metrics))
    return tuple(found)


def _metrics(names: Sequence[str], figures: Floats, queries: int) -> tuple[Metric, ...]:
    """From rows of value, low, high and chance; rows beyond the names are left."""
    rows = zip(names, figures.tolist(), strict=False)
    return tuple(Metric(name, value, low, high, chance, queries) for name, (value, low, high, chance) in rows)


def _confusion(truth: Ints, votes: Ints, classes: int) -> Ints:
    """int64 [C, C + 1], abstentions last."""
    columns = np.where(votes == NOBODY, classes, votes)
    return np.bincount(truth * (classes + 1) + columns, minlength=classes * (classes + 1)).reshape(classes, classes + 1)
