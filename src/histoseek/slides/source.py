"""What every reader of pixels offers."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from histoseek.geometry import Level

Pixels = NDArray[np.uint8]
"""RGB pixels, [height, width, 3]."""


class PixelSource(Protocol):
    """Reads pixels of one slide. Safe to use from several threads; knows nothing of label or macro images."""

    @property
    def levels(self) -> tuple[Level, ...]:
        """The pyramid, finest first."""

    @property
    def spacing_um_per_px(self) -> float | None:
        """Spacing of level 0 as the file states it, unchecked; None when it says nothing."""

    @property
    def vendor(self) -> str:
        """The format's name."""

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        """A region in this level's own pixels; white outside of the slide and where it is transparent."""

    def close(self) -> None:
        """Let go of the file."""


def blank(width: int, height: int) -> Pixels:
    """A white region."""
    return np.full((height, width, 3), 255, np.uint8)
