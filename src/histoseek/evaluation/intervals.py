"""Intervals of means over queries, and paired tests between two systems; patients are the units of both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.errors import ConfigurationError
from histoseek.evaluation.metrics import Scores
from histoseek.evaluation.per_query import SAME_AS_TOP_1
from histoseek.statistics.intervals import (
    FEW_PATIENTS,
    RESAMPLES,
    percentile_interval,
    ratio,
    totals,
    unanimous_interval,
)

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

EXACT_PATIENTS = 12
"""Up to so many patients all sign flips are gone through."""

PERMUTATIONS = 10_000

_BLOCK_CELLS = 2_000_000
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Comparison:
    """One metric of two systems on the same queries.

    difference: first minus second, over the queries that have a value in both; low, high: its 95 % interval over
    patients; p: two-sided, of the permutation test; p_holm: corrected for the number of metrics compared. NaN where
    there is no query.
    """

    metric: str
    difference: float
    low: float
    high: float
    p: float
    p_holm: float


def bootstrap(
    per_query: Floats, patients: Ints, seed: int, resamples: int = RESAMPLES, least: float = 0.0
) -> tuple[Floats, Floats]:
    """95 % intervals of the column means of per_query [Q, M], low [M] and high [M], by drawing whole patients.

    patients: codes [Q]; least: the smallest value there can be, 0 for shares, -1 for their differences (the largest is
    1). Queries that are nan in a column don't count there. NaN for a column with values from fewer than five patients:
    so few tell little about how patients differ. Where all queries agree on -1, 0 or 1, no resample can differ: other
    patients might, and the ends are what the mean would be if as many did as is compatible with none of these.
    """
    if not len(per_query):
        return np.full(per_query.shape[1], np.nan), np.full(per_query.shape[1], np.nan)
    found, rows = np.unique(patients, return_inverse=True)
    known = ~np.isnan(per_query)
    sums = totals(np.where(known, per_query, 0), rows, len(found))
    counts = totals(known.astype(np.float64), rows, len(found))
    low, high = percentile_interval(lambda drawn: ratio(drawn @ sums, drawn @ counts), len(found), seed, resamples)
    asked = (counts > 0).sum(0)
    for column in np.flatnonzero(asked >= FEW_PATIENTS):
        values = np.unique(per_query[known[:, column], column])
        if len(values) == 1 and values[0] in {-1, 0, 1}:
            others = unanimous_interval(0.0, int(asked[column]))[1]
            low[column], high[column] = values[0] * (1 - others) + others * np.array([least, 1])
    few = asked < FEW_PATIENTS
    return np.where(few, np.nan, low), np.where(few, np.nan, high)


def compare(first: Scores, second: Scores, patients: Ints, seed: int) -> tuple[Comparison, ...]:
    """Compare two systems query by query; patients: codes of all slides of the cohort [n].

    Metrics that are top-1 by another name are left out, so that they don't count in the correction. Raises
    ConfigurationError when the systems were asked different queries.
    """
    left, right, queries = _paired(first, second)
    columns = [i for i, name in enumerate(first.names) if name not in SAME_AS_TOP_1]
    differences = (left - right)[:, columns]
    low, high = bootstrap(differences, patients[queries], seed, least=-1)
    p = permutation_test(differences, patients[queries], seed)
    rows = zip(columns, differences.T, low, high, p, holm(p), strict=True)
    return tuple(
        Comparison(first.names[column], _mean(values), float(a), float(b), float(one), float(all_))
        for column, values, a, b, one, all_ in rows
    )


def permutation_test(differences: Floats, patients: Ints, seed: int) -> Floats:
    """Two-sided p [M] of paired differences [Q, M] having mean zero, by flipping signs of whole patients.

    If the systems were exchangeable, each patient's summed difference could as well have the other sign (Fisher's
    randomisation test; Good 2005, 3.2). With up to EXACT_PATIENTS patients that have a difference at all, every
    flip is counted; else PERMUTATIONS random ones and the observed one, p = (1 + as extreme) / (1 + drawn)
    (Phipson and Smyth 2010). Nan where a column has no value.
    """
    found, rows = np.unique(patients, return_inverse=True)
    sums = totals(np.nan_to_num(differences), rows, len(found))
    observed = np.abs(sums.sum(0)) - _ROUNDING * np.abs(sums).sum(0)
    few = (sums != 0).sum(0) <= EXACT_PATIENTS
    p = np.full(len(few), np.nan)
    p[~few] = _random_p(sums[:, ~few], observed[~few], seed)
    p[few] = [_exact_p(sums[:, column], observed[column]) for column in np.flatnonzero(few)]
    return np.where(np.isnan(differences).all(0), np.nan, p)


def holm(p: Floats) -> Floats:
    """p-values corrected for their number (Holm 1979), nan where they are nan."""
    corrected = np.full(len(p), np.nan)
    order = [i for i in np.argsort(p, kind="stable") if not np.isnan(p[i])]
    steps = p[order] * (len(order) - np.arange(len(order)))
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return corrected


def _paired(first: Scores, second: Scores) -> tuple[Floats, Floats, Ints]:
    """Values of both, [Q, M] each, in the order of the queries' places."""
    if first.names != second.names or not np.array_equal(np.sort(first.queries), np.sort(second.queries)):
        what = "the two were not asked the same queries"
        raise ConfigurationError("comparison", what, "Evaluate both on the same slides with the same protocol")
    one, other = (np.argsort(scores.queries, kind="stable") for scores in (first, second))
    return first.per_query[one], second.per_query[other], first.queries[one]


def _exact_p(sums: Floats, observed: float) -> float:
    """The share of all sign flips of a few patients' sums [P] that reach the observed size."""
    some = sums[sums != 0]
    signs = np.where(np.arange(2 ** len(some))[:, None] >> np.arange(len(some)) & 1, -1.0, 1.0)
    return float((np.abs(signs @ some) >= observed).mean())


def _random_p(sums: Floats, observed: Floats, seed: int) -> Floats:
    """The share of PERMUTATIONS random sign flips and the observed one that reach it; sums [P, M], observed [M]."""
    if not sums.size:
        return np.empty(sums.shape[1])
    rng = np.random.default_rng(seed)
    size = max(1, _BLOCK_CELLS // len(sums))
    extreme = np.ones(sums.shape[1])
    for start in range(0, PERMUTATIONS, size):
        flipped = rng.integers(2, size=(min(size, PERMUTATIONS - start), len(sums)), dtype=np.int8)
        extreme += (np.abs(sums.sum(0) - 2 * (flipped.astype(np.float64) @ sums)) >= observed).sum(0)
    return extreme / (1 + PERMUTATIONS)


def _mean(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
