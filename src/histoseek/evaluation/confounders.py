"""Does retrieval live off where slides come from? How well vectors tell a site, and what its exclusion costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.errors import ConfigurationError
from histoseek.evaluation.chance import expected_values
from histoseek.evaluation.cohort import codes
from histoseek.evaluation.intervals import bootstrap
from histoseek.evaluation.metrics import Metric
from histoseek.evaluation.per_query import NAMES, values
from histoseek.evaluation.ranking import Neighbours
from histoseek.evaluation.resampling import percentile_interval, ratio, totals

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

FOLDS = 5

_RIDGE = 0.1
"""Strength, as a multiple of the mean variance of the vectors along their dimensions."""


@dataclass(frozen=True, slots=True)
class SiteCheck:
    """What a column (site, scanner, data set) has to do with the figures.

    predictability: of the column from the vectors; from_label: from the label alone, which it must exceed to say that
    vectors know more of the site than the diagnosis gives away. with_same, without_same: retrieval with and without
    slides of the query's own value, over the same queries, those that have an answer in both. fall: first minus second,
    with its 95 % interval over patients. Chance may fall too, see there.
    """

    column: str
    values: int
    predictability: Metric
    from_label: Metric
    with_same: Metric
    without_same: Metric
    fall: float
    low: float
    high: float


def predictability(vectors: NDArray[np.float32], names: Sequence[str | None], patients: Ints, seed: int) -> Metric:
    """How well a linear classifier tells a column's values from vectors [n, D] of patients that it has not seen.

    Balanced accuracy of ridge regression to one-hot values (each value of equal weight in all), cross-validated in
    five folds of whole patients, drawn value by value with the seed. The interval is over patients, for the folds as
    they are; chance: one over the number of values. Slides without a value (None) and values with fewer than two
    patients are left out; nan when fewer than two values are left.
    """
    kept, targets = _usable(names, patients)
    count = int(targets.max(initial=-1)) + 1
    if count < 2:
        return Metric("balanced accuracy", math.nan, math.nan, math.nan, math.nan, 0)
    owners = np.unique(patients[kept], return_inverse=True)[1]
    right = _cross_validated(vectors[kept].astype(np.float64), targets, owners, count, seed) == targets
    found = int(owners.max()) + 1
    cells = targets + count * np.arange(len(targets))
    one_hot = np.bincount(cells, minlength=len(targets) * count).reshape(-1, count).astype(np.float64)
    hits, there = totals(one_hot * right[:, None], owners, found), totals(one_hot, owners, found)

    def balanced(weights: Floats) -> Floats:
        recall = ratio(weights @ hits, weights @ there)
        known = ~np.isnan(recall)
        return ratio(np.where(known, recall, 0).sum(1, keepdims=True), known.sum(1, keepdims=True).astype(np.float64))

    low, high = percentile_interval(balanced, found, seed)
    value = balanced(np.ones((1, found)))[0, 0]
    return Metric("balanced accuracy", float(value), float(low[0]), float(high[0]), 1 / count, len(targets))


def predictability_from_labels(labels: Ints, names: Sequence[str | None], patients: Ints, seed: int) -> Metric:
    """The same from nothing but the label of each slide [n]: what a column shares with the diagnosis anyway."""
    return predictability(np.eye(int(labels.max()) + 1, dtype=np.float32)[labels], names, patients, seed)


def site_check(
    column: str,
    names: Sequence[str | None],
    vectors: NDArray[np.float32],
    with_same: Neighbours,
    without_same: Neighbours,
    labels: Ints,
    patients: Ints,
    seed: int,
    metric: str = "mMV@5",
) -> SiteCheck:
    """Check one column, from its values [n] and the vectors [n, D], labels [n] and patients [n] of a cohort.

    with_same, without_same: rankings of the same queries by the same system, with slides of the query's own value
    among the database and without. Raises ConfigurationError when the queries differ, or the metric is none of a query.
    """
    if metric not in NAMES:
        raise ConfigurationError("site check", f"no metric {metric}", f"Known are: {', '.join(NAMES)}")
    if not np.array_equal(with_same.queries, without_same.queries):
        raise ConfigurationError(
            "site check", "the two rankings are of different queries", "Rank the same queries twice"
        )
    at = NAMES.index(metric)
    both = (with_same.relevant > 0) & (without_same.relevant > 0)
    rankings = (with_same, without_same)
    found = np.stack([values(ranking, labels)[both, at] for ranking in rankings], axis=1)
    chance = np.stack([expected_values(ranking, labels)[both, at] for ranking in rankings], axis=1)
    owners = patients[with_same.queries][both]
    table = np.column_stack([found, found[:, 0] - found[:, 1]])
    low, high = bootstrap(table, owners, seed)
    means, luck = _means(table), _means(chance)
    first, second = (
        Metric(metric, means[i], float(low[i]), float(high[i]), luck[i], int(both.sum())) for i in range(2)
    )
    return SiteCheck(
        column,
        len({name for name in names if name is not None}),
        predictability(vectors, names, patients, seed),
        predictability_from_labels(labels, names, patients, seed),
        first,
        second,
        means[2],
        float(low[2]),
        float(high[2]),
    )


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
    strength = _RIDGE * max(float(np.trace(gram)) / len(gram), np.finfo(np.float64).tiny)
    slopes = np.linalg.solve(gram + strength * np.eye(len(gram)), centred.T @ aims)
    return ((held - mean) @ slopes + base).argmax(1)


def _means(table: Floats) -> list[float]:
    return [float(column.mean()) if len(column) else float("nan") for column in table.T]
