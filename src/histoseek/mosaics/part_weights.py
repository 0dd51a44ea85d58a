"""How the local and the global part of a distance are put on one scale and weighed.

Standardised on slides of different patients by robust statistics, a weighted sum of both parts ranks as
share / s_local * local + (1 - share) / s_global * global does; medians only shift it. So that totals keep a meaning, 0
stays that of the same slide, and a typical pair of unrelated slides has 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.mosaics.distances import USUAL_SHARE, Fusion
from histoseek.statistics.paired_tests import estimate_standard_error

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]
Booleans = NDArray[np.bool_]

DEFAULT_SHARE = USUAL_SHARE
"""Of the local part, where neither labels nor the distance itself say otherwise."""

STATED = Fusion(0.5, 0.5)
"""Where nothing is known of an archive's distances: the mean of both parts as they are."""

SHARES = tuple(round(0.1 * step, 1) for step in range(11))
"""The local shares that are tried."""

DEPTH = 5
"""First results that a share is judged by."""

FOLDS = 5

_NORMAL = 1.4826
"""Times the median absolute deviation gives the standard deviation of normal values."""

_LEAST_SPREAD = 1e-6


@dataclass(frozen=True, slots=True)
class PartStatistics:
    """A part of a distance between slides of different patients: its median, and its spread, which is 1.4826 times the
    median absolute deviation from it (Rousseeuw and Croux 1993)."""

    median: float
    spread: float

    @classmethod
    def from_values(cls, values: Doubles) -> PartStatistics:
        """Of the part's values, [P], at least one."""
        median = float(np.median(values))
        return cls(median, _NORMAL * float(np.median(np.abs(values - median))))


@dataclass(frozen=True, slots=True)
class ShareChoice:
    """A local share chosen by labels, and what it is worth on patients held out.

    share: the one to use; queries, patients: those it was judged on; fitted, stated: the mean share of the first five
    results with the query's label, of shares chosen on other patients, and of the stated share; error: the standard
    error of the difference, over patients.
    """

    share: float
    queries: int
    patients: int
    fitted: float
    stated: float
    error: float


@dataclass(frozen=True, slots=True)
class ComparedParts:
    """Both parts of the distances of Q queries from C slides, float64 [Q, C], with codes of their owners and labels,
    int64 [Q] and [C]. A query may be among the slides."""

    local: Doubles
    global_: Doubles
    query_owners: Ints
    owners: Ints
    query_labels: Ints
    labels: Ints

    @property
    def eligible(self) -> Booleans:
        """Which slides a query may meet, bool [Q, C]: those of other owners."""
        return self.query_owners[:, None] != self.owners


def fuse_parts(local: PartStatistics, global_: PartStatistics, local_share: float) -> Fusion:
    """The fusion that weighs the parts, each over its spread, by `local_share` and the rest to 1.

    Totals are scaled so that typical parts give 1. The stated fusion where a part hardly varies.
    """
    if min(local.spread, global_.spread) < _LEAST_SPREAD:
        return STATED
    weights = np.array([local_share / local.spread, (1 - local_share) / global_.spread])
    typical = float(weights @ [local.median, global_.median])
    if typical < _LEAST_SPREAD:
        return STATED
    scaled = (weights / typical).tolist()
    return Fusion(scaled[0], scaled[1], local.median, global_.median)


def measure_parts(local: Doubles, global_: Doubles, eligible: Booleans) -> tuple[PartStatistics, PartStatistics]:
    """Of both parts [Q, C], over the allowed pairs, bool [Q, C], of which there must be some."""
    return PartStatistics.from_values(local[eligible]), PartStatistics.from_values(global_[eligible])


def choose_share(
    parts: ComparedParts,
    statistics: tuple[PartStatistics, PartStatistics],
    seed: int = 0,
    stated_share: float = DEFAULT_SHARE,
) -> ShareChoice | None:
    """The local share under which the first five results share the query's label most often.

    Queries without a slide of their label at another patient don't count. Patient-wise cross-validation: for each fold
    of patients the best share on the queries of the others, which never meet the fold's patients, is judged on the
    fold's queries. The best share on all is taken if this beats the stated share by more than its standard error; so
    few patients keep the stated one. None when no query can be answered.
    """
    answerable = ((parts.query_labels[:, None] == parts.labels) & parts.eligible).any(axis=1)
    if not answerable.any():
        return None
    hits = _count_hits_by_share(parts, statistics, parts.eligible)
    owners, stated = parts.query_owners, SHARES.index(stated_share)
    held_out = hits[:, stated].copy()
    for fold in _make_folds(owners[answerable], seed):
        is_held_out = np.isin(owners, fold)
        other_patients = parts.eligible & ~np.isin(parts.owners, fold)
        inner = _count_hits_by_share(parts, statistics, other_patients)[answerable & ~is_held_out]
        held_out[is_held_out] = hits[is_held_out, _find_best(inner, stated_share)]
    fitted, plain = held_out[answerable], hits[answerable, stated]
    error = estimate_standard_error(fitted - plain, owners[answerable])
    better = fitted.mean() - plain.mean() > error
    return ShareChoice(
        share=SHARES[_find_best(hits[answerable], stated_share)] if better else stated_share,
        queries=int(answerable.sum()),
        patients=len(np.unique(owners[answerable])),
        fitted=float(fitted.mean()),
        stated=float(plain.mean()),
        error=error,
    )


def _count_hits_by_share(
    parts: ComparedParts, statistics: tuple[PartStatistics, PartStatistics], eligible: Booleans
) -> Doubles:
    """For each query and share how many of the first five have the query's label, of five, float64 [Q, shares]."""
    same = (parts.query_labels[:, None] == parts.labels) & eligible
    hits = np.empty((len(same), len(SHARES)))
    for column, share in enumerate(SHARES):
        total = fuse_parts(*statistics, share).total(parts.local, parts.global_)
        total = np.where(eligible, total, np.inf)
        count = min(DEPTH, total.shape[1])
        first = np.argpartition(total, count - 1, axis=1)[:, :count]
        hits[:, column] = np.take_along_axis(same, first, axis=1).sum(axis=1) / DEPTH
    return hits


def _find_best(hits: Doubles, stated_share: float) -> int:
    """The share with the most hits, hits [Q, shares]; of equal ones that nearest to the stated."""
    means = hits.mean(axis=0) if len(hits) else np.zeros(len(SHARES))
    apart = np.abs(np.array(SHARES) - stated_share)
    return int(np.lexsort((apart, -np.round(means, 9)))[0])


def _make_folds(owners: Ints, seed: int) -> Sequence[Ints]:
    patients = np.random.default_rng(seed).permutation(np.unique(owners))
    return np.array_split(patients, min(FOLDS, len(patients)))
