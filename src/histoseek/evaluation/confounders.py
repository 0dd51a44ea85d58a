"""Does retrieval depend on where slides come from? How well vectors predict a site, and what excluding it costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.errors import ConfigurationError
from histoseek.evaluation.averages import average_classes, average_unanimous_edge, sum_by_class, weigh_sums
from histoseek.evaluation.cohort import make_codes
from histoseek.evaluation.scores import MetricEstimate, Scores
from histoseek.evaluation.significance import bootstrap
from histoseek.statistics.intervals import divide, percentile_interval

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

FOLDS = 5

_RIDGE = 0.1
"""Strength, as a multiple of the mean variance of the vectors along their dimensions."""

_LEAST_VARIANCE = 1e-12

_WIDENING = math.sqrt(2)
"""Patients in each other's training are right and wrong together, so that a bootstrap of the predictions is too narrow
(Bengio and Grandvalet 2004). Without any effect each pair of patients counts twice, which doubles the variance; in
simulated cohorts with and without effects the widened interval covers in 94 to 97 of 100, the plain one in 86 to 89."""


@dataclass(frozen=True, slots=True)
class Control:
    """What leaving out as many slides of the same labels costs, whatever their value.

    shuffled: retrieval without slides of a value that was dealt out anew, see `shuffle_values`. own: the part of the
    fall that the value itself has to answer for, shuffled minus without_same; low, high: its 95 % interval, too narrow
    where the exclusion leaves few slides of a label, which then answer every query.
    """

    shuffled: MetricEstimate
    own: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class SiteCheck:
    """How a column (site, scanner, data set) influences the figures.

    predictability: of the column from the vectors; from_label: from the label alone. Only what the first has beyond
    the second do the vectors know of the column by themselves. with_same, without_same: retrieval with and without
    slides of the query's own value, over the same queries, those that have an answer in all rankings. fall: first minus
    second, low and high its 95 % interval over patients. Where a value goes with a label, leaving it out takes right
    answers away: chance falls as well, and retrieval with it even if vectors know nothing of the value. control tells
    the two apart; None where it was not ranked.
    """

    column: str
    predictability: MetricEstimate
    from_label: MetricEstimate
    with_same: MetricEstimate
    without_same: MetricEstimate
    fall: float
    low: float
    high: float
    control: Control | None = None

    @property
    def sentence(self) -> str:
        """The check in one line."""
        return f"{self.column}: {self._predictability_text}; {self._fall_text}{self._control_text}"

    @property
    def _predictability_text(self) -> str:
        metric = self.predictability
        if math.isnan(metric.value):
            return "fewer than two values have two patients each, so the vectors cannot be checked"
        accuracy = _format_interval(metric.value, metric.low, metric.high)
        return (
            f"predicted from the vectors with a balanced accuracy of {accuracy}, "
            f"from the label alone with {self.from_label.value:.2f}, chance is {metric.chance:.2f}"
        )

    @property
    def _fall_text(self) -> str:
        first, second = self.with_same, self.without_same
        if not first.queries:
            return f"without slides of its own {self.column} no query has a right answer left"
        fall = _format_interval(self.fall, self.low, self.high)
        return (
            f"{first.name} is {first.value:.2f} with slides of the same {self.column} and {second.value:.2f} without "
            f"(chance {first.chance:.2f} and {second.chance:.2f}), a fall of {fall} over {first.queries} queries"
        )

    @property
    def _control_text(self) -> str:
        if self.control is None or not self.with_same.queries:
            return ""
        amount = _format_interval(self.control.own, self.control.low, self.control.high)
        return f", of which {amount} is due to the {self.column} itself and not to fewer slides of the label"


def measure_predictability(
    vectors: NDArray[np.float32], names: Sequence[str | None], patients: Ints, seed: int
) -> MetricEstimate:
    """How well a linear classifier predicts a column's values from vectors [n, D] of patients it has not seen.

    Balanced accuracy of ridge regression to one-hot values (each value of equal weight in all), cross-validated in
    five folds of whole patients, drawn value by value with the seed. The interval is over patients, widened for what
    cross-validation adds. chance: one over the number of values. Slides without a value (None) and values with fewer
    than two patients are left out; nan when fewer than two values are left.
    """
    rows, targets = _select_usable(names, patients)
    count = int(targets.max(initial=-1)) + 1
    if count < 2:
        return MetricEstimate("balanced accuracy", math.nan, math.nan, math.nan, math.nan, 0)
    owners = np.unique(patients[rows], return_inverse=True)[1]
    is_correct = _cross_validate(vectors[rows].astype(np.float64), targets, owners, count, seed) == targets
    by_value = sum_by_class(is_correct[:, None] * 1.0, targets, owners, count)

    def average_accuracy(weights: Floats) -> Floats:
        sums, slides = weigh_sums(weights, by_value)
        return average_classes(divide(sums, slides[:, :, None]))

    patient_count = int(owners.max()) + 1
    value = float(average_accuracy(np.ones((1, patient_count)))[0, 0])
    ends = np.concatenate(percentile_interval(average_accuracy, patient_count, seed))
    low, high = np.clip(value + _WIDENING * (ends - value), 0, 1).tolist()
    low = average_unanimous_edge(by_value) if value == 1 else low
    return MetricEstimate("balanced accuracy", value, low, high, 1 / count, len(targets))


def measure_label_predictability(
    labels: Ints, names: Sequence[str | None], patients: Ints, seed: int
) -> MetricEstimate:
    """The same from nothing but the label of each slide [n]: what a column shares with the diagnosis anyway."""
    return measure_predictability(np.eye(int(labels.max()) + 1, dtype=np.float32)[labels], names, patients, seed)


def shuffle_values(values: Ints, labels: Ints, patients: Ints, seed: int) -> Ints:
    """Values of a column [n] dealt out anew among the patients of each label, for the control of a site check.

    Slides of one patient, label and value stay together. Whoever leaves out a query's own shuffled value leaves out
    about as many slides of each label as with the true one, but of no place in particular.
    """
    units, rows = np.unique(np.stack([labels, patients, values]), axis=1, return_inverse=True)
    rng = np.random.default_rng(seed)
    new_values = units[2].copy()
    for label in np.unique(units[0]):
        members = np.flatnonzero(units[0] == label)
        new_values[members] = rng.permutation(new_values[members])
    return new_values[rows.ravel()]


def check_site(
    column: str,
    from_vectors: MetricEstimate,
    from_label: MetricEstimate,
    with_same: Scores,
    without_same: Scores,
    patients: Ints,
    seed: int,
    metric: str = "mMV@5",
    control_scores: Scores | None = None,
) -> SiteCheck:
    """Compare how well a column is predicted with what retrieval loses without the query's own value.

    from_vectors, from_label: of `measure_predictability` and `measure_label_predictability`. with_same, without_same: a
    system's scores of the same queries, with slides of the query's own value in the database and without;
    control_scores: without those of `shuffle_values`. patients: codes of all slides [n]. metric: one of `Scores.names`.
    Raises ConfigurationError when the queries differ.
    """
    rankings = (with_same, without_same, *(() if control_scores is None else (control_scores,)))
    if not all(np.array_equal(with_same.queries, each.queries) for each in rankings):
        what = "the rankings have different queries"
        raise ConfigurationError(f"check of {column}", what, "Rank the same queries with and without")
    is_answerable = np.all([each.answerable for each in rankings], axis=0)
    metric_column = with_same.names.index(metric)
    owners = patients[with_same.queries][is_answerable]
    values_of_rankings = [each.per_query[is_answerable, metric_column] for each in rankings]
    chances = [_average(each.chances[is_answerable, metric_column]) for each in rankings]
    figures = [
        MetricEstimate(metric, *_estimate_mean(values, owners, seed), chance, len(values))
        for values, chance in zip(values_of_rankings, chances, strict=True)
    ]
    control = None
    if control_scores is not None:
        cost = values_of_rankings[2] - values_of_rankings[1]
        control = Control(figures[2], *_estimate_mean(cost, owners, seed, -1))
    fall = _estimate_mean(values_of_rankings[0] - values_of_rankings[1], owners, seed, -1)
    return SiteCheck(column, from_vectors, from_label, figures[0], figures[1], *fall, control)


def _select_usable(names: Sequence[str | None], patients: Ints) -> tuple[Ints, Ints]:
    """Places of slides whose value two patients have or more, and codes of these values."""
    owners: dict[str, set[int]] = {}
    for name, patient in zip(names, patients.tolist(), strict=True):
        if name is not None:
            owners.setdefault(name, set()).add(patient)
    rows = [i for i, name in enumerate(names) if name is not None and len(owners[name]) > 1]
    if not rows:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    return np.array(rows, np.int64), make_codes([str(names[i]) for i in rows])


def _cross_validate(vectors: Floats, targets: Ints, owners: Ints, count: int, seed: int) -> Ints:
    """Predicted codes, each from a classifier that has seen no slide of the patient."""
    folds = _assign_folds(targets, owners, seed)[owners]
    predictions = np.empty(len(targets), np.int64)
    for fold in np.unique(folds):
        is_test = folds == fold
        predictions[is_test] = _predict_ridge(vectors[~is_test], targets[~is_test], vectors[is_test], count)
    return predictions


def _assign_folds(targets: Ints, owners: Ints, seed: int) -> Ints:
    """A fold for each patient: patients of one value (that of their first slide) are dealt out in turn, at random."""
    first = targets[np.unique(owners, return_index=True)[1]]
    order = np.random.default_rng(seed).permutation(len(first))
    order = order[np.argsort(first[order], kind="stable")]
    folds = np.empty(len(first), np.int64)
    folds[order] = np.arange(len(first)) % FOLDS
    return folds


def _predict_ridge(train: Floats, targets: Ints, test_vectors: Floats, count: int) -> Ints:
    """Codes that ridge regression, with values weighted to equal mass, gives to held vectors [h, D]."""
    sizes = np.bincount(targets, minlength=count)
    weights = 1 / (np.maximum(sizes, 1)[targets] * (sizes > 0).sum())
    mean = weights @ train
    root = np.sqrt(weights)[:, None]
    centred = (train - mean) * root
    base = weights @ np.eye(count)[targets]
    aims = (np.eye(count)[targets] - base) * root
    gram = centred.T @ centred
    strength = _RIDGE * max(float(np.trace(gram)) / len(gram), _LEAST_VARIANCE)
    slopes = np.linalg.solve(gram + strength * np.eye(len(gram)), centred.T @ aims)
    return ((test_vectors - mean) @ slopes + base).argmax(1)


def _estimate_mean(values: Floats, owners: Ints, seed: int, least: float = 0.0) -> tuple[float, float, float]:
    """Mean, low and high over patients."""
    low, high = bootstrap(values[:, None], owners, seed, least=least)
    return _average(values), float(low[0]), float(high[0])


def _average(values: Floats) -> float:
    return float(values.mean()) if len(values) else math.nan


def _format_interval(value: float, low: float, high: float) -> str:
    return f"{value:.2f} ({low:.2f} to {high:.2f})"
