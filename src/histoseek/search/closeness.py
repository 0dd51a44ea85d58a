"""How near a result is, in a word, where there is no probability: measured against what chance gives."""

from __future__ import annotations

from typing import Literal

Closeness = Literal["near", "somewhat near", "far"]

NEAR, SOMEWHAT_NEAR = 0.5, 0.25
"""Of two slides, parts of the way from a typical pair of unrelated slides (0) to the same slide (1)."""


def name_closeness_of_slides(score: float) -> Closeness:
    """Of a score between slides that is 0 for a typical pair of unrelated ones (`search.explanation`)."""
    return "near" if score >= NEAR else "somewhat near" if score >= SOMEWHAT_NEAR else "far"


def name_closeness_to_words(score: float, least: float) -> Closeness:
    """Of a likeness to words, 0 to 1; least: from which on a result fits them, what almost no random sentence reaches.

    Near is what lies nearer to a perfect fit than to chance.
    """
    if score < least:
        return "far"
    return "near" if score >= (1 + least) / 2 else "somewhat near"
