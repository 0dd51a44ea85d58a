"""Intervals where a bootstrap can give none: when all patients agree."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

FEW_PATIENTS = 5
"""With fewer, resampling patients says nothing about others, and there is no interval."""

TOO_FEW_PATIENTS = "too few patients"
"""What stands in an interval's place there."""


def unanimous_interval(value: float, patients: int) -> tuple[float, float]:
    """The exact 95 % interval of a share that was 0 or 1 in all of n patients (Clopper and Pearson 1934).

    Any resample of equal values is equal again, so the bootstrap's interval would have no width.
    """
    edge = 0.025 ** (1 / patients)
    return (edge, 1.0) if value >= 1 else (0.0, 1 - edge)


Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

RESAMPLES = 2000

_BLOCK_CELLS = 2_000_000


def percentile_interval(
    statistic: Callable[[Floats], Floats], patients: int, seed: int, resamples: int = RESAMPLES
) -> tuple[Floats, Floats]:
    """The 2.5 and 97.5 percentiles of a statistic over resampled patients (Field and Welsh 2007, cluster bootstrap).

    statistic: from weights [r, P], how often each of P patients was drawn, to values [r, M], nan where a draw gives
    none; such draws are left out. Returns low and high, [M].
    """
    values = np.concatenate([statistic(weights) for weights in _draw_weights(patients, seed, resamples)])
    bounds = np.full((2, values.shape[1]), np.nan)
    for column, resampled in enumerate(values.T):
        finite = resampled[~np.isnan(resampled)]
        if len(finite):
            bounds[:, column] = np.percentile(finite, (2.5, 97.5))
    return bounds[0], bounds[1]


def sum_by_row(values: Floats, rows: Ints, count: int) -> Floats:
    """Sums of values [Q, M] over the queries of each row (patient), [count, M]."""
    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, rows, values)
    return sums


def divide(above: Floats, below: Floats) -> Floats:
    """The quotient, nan where nothing is below."""
    return np.divide(above, below, out=np.full(np.broadcast(above, below).shape, np.nan), where=below > 0)


def _draw_weights(patients: int, seed: int, resamples: int) -> Iterator[Floats]:
    """Weights of resamples in blocks [r, P] that bound memory; independent of the size of the blocks."""
    rng = np.random.default_rng(seed)
    size = max(1, _BLOCK_CELLS // max(1, patients))
    for start in range(0, resamples, size):
        rows = min(size, resamples - start)
        drawn = rng.integers(patients, size=(rows, patients)) + patients * np.arange(rows)[:, None]
        yield np.bincount(drawn.ravel(), minlength=rows * patients).reshape(rows, patients).astype(np.float64)


_NORMAL_95 = 1.959964


def wilson_interval(share: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a mean of values between 0 and 1 (Wilson 1927), as wide as if each were 0 or 1.

    That is the largest variance they can have, so the interval is no narrower than it should be; it has a width where
    all values agree, which a bootstrap's has not.
    """
    extra = _NORMAL_95**2 / count
    middle = (share + extra / 2) / (1 + extra)
    half = _NORMAL_95 / (1 + extra) * math.sqrt(share * (1 - share) / count + extra / (4 * count))
    return max(0.0, middle - half), min(1.0, middle + half)
