"""Intervals where a bootstrap can give none: when all patients agree."""

from __future__ import annotations

FEW_PATIENTS = 5
"""With fewer, resampling patients says nothing about others, and there is no interval."""


def unanimous_interval(value: float, patients: int) -> tuple[float, float]:
    """The exact 95 % interval of a share that was 0 or 1 in all of n patients (Clopper and Pearson 1934).

    Any resample of equal values is equal again, so the bootstrap's interval would have no width.
    """
    edge = 0.025 ** (1 / patients)
    return (edge, 1.0) if value >= 1 else (0.0, 1 - edge)
