"""Plain pictures (PNG, JPEG, TIFF of one page): one level, no spacing of their own."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from histoseek.errors import UnreadableSlide
from histoseek.geometry import Level, Rect, Size
from histoseek.slides.readers.base import Pixels, blank, read_clipped

MAX_PIXELS = 13_000 * 13_000
_FORMATS = ("PNG", "JPEG", "TIFF")
_EIGHT_BIT_MODES = ("RGB", "RGBA", "L", "LA", "P", "CMYK", "1")


class PictureReader:
    """A PixelReader over a picture held in memory; printing resolutions in its tags are not trusted."""

    spacing_um_per_px: float | None = None
    vendor = "image"

    def __init__(self, path: Path) -> None:
        self._pixels = _load(path)
        height, width = self._pixels.shape[:2]
        self.levels = (Level(0, Size(width, height), 1.0),)

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        """A region in pixels."""
        return read_clipped(
            self.levels[level].size,
            Rect(x, y, width, height),
            lambda inside: self._pixels[inside.y : inside.bottom, inside.x : inside.right],
        )

    def close(self) -> None:
        """Free the memory."""
        self._pixels = blank(0, 0)


def _load(path: Path) -> Pixels:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # size is checked below, and damage ends in an error
            with Image.open(path, formats=_FORMATS) as picture:
                return _rgb(picture, path)
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        reason = "unknown format" if isinstance(error, UnidentifiedImageError) else str(error).splitlines()[0]
        raise UnreadableSlide(path, reason) from error


def _rgb(picture: Image.Image, path: Path) -> Pixels:
    if picture.width * picture.height > MAX_PIXELS:
        raise UnreadableSlide(path, f"a picture of {picture.width} x {picture.height} px without a pyramid")
    if picture.mode not in _EIGHT_BIT_MODES:
        raise UnreadableSlide(path, f"pixels of type {picture.mode}, wanted 8-bit RGB")
    if picture.mode in ("RGBA", "LA", "P"):
        rgba = picture.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        picture = Image.alpha_composite(white, rgba)
    return np.asarray(picture.convert("RGB"))
