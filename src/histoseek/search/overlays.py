"""Attention maps drawn over thumbnails."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from histoseek.search.attention import AttentionMap
from histoseek.slides.source import Pixels

_OPACITY = 0.75
_FAINTNESS = 0.5
"""How far the slide below a map is moved towards white, so that the map's colours stand out."""

_LEAST_TILE_PX = 4


@dataclass(frozen=True, slots=True)
class ColourScale:
    """Colours of values from 0 to 1, evenly apart, with straight lines between them."""

    colours: tuple[str, ...]

    def at(self, values: NDArray[np.float64]) -> Pixels:
        """Colours of values [T], uint8 [T, 3] in red, green, blue."""
        known = np.array([rgb(colour) for colour in self.colours], np.float64)
        places = np.linspace(0, 1, len(known))
        mixed = np.stack([np.interp(values, places, channel) for channel in known.T], axis=1)
        return np.asarray(mixed.round(), np.uint8)

    @property
    def css(self) -> str:
        """The same colours as a background of CSS."""
        return f"linear-gradient(to right, {', '.join(self.colours)})"


ATTENTION_SCALE = ColourScale(("#00224e", "#35456c", "#666970", "#948e77", "#c8b866", "#fee838"))
"""From little to much: cividis (Nunez, Anderton and Renslow 2018), which looks alike with any colour vision."""

CONTRIBUTION_SCALE = ColourScale(("#2166ac", "#92c5de", "#f7f7f7", "#fdb863", "#b35806"))
"""From what sets two slides apart to what they share: blue to orange, told apart with any colour vision."""


@dataclass(frozen=True, slots=True)
class Overlay:
    """A map over a thumbnail, uint8 [h, w, 3], with the values at both ends of its colour scale."""

    picture: Pixels
    low: float
    high: float
    scale: ColourScale


def attention_overlay(thumbnail: Pixels, px_per_level0: float, attention: AttentionMap) -> Overlay | None:
    """Weights from 0 to the largest; None without tiles. px_per_level0: thumbnail pixels in one of level 0."""
    if not len(attention):
        return None
    high = float(attention.weights.max())
    placed = attention.weights / high if high > 0 else np.zeros(len(attention))
    picture = _drawn(thumbnail, px_per_level0, attention, placed, ATTENTION_SCALE)
    return Overlay(picture, 0.0, high, ATTENTION_SCALE)


def contribution_overlay(thumbnail: Pixels, px_per_level0: float, attention: AttentionMap) -> Overlay | None:
    """Weights of either sign, 0 in the middle of the scale; None without tiles or where all are 0."""
    most = float(np.abs(attention.weights).max(initial=0))
    if most == 0:
        return None
    placed = 0.5 + 0.5 * attention.weights / most
    picture = _drawn(thumbnail, px_per_level0, attention, placed, CONTRIBUTION_SCALE)
    return Overlay(picture, -most, most, CONTRIBUTION_SCALE)


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue of a colour as "#rrggbb"."""
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue


def _drawn(
    thumbnail: Pixels, px_per_level0: float, attention: AttentionMap, placed: NDArray[np.float64], scale: ColourScale
) -> Pixels:
    """Tiles in the colours of values 0 to 1 over the slide in grey; of those that overlap the heaviest is on top."""
    grey = cv2.cvtColor(np.ascontiguousarray(thumbnail), cv2.COLOR_RGB2GRAY).astype(np.float64)
    ground = np.repeat((grey + _FAINTNESS * (255 - grey))[..., None], 3, axis=2)
    picture, colours = ground.copy(), scale.at(placed)
    corners = np.floor(attention.coords * px_per_level0).astype(int)
    edge = max(_LEAST_TILE_PX, round(attention.edge_level0 * px_per_level0))
    for tile in np.argsort(np.abs(attention.weights), kind="stable"):
        (x, y), colour = corners[tile], colours[tile]
        part = slice(max(0, y), y + edge), slice(max(0, x), x + edge)
        picture[part] = (1 - _OPACITY) * ground[part] + _OPACITY * colour
    return np.asarray(picture.round(), np.uint8)
