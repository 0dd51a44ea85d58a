"""Centring by groups such as sites: each group's vectors are moved to where those of all lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.ranking.metric import NO_GROUP
from histoseek.ranking.within_class import weigh_owners

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

PRIOR_OWNERS = 2.0
"""An offset is drawn to 0 as if so many patients more had shown none: of n patients, n / (n + 2) of it is left."""

BELONGING = 0.95
"""A slide is near enough to a group where this share of the group's own are."""

_LEAST = 1e-9


def fit_group_offsets(
    vectors: NDArray[np.floating], groups: Ints, owners: Ints, count: int, labels: Ints | None = None
) -> Floats:
    """What vectors [n, D] of each group have beyond those of all, float32 [count, D], drawn to 0 for small groups.

    groups: int64 [n], 0 to count - 1 or NO_GROUP for slides that are left out; owners, labels: codes, int64 [n]; an
    owner's slides of one group and label count as one. The offsets are those of a ridge regression on groups with a
    free mean: one for each label, where labels are given, so that groups with another mix of labels are not drawn
    together (as covariates in ComBat, Johnson 2007). Where each label has one group, the offsets are 0.
    """
    known = np.flatnonzero(groups != NO_GROUP)
    if not len(known):
        return np.zeros((count, np.shape(vectors)[1]), np.float32)
    rows = np.asarray(vectors, np.float64)[known]
    kinds = np.zeros(len(known), np.int64) if labels is None else np.unique(labels[known], return_inverse=True)[1]
    weights = weigh_owners(kinds * count + groups[known], owners[known])
    means = np.eye(int(kinds.max()) + 1)[kinds]
    design = np.concatenate([means, np.eye(count)[groups[known]]], axis=1)
    moment = design.T @ (weights[:, None] * design)
    free = means.shape[1]
    penalties = np.r_[np.full(free, _LEAST), np.full(count, PRIOR_OWNERS)]
    solved = np.linalg.solve(moment + np.diag(penalties), design.T @ (weights[:, None] * rows))
    return solved[free:].astype(np.float32)


@dataclass(frozen=True, slots=True)
class GroupReach:
    """Where groups lie: centres float32 [G, D], the means of their vectors; radii float32 [G], how far from its centre
    a vector may lie that belongs to a group, 0 for one of a single owner."""

    centres: Floats
    radii: Floats


def measure_reach(vectors: NDArray[np.floating], groups: Ints, owners: Ints, count: int) -> GroupReach:
    """Where each group's vectors [n, D] lie; groups, owners, count as in `fit_group_offsets`.

    A radius is the distance within which BELONGING of the group's slides lie of its mean, that of their own owner's
    slides left out.
    """
    rows = np.asarray(vectors, np.float64)
    centres, radii = np.zeros((count, rows.shape[1])), np.zeros(count)
    for group in range(count):
        own = np.flatnonzero(groups == group)
        if not len(own):
            continue
        _, codes, sizes = np.unique(owners[own], return_inverse=True, return_counts=True)
        centres[group] = rows[own].mean(0)
        if len(sizes) > 1:
            sums = np.zeros((len(sizes), rows.shape[1]))
            np.add.at(sums, codes, rows[own])
            others = (rows[own].sum(0) - sums) / (len(own) - sizes)[:, None]
            radii[group] = np.quantile(np.linalg.norm(rows[own] - others[codes], axis=1), BELONGING)
    return GroupReach(centres.astype(np.float32), radii.astype(np.float32))
