"""Directions that tell labels apart: vectors are stretched along them, so that what a label shows counts for more."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from histoseek.errors import ConfigurationError
from histoseek.ranking.metric import IDENTITY, LinearMap
from histoseek.ranking.within_class import count_owners, weigh_owners
from histoseek.statistics.clustering import normalise_rows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

GAIN = 1.5
"""How far labels count beside all else: a certain difference of labels is 1.5^2 times a squared distance of 2, that of
unrelated vectors (measured: docs/decisions/0070-metric-from-labels.md)."""

_LEAST = 1e-9


def fit_label_directions(
    vectors: NDArray[np.floating], labels: Ints, owners: Ints, strength: float, gain: float = GAIN
) -> LinearMap:
    """The stretching of vectors [n, D] along what labels are predicted from.

    Ridge regression (Hoerl and Kennard 1970) predicts the labels, 0 or 1 each, as B x; the map is the square root of
    I + gain^2 B^T B, so that the squared distance of two mapped vectors is their own and gain^2 times that of their
    predictions. labels, owners: codes, int64 [n]; labels count the same, and so do owners within a label. strength: of
    the ridge, above 0, as a multiple of the vectors' variance by the number of owners: the larger, the nearer the
    directions are to the differences of the labels' means, and the better they carry over to other institutions.
    Nothing is stretched where there is one label. Raises ConfigurationError for another strength or gain.
    """
    for name, value in (("strength", strength), ("gain", gain)):
        if not (np.isfinite(value) and value >= 0) or (name == "strength" and value == 0):
            raise ConfigurationError(f"{name} of label directions", f"{value} is out of range", "Give 1, for instance")
    rows = normalise_rows(np.asarray(vectors, np.float32)).astype(np.float64)
    values, codes = np.unique(labels, return_inverse=True)
    if len(values) < 2 or gain == 0:
        return IDENTITY
    weights = weigh_owners(codes, owners) / count_owners(codes, owners)[codes] / len(values)
    slopes = _solve_ridge(rows, np.eye(len(values))[codes], weights, strength / len(np.unique(owners)))
    _, sizes, directions = np.linalg.svd(slopes.T, full_matrices=False)
    kept = sizes > _LEAST * max(float(sizes.max(initial=0)), _LEAST)
    if not kept.any():
        return IDENTITY
    return LinearMap.scale(directions[kept], np.sqrt(1 + (gain * sizes[kept]) ** 2) - 1)


def _solve_ridge(rows: Floats, targets: Floats, weights: Floats, strength: float) -> Floats:
    """Slopes [D, L] of weighted ridge regression with a free intercept, by the smaller of two systems of equations.

    weights: [n], of sum 1; strength: as a multiple of the rows' variance.
    """
    roots = np.sqrt(weights)[:, None]
    centred = (rows - weights @ rows) * roots
    aims = (targets - weights @ targets) * roots
    ridge = max(strength * float((centred**2).sum()), _LEAST)
    if len(rows) < rows.shape[1]:
        return np.asarray(centred.T @ np.linalg.solve(centred @ centred.T + ridge * np.eye(len(rows)), aims))
    return np.asarray(np.linalg.solve(centred.T @ centred + ridge * np.eye(rows.shape[1]), centred.T @ aims))
