"""Plain pictures (PNG, JPEG, a page of a TIFF): one level, turned as they say they are shown."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from histoseek.errors import SlideError, UnreadableSlide
from histoseek.geometry import Level, Rect, Size
from histoseek.slides.readers.base import Pixels, blank, read_clipped
from histoseek.slides.readers.spacing import UM_PER_INCH, read_resolution
from histoseek.slides.readers.tiff_pages import SlidePage

MAX_PIXELS = 13_000 * 13_000
_MOST_PICTURES = 16
_MOST_SCANS = 200
"""Of a JPEG; progressive ones have about ten, previews in it some more."""

_START_OF_SCAN = b"\xff\xda"
_FORMATS = ("PNG", "JPEG", "TIFF")
_EIGHT_BIT_MODES = ("RGB", "RGBA", "L", "LA", "P", "CMYK", "YCbCr", "1")


class PictureReader:
    """A PixelReader over a picture held in memory; page: that of a TIFF which is the slide."""

    vendor = "image"

    def __init__(self, path: Path, page: SlidePage | None = None) -> None:
        self._pixels, spacing = _load(path, page.index if page else 0)
        self.spacing_um_per_px: float | None = page.spacing_um_per_px if page else spacing
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


def _load(path: Path, page: int) -> tuple[Pixels, float | None]:
    """The pixels, and the spacing where the resolution is none for printers or screens."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # size is checked below, and damage ends in an error
            # Not by its path: Pillow maps such files into memory, and turned ones in a wrong shape.
            with path.open("rb") as file, Image.open(file, formats=_FORMATS) as picture:
                _require_size(picture, path)
                if picture.format == "TIFF":
                    picture.seek(page)
                elif picture.format == "PNG" and _read_bits(path) > 8:
                    raise UnreadableSlide(path, f"pixels of {_read_bits(path)} bits, wanted 8-bit RGB")
                else:
                    _require_few_scans(picture, path)
                    _require_single(picture, path)
                across, down = (UM_PER_INCH / max(1e-9, float(dots)) for dots in picture.info.get("dpi", (1, 1)))
                return _rgb(picture, path), read_resolution(across, down)
    except (MemoryError, SlideError):
        raise
    except Exception as error:
        # In damaged files Pillow meets errors of every kind.
        reason = "unknown format" if isinstance(error, UnidentifiedImageError) else str(error) or type(error).__name__
        raise UnreadableSlide(path, reason.splitlines()[0]) from error


def _read_bits(path: Path) -> int:
    """The bits of a sample of a PNG, which its header names."""
    with path.open("rb") as file:
        return file.read(25)[24]


def _require_single(picture: Image.Image, path: Path) -> None:
    """Refuse an animation, and pictures of like size in one file; smaller ones beside the first are previews, and
    grey ones beside a photograph maps of its depth or light."""
    pictures = getattr(picture, "n_frames", 1)
    if pictures > _MOST_PICTURES:
        raise UnreadableSlide(path, f"{pictures} pictures in one file, wanted one")
    size, colours = picture.size, picture.mode
    alike = 1
    for index in range(1, pictures):
        picture.seek(index)
        _require_size(picture, path)
        of_kind = picture.format == "PNG" or picture.mode == colours or picture.mode != "L"
        alike += of_kind and 2 * picture.width * picture.height >= size[0] * size[1]
    picture.seek(0)
    if alike > 1:
        raise UnreadableSlide(path, f"{alike} pictures of {size[0]} x {size[1]} px in one file, wanted one")


def _require_size(picture: Image.Image, path: Path) -> None:
    """Before anything of it is decoded, also of pictures beside it."""
    if picture.width * picture.height > MAX_PIXELS:
        raise UnreadableSlide(path, f"a picture of {picture.width} x {picture.height} px without a pyramid")


def _require_few_scans(picture: Image.Image, path: Path) -> None:
    """Refuse a JPEG that goes over all its pixels again and again: each of a few bytes costs a second."""
    scans = path.read_bytes().count(_START_OF_SCAN) if picture.format in ("JPEG", "MPO") else 0
    if scans > _MOST_SCANS:
        raise UnreadableSlide(path, f"a JPEG of {scans} scans")


def _rgb(picture: Image.Image, path: Path) -> Pixels:
    _require_size(picture, path)
    if picture.mode not in _EIGHT_BIT_MODES:
        raise UnreadableSlide(path, f"pixels of type {picture.mode}, wanted 8-bit RGB")
    picture = ImageOps.exif_transpose(picture)
    if picture.has_transparency_data or picture.mode == "P":
        rgba = picture.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        picture = Image.alpha_composite(white, rgba)
    return np.asarray(picture.convert("RGB"))
