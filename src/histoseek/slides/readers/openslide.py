"""Pixels through OpenSlide: the reference for SVS, NDPI, MRXS, SCN, BIF, DICOM and generic TIFF."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openslide

from histoseek.errors import UnreadableSlide
from histoseek.geometry import Level, Rect, Size
from histoseek.slides.readers.base import Pixels, compose_over_white, read_clipped
from histoseek.slides.readers.spacing import average_edges, read_resolution
from histoseek.slides.readers.tiff_directories import MOST_TILE_PIXELS

PLAIN_TIFF = "generic-tiff"
"""The vendor of a tiled TIFF without a scanner's description."""

_CACHE_BYTES = 64 * 2**20


class OpenSlideReader:
    """A PixelReader over OpenSlide; raises UnreadableSlide for what OpenSlide can't open or read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._slide = openslide.OpenSlide(str(path))
            self._slide.set_cache(openslide.OpenSlideCache(_CACHE_BYTES))
        except (openslide.OpenSlideError, OSError) as error:
            raise UnreadableSlide(path, _first_line(error)) from error
        self._check_tiles()
        self.levels = tuple(
            Level(index, Size(*size), downsample)
            for index, (size, downsample) in enumerate(
                zip(self._slide.level_dimensions, self._slide.level_downsamples, strict=True)
            )
        )
        self.vendor = str(self._slide.properties.get(openslide.PROPERTY_NAME_VENDOR, "unknown"))
        self.spacing_um_per_px = self._spacing()

    def _check_tiles(self) -> None:
        """Refuse tiles of a size that no scanner writes: OpenSlide ends the whole process when it finds no memory."""
        properties = self._slide.properties
        for level in range(self._slide.level_count):
            sides = (properties.get(f"openslide.level[{level}].tile-{side}", "0") for side in ("width", "height"))
            width, height = (int(side) if side.isdecimal() else 0 for side in sides)
            if width * height > MOST_TILE_PIXELS:
                self._slide.close()
                raise UnreadableSlide(self._path, f"tiles of {width} x {height} px")

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        """A region in the level's own pixels, composed over white."""
        return read_clipped(
            self.levels[level].size, Rect(x, y, width, height), lambda inside: self._read(level, inside)
        )

    def close(self) -> None:
        """Close the file."""
        self._slide.close()

    @property
    def series_uid(self) -> str | None:
        """The DICOM series the file belongs to, if it is of one."""
        return self._slide.properties.get("dicom.SeriesInstanceUID")

    def _read(self, level: int, rect: Rect) -> Pixels:
        # OpenSlide takes level-0 places at every level, and blends when they fall between two pixels.
        downsample = self.levels[level].downsample
        corner = (round(rect.x * downsample), round(rect.y * downsample))
        try:
            rgba = np.asarray(self._slide.read_region(corner, level, (rect.width, rect.height)))
        except (openslide.OpenSlideError, OSError, ValueError) as error:
            raise UnreadableSlide(self._path, _first_line(error)) from error
        alpha = rgba[..., 3]
        if alpha.min() == 255:
            return rgba[..., :3]
        return compose_over_white(rgba[..., :3], alpha)

    def _spacing(self) -> float | None:
        edges = (openslide.PROPERTY_NAME_MPP_X, openslide.PROPERTY_NAME_MPP_Y)
        texts = [self._slide.properties.get(name) for name in edges]
        try:
            across, down = (float(text) for text in texts if text is not None)
        except ValueError:
            return None
        # Of a plain TIFF it is the resolution tag, which may be one for printers.
        return read_resolution(across, down) if self.vendor == PLAIN_TIFF else average_edges(across, down)


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def read_series_uid(path: Path) -> str | None:
    """The DICOM series a file belongs to, if it is of one; raises UnreadableSlide."""
    reader = OpenSlideReader(path)
    try:
        return reader.series_uid
    finally:
        reader.close()
