"""How far a confidence can be believed: calibration error, and the risk among the queries that it keeps."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

BINS = 10


def calibration_error(confidence: Floats, correct: Booleans) -> float:
    """The expected calibration error: the mean gap between confidence and accuracy in ten bins of equal width.

    confidence [Q] in 0 to 1, correct [Q]; bins count by their queries; nan without queries. Bins are open below, the
    first is closed (Guo et al. 2017, "On calibration of modern neural networks"). Of equal width, because shares of a
    vote take few values, and bins of equal mass would cut through them.
    """
    if not len(confidence):
        return math.nan
    rows = np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], confidence)
    gaps = np.bincount(rows, confidence - correct, BINS)
    return float(np.abs(gaps).sum() / len(confidence))


def risk_coverage(confidence: Floats, correct: Booleans) -> tuple[Floats, Floats, float]:
    """The error rate among the surest queries as more are kept (Geifman and El-Yaniv 2017, "Selective classification").

    confidence [Q], correct [Q]. Returns coverage [Q], the share of queries kept; risk [Q], the share of errors among
    these; and the area under the curve, the mean risk over all coverages (smaller is better), nan without queries.
    Equally sure queries count as in the mean over their orders, so that their places don't matter.
    """
    count = len(confidence)
    _, group, sizes = np.unique(-confidence, return_inverse=True, return_counts=True)
    rate = np.bincount(group, ~correct, len(sizes)) / sizes
    counts = np.arange(1, count + 1)
    risk = np.repeat(rate, sizes).cumsum() / counts
    return counts / max(1, count), risk, float(risk.mean()) if count else math.nan
