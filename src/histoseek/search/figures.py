"""Figures of results as people read them: one form for scores, one for probabilities."""

from __future__ import annotations

import math

_SURE = 0.005
"""Beyond two decimals no probability is known: neither 0.00 nor 1.00 is ever said."""


def format_figure(value: float | None, digits: int = 3, signed: bool = False) -> str:
    """A score, distance or similarity; nothing for what is not known, and 0 has no sign."""
    if value is None or not math.isfinite(value):
        return ""
    rounded = round(value, digits) + 0.0
    return f"{rounded:+.{digits}f}" if signed and rounded else f"{rounded:.{digits}f}"


def format_probability(value: float | None) -> str:
    """A probability, or beyond what it is certain to lie; nothing for what is not known."""
    if value is None or not math.isfinite(value):
        return ""
    if value < _SURE:
        return "< 0.01"
    return "> 0.99" if value > 1 - _SURE else f"{value:.2f}"
