"""Novelty: when a distance is larger than the archive's own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

UNLIKELY = 0.05
"""A query whose novelty is below is said to be unlike anything in the archive."""


def measure_novelty(nearest: float, known: Sequence[float]) -> float:
    """The conformal p-value of a query's nearest distance: small when the archive's own slides are nearer to it.

    known: nearest distances of the archive's slides to other patients' slides, increasing. The share of these that
    are at least as large, the query counted in (Vovk, Gammerman and Shafer 2005).
    """
    at_least = len(known) - int(np.searchsorted(known, nearest, side="left"))
    return (1 + at_least) / (1 + len(known))


def is_novel(p_value: float | None) -> bool:
    """Whether a novelty, where it is known, says that the query is unlike anything in the archive."""
    return p_value is not None and p_value < UNLIKELY
