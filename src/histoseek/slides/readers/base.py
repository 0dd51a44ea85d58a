"""What every reader of pixels offers, and which files readers are for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from histoseek.geometry import Level, Rect, Size

SCANNER_SUFFIXES = (".svs", ".svslide", ".ndpi", ".vms", ".vmu", ".mrxs", ".scn", ".bif", ".dcm")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")
SUFFIXES = frozenset((*SCANNER_SUFFIXES, ".tif", ".tiff", ".btf", *PICTURE_SUFFIXES))
"""Endings of files that are slides. They are here, as whoever looks for slides need not load what reads them."""

FOLDER_SUFFIXES = frozenset((".zarr",))
"""Endings of folders that are slides."""

Pixels = NDArray[np.uint8]
"""RGB pixels, [height, width, 3]."""


class PixelReader(Protocol):
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


def read_clipped(size: Size, region: Rect, fetch: Callable[[Rect], Pixels]) -> Pixels:
    """The asked rectangle of a level of this size, in its own pixels: `fetch` reads what lies inside, the rest is
    white."""
    left, top = max(0, region.x), max(0, region.y)
    right, bottom = min(size.width, region.right), min(size.height, region.bottom)
    if right <= left or bottom <= top:
        return blank(region.width, region.height)
    inside = Rect(left, top, right - left, bottom - top)
    if inside == region:
        return fetch(region)
    out = blank(region.width, region.height)
    out[top - region.y : bottom - region.y, left - region.x : right - region.x] = fetch(inside)
    return out


def compose_over_white(colours: Pixels, alpha: Pixels) -> Pixels:
    """Pixels [h, w, 3] as they look on white, with their opacity, uint8 [h, w] or [h, w, 1], 255 for all of it."""
    opaque = alpha.reshape(*colours.shape[:2], 1).astype(np.uint16)
    return ((colours * opaque + 255 * (255 - opaque) + 127) // 255).astype(np.uint8)


def blank(width: int, height: int) -> Pixels:
    """A white region."""
    return np.full((height, width, 3), 255, np.uint8)
