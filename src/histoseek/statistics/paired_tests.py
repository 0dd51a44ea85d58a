"""Intervals of means over queries, and paired tests of differences; patients are the units of both."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from histoseek.statistics.intervals import (
    FEW_PATIENTS,
    RESAMPLES,
    divide,
    percentile_interval,
    sum_by_row,
    unanimous_interval,
)

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

EXACT_PATIENTS = 12
"""Up to so many patients all sign flips are gone through."""

PERMUTATIONS = 10_000

_BLOCK_CELLS = 2_000_000
_ROUNDING = 1e-9


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
    patient_codes, rows = np.unique(patients, return_inverse=True)
    is_known = ~np.isnan(per_query)
    sums = sum_by_row(np.where(is_known, per_query, 0), rows, len(patient_codes))
    counts = sum_by_row(is_known.astype(np.float64), rows, len(patient_codes))
    low, high = percentile_interval(
        lambda weights: divide(weights @ sums, weights @ counts), len(patient_codes), seed, resamples
    )
    patient_counts = (counts > 0).sum(0)
    for column in np.flatnonzero(patient_counts >= FEW_PATIENTS):
        values = np.unique(per_query[is_known[:, column], column])
        if len(values) == 1 and values[0] in {-1, 0, 1}:
            deviation = unanimous_interval(0.0, int(patient_counts[column]))[1]
            low[column], high[column] = values[0] * (1 - deviation) + deviation * np.array([least, 1])
    is_too_few = patient_counts < FEW_PATIENTS
    return np.where(is_too_few, np.nan, low), np.where(is_too_few, np.nan, high)


def estimate_standard_error(values: Floats, owners: Ints) -> float:
    """The standard error of the mean of queries' values [Q], whose patients are independent and not they; inf for one
    patient.

    owners: codes of patients [Q]; queries that are nan don't count.
    """
    is_known = ~np.isnan(values)
    rows = np.unique(owners[is_known], return_inverse=True)[1]
    count = int(rows.max(initial=-1)) + 1
    if count < 2:
        return float("inf")
    known = values[is_known]
    sums = np.bincount(rows, known - known.mean())
    return float(np.sqrt(count / (count - 1) * (sums**2).sum()) / len(known))


def permutation_test(differences: Floats, patients: Ints, seed: int) -> Floats:
    """Two-sided p [M] of paired differences [Q, M] having mean zero, by flipping signs of whole patients.

    If the systems were exchangeable, each patient's summed difference could as well have the other sign (Fisher's
    randomisation test; Good 2005, 3.2). With up to EXACT_PATIENTS patients that have a difference at all, every
    flip is counted; else PERMUTATIONS random ones and the observed one, p = (1 + as extreme) / (1 + drawn)
    (Phipson and Smyth 2010). Nan where a column has no value.
    """
    patient_codes, rows = np.unique(patients, return_inverse=True)
    sums = sum_by_row(np.nan_to_num(differences), rows, len(patient_codes))
    observed = np.abs(sums.sum(0)) - _ROUNDING * np.abs(sums).sum(0)
    is_small = (sums != 0).sum(0) <= EXACT_PATIENTS
    p = np.full(len(is_small), np.nan)
    p[~is_small] = _estimate_p(sums[:, ~is_small], observed[~is_small], seed)
    p[is_small] = [_compute_exact_p(sums[:, column], observed[column]) for column in np.flatnonzero(is_small)]
    return np.where(np.isnan(differences).all(0), np.nan, p)


def _compute_exact_p(sums: Floats, observed: float) -> float:
    """The share of all sign flips of a few patients' sums [P] that reach the observed size."""
    nonzero = sums[sums != 0]
    signs = np.where(np.arange(2 ** len(nonzero))[:, None] >> np.arange(len(nonzero)) & 1, -1.0, 1.0)
    return float((np.abs(signs @ nonzero) >= observed).mean())


def _estimate_p(sums: Floats, observed: Floats, seed: int) -> Floats:
    """The share of PERMUTATIONS random sign flips and the observed one that reach it; sums [P, M], observed [M]."""
    if not sums.size:
        return np.empty(sums.shape[1])
    rng = np.random.default_rng(seed)
    size = max(1, _BLOCK_CELLS // len(sums))
    extreme = np.ones(sums.shape[1])
    for start in range(0, PERMUTATIONS, size):
        flips = rng.integers(2, size=(min(size, PERMUTATIONS - start), len(sums)), dtype=np.int8)
        extreme += (np.abs(sums.sum(0) - 2 * (flips.astype(np.float64) @ sums)) >= observed).sum(0)
    return extreme / (1 + PERMUTATIONS)
