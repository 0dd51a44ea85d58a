"""Does retrieval live off where slides come from? How well vectors tell a site, and what its exclusion costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.errors import ConfigurationError
from histoseek.evaluation.averages import mean_edge, over_classes, sums_by_class, weighted
from histoseek.evaluation.cohort import codes
from histoseek.evaluation.intervals import bootstrap
from histoseek.evaluation.metrics import Metric, Scores
from histoseek.statistics.intervals import percentile_interval, ratio

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

    shuffled: retrieval without slides of a value that was dealt out anew, see `shuffled_values`. own: the part of the
    fall that the value itself has to answer for, shuffled minus without_same; low, high: its 95 % interval, too narrow
    where the exclusion leaves few slides of a label, which then answer every query.
    """

    shuffled: Metric
    own: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class SiteCheck:
    """What a column (site, scanner, data set) has to do with the figures.

    predictability: of the column from the vectors; from_label: from the label alone. Only what the first has beyond
    the second do the vectors know of the column by themselves. with_same, without_same: retrieval with and without
    slides of the query's own value, over the same queries, those that have an answer in all rankings. fall: first minus
    second, low and high its 95 % interval over patients. Where a value goes with a label, leaving it out takes right
    answers away: chance falls as well, and retrieval with it even if vectors know nothing of the value. control tells
    the two apart; None where it was not ranked.
    """

    column: str
    predictability: Metric
    from_label: Metric
    with_same: Metric
    without_same: Metric
    fall: float
    low: float
    high: float
    control: Control | None = None

    @property
    def sentence(self) -> str:
        """The check in one line."""
        return f"{self.column}: {self._told}; {self._lost}{self._own}"

    @property
    def _told(self) -> str:
        told = self.predictability
        if math.isnan(told.value):
            return "fewer than two values with two patients each, so that nothing can be told from the vectors"
        return (
            f"told from the vectors with a balanced accuracy of {_spread(told.value, told.low, told.high)}, from the "
            f"label alone {self.from_label.value:.2f}, chance {told.chance:.2f}"
        )

    @property
    def _lost(self) -> str:
        first, second = self.with_same, self.without_same
        if not first.queries:
            return f"no query has a right answer left without those of its own {self.column}"
        return (
            f"{first.name} {first.value:.2f} with answers of the same {self.column}, {second.value:.2f} without, "
            f"chance {first.chance:.2f} and {second.chance:.2f}: a fall of {_spread(self.fall, self.low, self.high)} "
            f"over {first.queries} queries"
        )

    @property
    def _own(self) -> str:
        if self.control is None or not self.with_same.queries:
            return ""
        own = _spread(self.control.own, self.control.low, self.control.high)
        return f", of which {own} are the {self.column}'s own and not for want of slides of the label"


def predictability(vectors: NDArray[np.float32], names: Sequence[str | None], patients: Ints, seed: int) -> Metric:
    """How well a linear classifier tells a column's values from vectors [n, D] of patients that it has not seen.

    Balanced accuracy of ridge regression to one-hot values (each value of equal weight in all), cross-validated in
    five folds of whole patients, drawn value by value with the seed. The interval is over patients, widened for what
    cross-validation adds. chance: one over the number of values. Slides without a value (None) and values with fewer
    than two patients are left out; nan when fewer than two values are left.
    """
    kept, targets = _usable(names, patients)
    count = int(targets.max(initial=-1)) + 1
    if count < 2:
        return Metric("balanced accuracy", math.nan, math.nan, math.nan, math.nan, 0)
    owners = np.unique(patients[kept], return_inverse=True)[1]
    right = _cross_validated(vectors[kept].astype(np.float64), targets, owners, count, seed) == targets
    by_value = sums_by_class(right[:, None] * 1.0, targets, owners, count)

    def balanced(weights: Floats) -> Floats:
        sums, slides = weighted(weights, by_value)
        return over_classes(ratio(sums, slides[:, :, None]))

    everyone = int(owners.max()) + 1
    value = float(balanced(np.ones((1, everyone)))[0, 0])
    ends = np.concatenate(percentile_interval(balanced, everyone, seed))
    low, high = np.clip(value + _WIDENING * (ends - value), 0, 1).tolist()
    low = mean_edge(by_value) if value == 1 else low
    return Metric("balanced accuracy", value, low, high, 1 / count, len(targets))


def predictability_from_labels(labels: Ints, names: Sequence[str | None], patients: Ints, seed: int) -> Metric:
    """The same from nothing but the label of each slide [n]: what a column shares with the diagnosis anyway."""
    return predictability(np.eye(int(labels.max()) + 1, dtype=np.float32)[labels], names, patients, seed)


