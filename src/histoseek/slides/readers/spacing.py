"""Spacing, from what a file says of its pixels' edges: one rule for all readers."""

from __future__ import annotations

_COARSEST_SCAN_UM_PER_PX = 10.0
"""A resolution tag that says more is one of printing (2540 dots an inch and fewer)."""

UM_PER_INCH = 25_400.0
UM_PER_CM = 10_000.0


def average_edges(across: float, down: float) -> float:
    """The spacing of a pixel with these edges in µm; NaN when it is not square: that is none we can work with."""
    return (across + down) / 2 if abs(across - down) <= 0.05 * max(across, down) else float("nan")


def read_resolution(across: float, down: float) -> float | None:
    """The spacing that a resolution tag gives, as edges in µm; None for resolutions meant for printers or screens.

    Pictures carry 72, 96, 300 dpi whatever they show. A microscope's camera is far finer than any printer.
    """
    if not min(across, down) > 0 or max(across, down) > _COARSEST_SCAN_UM_PER_PX:
        return None
    return average_edges(across, down)
