"""Slides whose file says that they are shown turned or mirrored (the Orientation tag of TIFF and Exif)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from histoseek.geometry import Size
from histoseek.slides.readers.base import PixelReader, Pixels

_MIRRORED = (2, 3, 6, 7)
_UPSIDE_DOWN = (3, 4, 7, 8)
_TRANSPOSED = (5, 6, 7, 8)


class OrientedReader:
    """A PixelReader that shows another one's slide as its Orientation (2 to 8) wants it; closes it with itself."""

    def __init__(self, reader: PixelReader, orientation: int) -> None:
        self._reader = reader
        self._mirrored = orientation in _MIRRORED
        self._upside_down = orientation in _UPSIDE_DOWN
        self._transposed = orientation in _TRANSPOSED
        self.spacing_um_per_px = reader.spacing_um_per_px
        self.vendor = f"{reader.vendor} (turned)"  # tiles as they are stored are not those that are shown
        self.levels = tuple(
            replace(level, size=Size(level.size.height, level.size.width)) if self._transposed else level
            for level in reader.levels
        )

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        """A region as it is shown."""
        size = self.levels[level].size
        left = size.width - x - width if self._mirrored else x
        top = size.height - y - height if self._upside_down else y
        if self._transposed:
            pixels = self._reader.read(level, top, left, height, width).transpose(1, 0, 2)
        else:
            pixels = self._reader.read(level, left, top, width, height)
        rows, columns = -1 if self._upside_down else 1, -1 if self._mirrored else 1
        return np.ascontiguousarray(pixels[::rows, ::columns])

    def close(self) -> None:
        """Close the reader behind it."""
        self._reader.close()


def orient(reader: PixelReader, orientation: int) -> PixelReader:
    """The reader itself where nothing is to be turned (orientation 1)."""
    return OrientedReader(reader, orientation) if orientation != 1 else reader
