"""Erasure of a column such as the site: after it no linear classifier tells its values apart better than chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from histoseek.ranking.metric import IDENTITY, LinearMap
from histoseek.ranking.within_class import count_owners, weigh_owners
from histoseek.statistics.clustering import normalise_rows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST_OWNERS = 5
"""Values of fewer patients count as one value together: what so few have in common may be their own."""

_SHRINKAGE = 0.9
"""Of the vectors' covariance towards the identity: there are mostly fewer slides than dimensions, and a covariance that
is taken at its word lets the map fit each slide (measured: docs/decisions/0070-metric-from-labels.md)."""

_LEAST = 1e-6


def fit_erasure(vectors: NDArray[np.floating], values: Ints, owners: Ints, labels: Ints | None = None) -> LinearMap:
    """The map that frees vectors [n, D] of what a column tells, and changes them least otherwise (LEACE, Belrose 2023).

    values, owners, labels: codes, int64 [n]; an owner's slides of one value and label count as one. With Sxz the
    covariance of vectors and values, and S that of the vectors, the map is x - Sxz (Sxz^T S^-1 Sxz)^+ Sxz^T S^-1 x:
    afterwards vectors and values have no covariance, which is when no linear classifier beats a constant one. labels:
    covariances are then those within labels, so that what a label tells of the column stays: None to erase that, too.
    Nothing is erased where fewer than two values are left, or where each label has one.
    """
    if not len(values):
        return IDENTITY
    kinds = np.zeros(len(values), np.int64) if labels is None else np.unique(labels, return_inverse=True)[1]
    codes = _pool_rare(values, owners)
    rows = normalise_rows(np.asarray(vectors, np.float32)).astype(np.float64)
    weights = weigh_owners(kinds * (int(codes.max(initial=0)) + 1) + codes, owners)
    rows, targets = (_centre_within(part, kinds, weights) for part in (rows, np.eye(int(codes.max()) + 1)[codes]))
    shared = rows.T @ targets / weights.sum()
    directions, sizes, _ = np.linalg.svd(shared, full_matrices=False)
    told = directions[:, sizes > _LEAST]
    if not told.shape[1]:
        return IDENTITY
    solved = _solve_covariance(rows / np.sqrt(weights.sum()), told)
    inward = -np.linalg.solve(told.T @ solved, solved.T)
    return LinearMap(inward=inward.astype(np.float32), outward=np.ascontiguousarray(told.T, np.float32))


def find_column_fault(
    values: Sequence[str | None], owners: Sequence[object], labels: Sequence[str | None] | None = None
) -> str | None:
    """Why vectors cannot be freed of a column, None where they can; None among the values stands for none.

    labels: that should stay, where they have to: then some label must have two values.
    """
    people: dict[str, set[object]] = {}
    for value, owner in zip(values, owners, strict=True):
        if value:
            people.setdefault(value, set()).add(owner)
    if not people:
        return "no slide has a value"
    if len(people) == 1:
        return "all slides have the same value"
    common = {value for value, their in people.items() if len(their) >= LEAST_OWNERS}
    rare = set().union(*(their for value, their in people.items() if value not in common))
    if len(common) + (len(rare) >= LEAST_OWNERS) < 2:
        return f"{len(common) or 'none'} of {len(people)} values {'is' if common else 'are'} of {LEAST_OWNERS} patients"
    if labels is None:
        return None
    found: dict[str, set[str]] = {}
    for value, label in zip(values, labels, strict=True):
        if value and label:
            found.setdefault(label, set()).add(value)
    if all(len(several) == 1 for several in found.values()):
        return "each label has one value, so that what is of the one and what of the other cannot be told apart"
    return None


def _pool_rare(values: Ints, owners: Ints) -> Ints:
    """Codes 0 to G - 1 of values, those of too few owners in one."""
    codes = np.unique(values, return_inverse=True)[1].reshape(-1)
    is_rare = (count_owners(codes, owners) < LEAST_OWNERS)[codes]
    return np.unique(np.where(is_rare, -1, codes), return_inverse=True)[1].reshape(-1).astype(np.int64)


def _centre_within(rows: Floats, kinds: Ints, weights: Floats) -> Floats:
    """Rows [n, D] less the weighted mean of their kind, times the roots of their weights."""
    members = np.eye(int(kinds.max(initial=0)) + 1)[kinds] * weights[:, None]
    means = (members.T @ rows) / members.sum(0)[:, None]
    return np.asarray((rows - means[kinds]) * np.sqrt(weights)[:, None])


def _solve_covariance(rows: Floats, columns: Floats) -> Floats:
    """The inverse of the shrunk covariance rows^T rows [D, D], times columns [D, R]; by n equations where n < D."""
    dimension = rows.shape[1]
    floor = _SHRINKAGE * float((rows**2).sum()) / dimension
    scaled = np.sqrt(1 - _SHRINKAGE) * rows
    if len(rows) >= dimension:
        return np.asarray(np.linalg.solve(scaled.T @ scaled + floor * np.eye(dimension), columns))
    inner = np.linalg.solve(scaled @ scaled.T + floor * np.eye(len(rows)), scaled @ columns)
    return np.asarray((columns - scaled.T @ inner) / floor)
