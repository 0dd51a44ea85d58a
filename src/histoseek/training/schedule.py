"""The learning rate of every step."""

from __future__ import annotations

import math


def learning_rate(step: int, steps: int, warmup: float, base: float) -> float:
    """The rate of step 0 <= step < steps: up in a line over the share `warmup` of them, then down by a cosine."""
    rising = round(warmup * steps)
    if step < rising:
        return base * (step + 1) / rising
    return base * (1 + math.cos(math.pi * (step - rising) / (steps - rising))) / 2
