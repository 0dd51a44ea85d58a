"""Whitening by what varies within labels: directions in which slides of one diagnosis differ count for less."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from histoseek.errors import ConfigurationError
from histoseek.ranking.metric import IDENTITY, LinearMap
from histoseek.statistics.clustering import normalise_rows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_DIRECTIONS = 256
"""Of the covariance, the largest; along all others vectors are scaled alike, by what those vary on average."""

_LEAST = 1e-9


def fit_within_class(vectors: NDArray[np.floating], labels: Ints, owners: Ints, shrinkage: float) -> LinearMap:
    """The whitening of vectors [n, D] by their covariance within labels (Hatch 2006).

    labels, owners: codes, int64 [n]; an owner's slides of one label count as one. shrinkage: how far the covariance is
    drawn towards a multiple of the identity, more than 0 to 1, where nothing is whitened. Nothing is, either, where no
    label has two owners. Raises ConfigurationError for another shrinkage.
    """
    if not 0 < shrinkage <= 1:
        raise ConfigurationError("shrinkage", f"{shrinkage} is not above 0 and at most 1", "Give 0.8, for instance")
    rows = _find_residuals(normalise_rows(np.asarray(vectors, np.float32)).astype(np.float64), labels, owners)
    variances, directions = _find_principal(rows)
    total, dimension = float((rows**2).sum()), rows.shape[1]
    if shrinkage == 1 or not len(variances):
        return IDENTITY
    rest = max(total - float(variances.sum()), 0.0) / max(dimension - len(variances), 1)
    floor = shrinkage * total / dimension
    gains = np.sqrt((floor + (1 - shrinkage) * rest) / (floor + (1 - shrinkage) * variances)) - 1
    return LinearMap.scale(directions, gains)


def weigh_owners(labels: Ints, owners: Ints) -> Floats:
    """A weight for each slide, float64 [n]: 1 for each owner of a label, shared by its slides of that label."""
    _, places, counts = np.unique(np.stack([labels, owners]), axis=1, return_inverse=True, return_counts=True)
    return np.asarray(1 / counts[places.reshape(-1)], np.float64)


def count_owners(labels: Ints, owners: Ints) -> Ints:
    """How many owners each label has, int64 [L], labels being 0 to L - 1."""
    pairs = np.unique(np.stack([labels, owners]), axis=1)
    return np.bincount(pairs[0], minlength=int(labels.max(initial=-1)) + 1).astype(np.int64)


def _find_residuals(rows: Floats, labels: Ints, owners: Ints) -> Floats:
    """Rows [m, D] whose squares add up to the covariance within labels that two owners have or more."""
    weights = weigh_owners(labels, owners)
    counts = count_owners(labels, owners)
    parts = []
    for label in np.flatnonzero(counts > 1):
        own = np.flatnonzero(labels == label)
        mean = weights[own] @ rows[own] / weights[own].sum()
        parts.append((rows[own] - mean) * np.sqrt(weights[own])[:, None])
    freedom = int((counts[counts > 1] - 1).sum())
    return np.concatenate(parts) / np.sqrt(freedom) if parts else np.zeros((0, rows.shape[1]))


def _find_principal(rows: Floats) -> tuple[Floats, Floats]:
    """Variances [R] and directions [R, D] of rows [m, D], the largest first: by the smaller of two products."""
    is_wide = len(rows) < rows.shape[1]
    values, columns = np.linalg.eigh(rows @ rows.T if is_wide else rows.T @ rows)
    order = np.argsort(-values, kind="stable")[:MOST_DIRECTIONS]
    order = order[values[order] > _LEAST * max(float(values.max(initial=0)), _LEAST)]
    variances = values[order]
    if not is_wide:
        return variances, columns[:, order].T
    return variances, columns[:, order].T @ rows / np.sqrt(variances)[:, None]
