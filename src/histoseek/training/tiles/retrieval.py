"""How well slides are found by the means of their tiles: MAP@5 of held-out patients, before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.statistics.clustering import normalise_rows
from histoseek.statistics.paired_tests import bootstrap, permutation_test

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

DEPTH = 5
_SIGNIFICANT = 0.05


@dataclass(frozen=True, slots=True)
class Gain:
    """MAP@5 of the same queries before and after, and the difference with its 95 % interval over patients and the
    two-sided p of a paired permutation test over them; NaN where there are too few."""

    queries: int
    patients: int
    before: float
    after: float
    difference: float
    low: float
    high: float
    p: float

    @property
    def helps(self) -> bool:
        """Whether a gain is shown."""
        return self.difference > 0 and self.p < _SIGNIFICANT


def average_slides(features: NDArray[np.float32], slide_of: Ints, count: int) -> NDArray[np.float32]:
    """Means [count, D] of the features [T, D] of each slide's tiles; slide_of: places of their slides, int64 [T]."""
    sums = np.zeros((count, features.shape[1]), np.float64)
    np.add.at(sums, slide_of, features)
    return (sums / np.maximum(np.bincount(slide_of, minlength=count), 1)[:, None]).astype(np.float32)


def measure_precision(
    vectors: NDArray[np.float32],
    labels: Ints,
    patients: Ints,
    queries: Sequence[int],
    database: Sequence[int],
    sites: Ints | None = None,
) -> Floats:
    """MAP@5 [Q] of slides asking others (as `evaluation.per_query`): by the cosine of vectors [n, D] less the
    database's mean; the query's own patient is left out, and, with `sites`, its own site and slides of no known one.
    NaN for queries that no slide could answer.
    """
    places, asked = np.asarray(database, np.int64), np.asarray(queries, np.int64)
    centred = normalise_rows(vectors - vectors[places].mean(axis=0))
    similarity = centred[asked] @ centred[places].T
    allowed = patients[asked][:, None] != patients[places]
    if sites is not None:
        allowed &= (sites[asked][:, None] != sites[places]) & (sites[asked][:, None] >= 0) & (sites[places] >= 0)
    order = np.argsort(np.where(allowed, -similarity, np.inf), axis=1, kind="stable")[:, :DEPTH]
    is_right = allowed & (labels[asked][:, None] == labels[places])
    hits = np.take_along_axis(is_right, order, 1).astype(np.float64)
    relevant = is_right.sum(1)
    precision = (hits * hits.cumsum(1) / np.arange(1, hits.shape[1] + 1)).sum(1)
    return np.where(relevant > 0, precision / np.clip(relevant, 1, DEPTH), np.nan)


def compare_precisions(before: Floats, after: Floats, patients: Ints, seed: int) -> Gain:
    """What was gained from MAP@5 [Q] before to that after, of queries of these patients [Q]."""
    is_known = ~np.isnan(before) & ~np.isnan(after)
    differences, owners = (after - before)[is_known][:, None], patients[is_known]
    if not len(owners):
        return Gain(0, 0, *(float("nan"),) * 6)
    low, high = bootstrap(differences, owners, seed, least=-1)
    p = permutation_test(differences, owners, seed)
    return Gain(
        queries=len(owners),
        patients=len(np.unique(owners)),
        before=float(before[is_known].mean()),
        after=float(after[is_known].mean()),
        difference=float(differences.mean()),
        low=float(low[0]),
        high=float(high[0]),
        p=float(p[0]),
    )
