"""Intervals of means over queries, and paired tests between two systems; patients are the units of both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.errors import ConfigurationError
from histoseek.evaluation.per_query import SAME_AS_TOP_1
from histoseek.evaluation.scores import Scores
from histoseek.statistics.paired_tests import bootstrap, permutation_test

__all__ = ("SystemComparison", "bootstrap", "compare", "holm", "permutation_test")

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SystemComparison:
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


def compare(first: Scores, second: Scores, patients: Ints, seed: int) -> tuple[SystemComparison, ...]:
    """Compare two systems query by query; patients: codes of all slides of the cohort [n].

    Metrics that are top-1 by another name are left out, so that they don't count in the correction. Raises
    ConfigurationError when the systems were asked different queries.
    """
    left, right, queries = _pair_queries(first, second)
    columns = [i for i, name in enumerate(first.names) if name not in SAME_AS_TOP_1]
    differences = (left - right)[:, columns]
    low, high = bootstrap(differences, patients[queries], seed, least=-1)
    p = permutation_test(differences, patients[queries], seed)
    rows = zip(columns, differences.T, low, high, p, holm(p), strict=True)
    return tuple(
        SystemComparison(first.names[column], _average(values), float(a), float(b), float(p_value), float(p_holm))
        for column, values, a, b, p_value, p_holm in rows
    )


def holm(p: Floats) -> Floats:
    """p-values corrected for their number (Holm 1979), nan where they are nan."""
    adjusted = np.full(len(p), np.nan)
    order = [i for i in np.argsort(p, kind="stable") if not np.isnan(p[i])]
    steps = p[order] * (len(order) - np.arange(len(order)))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted


def _pair_queries(first: Scores, second: Scores) -> tuple[Floats, Floats, Ints]:
    """Values of both, [Q, M] each, in the order of the queries' places."""
    if first.names != second.names or not np.array_equal(np.sort(first.queries), np.sort(second.queries)):
        what = "the two do not have the same queries"
        raise ConfigurationError("comparison", what, "Evaluate both on the same slides with the same protocol")
    first_order, second_order = (np.argsort(scores.queries, kind="stable") for scores in (first, second))
    return first.per_query[first_order], second.per_query[second_order], first.queries[first_order]


def _average(values: Floats) -> float:
    finite = values[~np.isnan(values)]
    return float(finite.mean()) if len(finite) else float("nan")
