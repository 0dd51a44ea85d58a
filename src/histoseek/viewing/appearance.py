"""How pixels are shown: brightness, contrast, gamma, and haematoxylin or eosin alone.

The page does the same with a filter in the browser (`viewer/appearance.ts`), so that it follows a slider at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""RGB pixels, [height, width, 3]."""

StainName = Literal["haematoxylin", "eosin"]

HAEMATOXYLIN_VECTOR = (0.650, 0.704, 0.286)
EOSIN_VECTOR = (0.072, 0.990, 0.105)
"""Optical densities in red, green and blue (Ruifrok and Johnston, 2001)."""

_STAINS: tuple[StainName, ...] = ("haematoxylin", "eosin")
_GLASS = 255.0


@dataclass(frozen=True, slots=True)
class Appearance:
    """brightness: added, -1 to 1; contrast: times the distance from middle grey; gamma: above 1 lightens dark tissue;
    stain: the only one shown, in its own colour."""

    brightness: float = 0.0
    contrast: float = 1.0
    gamma: float = 1.0
    stain: StainName | None = None

    def apply(self, pixels: Pixels) -> Pixels:
        """The pixels as they are to be shown: one stain of them first, then gamma, contrast and brightness."""
        shown = separate_stain(pixels, self.stain) if self.stain else pixels
        if (self.brightness, self.contrast, self.gamma) == (0.0, 1.0, 1.0):
            return shown
        return self._make_table()[shown]

    def _make_table(self) -> Pixels:
        """What becomes of each of the 256 values."""
        lightened = (np.arange(256) / 255) ** (1 / self.gamma)
        values = (lightened - 0.5) * self.contrast + 0.5 + self.brightness
        return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)


def separate_stain(pixels: Pixels, stain: StainName) -> Pixels:
    """Pixels [h, w, 3] with one of the two stains alone, in its own colour on white.

    Colour deconvolution (Ruifrok and Johnston, 2001): what is neither haematoxylin nor eosin goes to a third direction
    at right angles to both, and is left out.
    """
    vectors = _make_vectors()
    place = _STAINS.index(stain)
    amounts = _DENSITIES[pixels] @ np.linalg.inv(vectors)[:, place].astype(np.float32)
    densities = np.maximum(amounts, 0)[..., None] * vectors[place].astype(np.float32)
    return np.rint(_GLASS * np.exp(-densities)).astype(np.uint8)


def _make_vectors() -> NDArray[np.float64]:
    """Unit vectors of haematoxylin, eosin and the rest, [3, 3]."""
    haematoxylin, eosin = np.array(HAEMATOXYLIN_VECTOR), np.array(EOSIN_VECTOR)
    vectors = np.stack([haematoxylin, eosin, np.cross(haematoxylin, eosin)])
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


_DENSITIES = -np.log(np.maximum(np.arange(256), 1) / _GLASS).astype(np.float32)
"""Optical density of each value."""