def shuffled_values(values: Ints, labels: Ints, patients: Ints, seed: int) -> Ints:
    """Values of a column [n] dealt out anew among the patients of each label, for the control of a site check.

    Slides of one patient, label and value stay together. Whoever leaves out a query's own shuffled value leaves out
    about as many slides of each label as with the true one, but of no place in particular.
    """
    units, rows = np.unique(np.stack([labels, patients, values]), axis=1, return_inverse=True)
    rng = np.random.default_rng(seed)
    dealt = units[2].copy()
    for label in np.unique(units[0]):
        own = np.flatnonzero(units[0] == label)
        dealt[own] = rng.permutation(dealt[own])
    return dealt[rows.ravel()]


def site_check(
    column: str,
    told: Metric,
    from_label: Metric,
    with_same: Scores,
    without_same: Scores,
    patients: Ints,
    seed: int,
    metric: str = "mMV@5",
    shuffled: Scores | None = None,
) -> SiteCheck:
    """Set beside each other how well a column is told and what retrieval loses without the query's own value.

    told, from_label: as of `predictability` and `predictability_from_labels`. with_same, without_same: one system's
    scores of the same queries, with slides of the query's own value in the database and without; shuffled: without
    those of `shuffled_values`. patients: codes of all slides [n]. metric: one of `Scores.names`. Raises
    ConfigurationError when the queries differ.
    """
    rankings = (with_same, without_same, *(() if shuffled is None else (shuffled,)))
    if not all(np.array_equal(with_same.queries, each.queries) for each in rankings):
        what = "the rankings are of different queries"
        raise ConfigurationError(f"check of {column}", what, "Rank the same queries with and without")
    asked = np.all([each.answerable for each in rankings], axis=0)
    at = with_same.names.index(metric)
    owners = patients[with_same.queries][asked]
    found = [each.per_query[asked, at] for each in rankings]
    figures = [
        Metric(metric, *_with_interval(values, owners, seed), _mean(each.chances[asked, at]), len(values))
        for values, each in zip(found, rankings, strict=True)
    ]
    control = Control(figures[2], *_with_interval(found[2] - found[1], owners, seed, -1)) if shuffled else None
    fall = _with_interval(found[0] - found[1], owners, seed, -1)
    return SiteCheck(column, told, from_label, figures[0], figures[1], *fall, control)


def _usable(names: Sequence[str | None], patients: Ints) -> tuple[Ints, Ints]:
    """Places of slides whose value two patients have or more, and codes of these values."""
    owners: dict[str, set[int]] = {}
    for name, patient in zip(names, patients.tolist(), strict=True):
        if name is not None:
            owners.setdefault(name, set()).add(patient)
    kept = [i for i, name in enumerate(names) if name is not None and len(owners[name]) > 1]
    if not kept:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    return np.array(kept, np.int64), codes([str(names[i]) for i in kept])


def _cross_validated(vectors: Floats, targets: Ints, owners: Ints, count: int, seed: int) -> Ints:
    """Predicted codes, each from a classifier that has seen no slide of the patient."""
    folds = _folds(targets, owners, seed)[owners]
    predicted = np.empty(len(targets), np.int64)
    for fold in np.unique(folds):
        held = folds == fold
        predicted[held] = _ridge_predictions(vectors[~held], targets[~held], vectors[held], count)
    return predicted


def _folds(targets: Ints, owners: Ints, seed: int) -> Ints:
    """A fold for each patient: patients of one value (that of their first slide) are dealt out in turn, at random."""
    first = targets[np.unique(owners, return_index=True)[1]]
    order = np.random.default_rng(seed).permutation(len(first))
    order = order[np.argsort(first[order], kind="stable")]
    folds = np.empty(len(first), np.int64)
    folds[order] = np.arange(len(first)) % FOLDS
    return folds


def _ridge_predictions(train: Floats, targets: Ints, held: Floats, count: int) -> Ints:
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
    return ((held - mean) @ slopes + base).argmax(1)


def _with_interval(values: Floats, owners: Ints, seed: int, least: float = 0.0) -> tuple[float, float, float]:
    """Mean, low and high over patients."""
    low, high = bootstrap(values[:, None], owners, seed, least=least)
    return _mean(values), float(low[0]), float(high[0])


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else math.nan


def _spread(value: float, low: float, high: float) -> str:
    return f"{value:.2f} ({low:.2f} to {high:.2f})"
