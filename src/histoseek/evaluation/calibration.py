"""How far a confidence can be believed: calibration error, and the risk among the queries that it keeps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

BINS = 10


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """The error rate (risk) among the surest queries as more are kept, float64 [Q] each; coverage: the share kept.

    area: mean risk over all coverages, smaller is better; nan without queries.
    """

    coverage: Floats
    risk: Floats
    area: float


def expected_calibration_error(confidence: Floats, correct: Booleans) -> float:
    """The mean gap between confidence and accuracy in ten bins of equal width, weighted by their queries.

    confidence [Q] in 0 to 1, correct [Q]; nan without queries. Bins are open below, the first closed (Guo et al. 2017, "On calibration of
    modern neural networks"). Of equal width, since shares of a vote take few values, which bins of equal mass would cut
    through.
    """
    if not len(confidence):
        return float("nan")
    rows = np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], confidence)
    gaps = np.bincount(rows, confidence - correct.astype(np.float64), BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def risk_coverage(confidence: Floats, correct: Booleans) -> RiskCoverage:
    """The risk-coverage curve of a confidence [Q] (Geifman and El-Yaniv 2017, "Selective classification").

    Equally sure queries count as in the mean over their orders, so that their places don't matter.
    """
    count = len(confidence)
    _, group, sizes = np.unique(-confidence, return_inverse=True, return_counts=True)
    rate = np.bincount(group, ~correct, len(sizes)) / sizes
    kept = np.arange(1, count + 1)
    risk = np.repeat(rate, sizes).cumsum() / kept
    return RiskCoverage(kept / max(1, count), risk, float(risk.mean()) if count else float("nan"))
