"""OME-TIFF: the pyramid in SubIFDs and the physical pixel size, which OpenSlide does not see."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import tifffile

from histoseek.errors import UnreadableSlide
from histoseek.geometry import Level, Size
from histoseek.slides.readers.base import Pixels, blank

_UM_PER_UNIT = {"µm": 1.0, "um": 1.0, "μm": 1.0, "nm": 1e-3, "mm": 1e3, "cm": 1e4}
_CACHED_SEGMENTS = 256


class OmeTiffReader:
    """A PixelReader over an 8-bit RGB OME-TIFF; only the tiles that a region touches are decoded."""

    vendor = "ome-tiff"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._segments: OrderedDict[tuple[int, int, int], Pixels] = OrderedDict()
        try:
            self._tiff = tifffile.TiffFile(path)
            self._pages = _rgb_pages(self._tiff, path)
            self.spacing_um_per_px = _physical_size_um(self._tiff.ome_metadata or "")
        except UnreadableSlide:
            raise
        except Exception as error:
            # In damaged headers tifffile meets errors of every kind.
            raise UnreadableSlide(path, _reason(error)) from error
        full = self._pages[0][0].imagewidth
        self.levels = tuple(
            Level(index, Size(planes[0].imagewidth, planes[0].imagelength), full / planes[0].imagewidth)
            for index, planes in enumerate(self._pages)
        )

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        """A region in the level's own pixels."""
        out = blank(width, height)
        for channel, page in enumerate(self._pages[level]):
            planes = slice(None) if len(self._pages[level]) == 1 else slice(channel, channel + 1)
            try:
                self._paste(out[..., planes], level, channel, page, x, y)
            except (ArithmeticError, TypeError, ValueError) as error:
                raise UnreadableSlide(self._path, _reason(error)) from error
        return out

    def close(self) -> None:
        """Close the file."""
        self._tiff.close()

    def _paste(self, out: Pixels, level: int, channel: int, page: tifffile.TiffPage, x: int, y: int) -> None:
        """Copy the page's tiles or strips that the region touches into it."""
        height, width = out.shape[:2]
        tile_w, tile_h = page.chunks[1], page.chunks[0]
        right, bottom = min(x + width, page.imagewidth), min(y + height, page.imagelength)
        for row in range(max(0, y) // tile_h, -(-bottom // tile_h)):
            for column in range(max(0, x) // tile_w, -(-right // tile_w)):
                index = row * -(-page.imagewidth // tile_w) + column
                segment = self._segment(level, channel, index, page)
                left, top = column * tile_w, row * tile_h
                x0, y0 = max(x, left), max(y, top)
                x1, y1 = min(right, left + segment.shape[1]), min(bottom, top + segment.shape[0])
                if x1 > x0 and y1 > y0:
                    out[y0 - y : y1 - y, x0 - x : x1 - x] = segment[y0 - top : y1 - top, x0 - left : x1 - left]

    def _segment(self, level: int, channel: int, index: int, page: tifffile.TiffPage) -> Pixels:
        key = (level, channel, index)
        with self._lock:
            if key in self._segments:
                self._segments.move_to_end(key)
                return self._segments[key]
        decoded = self._decode(index, page)
        with self._lock:
            self._segments[key] = decoded
            while len(self._segments) > _CACHED_SEGMENTS:
                self._segments.popitem(last=False)
        return decoded

    def _decode(self, index: int, page: tifffile.TiffPage) -> Pixels:
        try:
            offset, count = page.dataoffsets[index], page.databytecounts[index]
            handle = self._tiff.filehandle
            with self._lock:
                handle.seek(offset)
                data = handle.read(count)
            segment, _, shape = page.decode(data, index, jpegtables=page.jpegtables)
        except Exception as error:
            # The codecs raise their own kinds of errors; all of them mean a damaged tile.
            raise UnreadableSlide(self._path, f"damaged tile ({type(error).__name__})") from error
        if segment is None:
            return np.full((shape[1], shape[2], page.samplesperpixel), 255, np.uint8)
        return np.asarray(segment[0], np.uint8)


def is_ome_tiff(path: Path) -> bool:
    """Whether a TIFF carries OME-XML."""
    try:
        with tifffile.TiffFile(path) as tiff:
            return bool(tiff.is_ome)
    except Exception:
        # In damaged headers tifffile meets errors of every kind; the next reader says what is wrong.
        return False


def _reason(error: Exception) -> str:
    told = str(error).splitlines()
    return f"damaged OME-TIFF ({told[0] if told and len(told[0]) > 3 else type(error).__name__})"


def _rgb_pages(tiff: tifffile.TiffFile, path: Path) -> tuple[tuple[tifffile.TiffPage, ...], ...]:
    """Per level its pages: one of three samples, or three of one sample each."""
    series = max(tiff.series, key=lambda s: s.shape[s.axes.index("X")] * s.shape[s.axes.index("Y")])
    levels = tuple(tuple(page for page in level.pages if page is not None) for level in series.levels)
    for pages in levels:
        samples = [page.samplesperpixel for page in pages]
        if series.dtype != np.uint8:
            raise UnreadableSlide(path, f"pixels of type {series.dtype}, wanted 8-bit RGB")
        if samples not in ([3], [1, 1, 1]) or pages[0].planarconfig != tifffile.PLANARCONFIG.CONTIG:
            raise UnreadableSlide(path, f"axes {series.axes} of shape {series.shape}, wanted one RGB plane")
    return levels


def _physical_size_um(ome_xml: str) -> float | None:
    """Spacing from the first Pixels element; NaN when pixels are not square or the unit is unknown."""
    if not ome_xml:
        return None
    root = ElementTree.fromstring(ome_xml)
    pixels = next((element for element in root.iter() if element.tag.endswith("}Pixels")), None)
    if pixels is None or "PhysicalSizeX" not in pixels.attrib:
        return None
    sizes = []
    for axis in ("X", "Y"):
        value = float(pixels.get(f"PhysicalSize{axis}", pixels.attrib["PhysicalSizeX"]))
        sizes.append(value * _UM_PER_UNIT.get(pixels.get(f"PhysicalSize{axis}Unit", "µm"), float("nan")))
    return sum(sizes) / 2 if abs(sizes[0] - sizes[1]) <= 0.05 * max(sizes) else float("nan")
