"""How far probabilities can be believed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 10

_LEAST_PROBABILITY = 1e-6


@dataclass(frozen=True, slots=True)
class Reliability:
    """log_loss in nats; ece: the gap between probability and frequency in ten bins of equal width (Guo et al. 2017);
    brier: the mean square error."""

    log_loss: float
    ece: float
    brier: float


def measure_reliability(
    probabilities: NDArray[np.float64], same: NDArray[np.bool_], weights: NDArray[np.float64]
) -> Reliability:
    """Figures of probabilities [P] of what was so or not, bool [P]; weights [P]."""
    shares = weights / weights.sum()
    likely = np.clip(probabilities, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
    bins = np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], probabilities)
    gaps = np.bincount(bins, shares * (probabilities - same), BINS)
    return Reliability(
        log_loss=float(-(shares * np.log(np.where(same, likely, 1 - likely))).sum()),
        ece=float(np.abs(gaps).sum()),
        brier=float((shares * (probabilities - same) ** 2).sum()),
    )
