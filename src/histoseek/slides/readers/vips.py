"""A faster way into tiled TIFF pyramids, taken only after it has proved equal to OpenSlide on the very file."""

from __future__ import annotations

import threading
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from histoseek.errors import UnreadableSlide
from histoseek.geometry import Level, Rect
from histoseek.slides.readers.base import Pixels, read_clipped
from histoseek.slides.readers.openslide import OpenSlideReader

_PROBE_PX = 64
_CACHED_OPERATIONS = 32
_TIFF_VENDORS = ("aperio", "generic-tiff", "philips", "ventana", "leica")


class VipsReader:
    """A PixelReader over libvips: same levels and pixels as OpenSlide, several times its speed."""

    def __init__(self, path: Path, reference: OpenSlideReader, pages: tuple[int, ...]) -> None:
        vips = load_vips()
        self._path = path
        # libvips remembers pictures by file name, also when the file has changed since.
        self._images = tuple(vips.Image.tiffload(str(path), page=page, revalidate=True) for page in pages)
        self._regions = threading.local()
        self.levels: tuple[Level, ...] = reference.levels
        self.spacing_um_per_px = reference.spacing_um_per_px
        self.vendor = reference.vendor

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        """A region in the level's own pixels."""
        return read_clipped(
            self.levels[level].size, Rect(x, y, width, height), lambda inside: self._fetch(level, inside)
        )

    def close(self) -> None:
        """Let go of the file; regions of other threads go with their threads."""
        self._images = ()
        self._regions = threading.local()

    def _fetch(self, level: int, rect: Rect) -> Pixels:
        vips = load_vips()
        try:
            data = self._region(level).fetch(rect.x, rect.y, rect.width, rect.height)
        except vips.Error as error:
            raise UnreadableSlide(self._path, str(error).splitlines()[0]) from error
        return np.frombuffer(data, np.uint8).reshape(rect.height, rect.width, 3)

    def _region(self, level: int) -> Any:
        held: dict[Any, Any] = self._regions.__dict__
        if level not in held:
            held[level] = load_vips().Region.new(self._images[level])
        return held[level]


def find_fast_reader(path: Path, reference: OpenSlideReader) -> VipsReader | None:
    """A VipsReader for the file if all its levels are tiled 8-bit RGB pages with the pixels OpenSlide shows.

    Equality is probed at fixed places of every level; None means: stay with OpenSlide.
    """
    if reference.vendor not in _TIFF_VENDORS:
        return None
    vips = load_vips()
    try:
        pages = matching_pages(path, reference.levels)
        candidate = VipsReader(path, reference, pages) if pages and _have_all_tiles(path, pages) else None
        return candidate if candidate and _equal_pixels(candidate, reference) else None
    except (vips.Error, UnreadableSlide, ValueError):
        return None


def matching_pages(path: Path, levels: tuple[Level, ...]) -> tuple[int, ...] | None:
    """For each level the one tiled TIFF page of its size with 8-bit pixels of three samples; None when one is
    missing or not unique."""
    import tifffile

    try:
        with tifffile.TiffFile(path) as tiff:
            sizes = [
                (page.imagewidth, page.imagelength)
                if page.is_tiled and page.dtype == np.uint8 and page.samplesperpixel == 3
                else None
                for page in tiff.pages
            ]
    except Exception:
        # Tags of a wrong type or count show in many kinds of errors; OpenSlide then has the word.
        return None
    found = []
    for level in levels:
        size = (level.size.width, level.size.height)
        if sizes.count(size) != 1:
            return None
        found.append(sizes.index(size))
    return tuple(found)


def _have_all_tiles(path: Path, pages: tuple[int, ...]) -> bool:
    """Whether no tile is left out: libvips shows such tiles black, and the probes may miss them."""
    import tifffile

    try:
        with tifffile.TiffFile(path) as tiff:
            return all(all(tiff.pages[page].databytecounts) for page in pages)
    except Exception:
        # As in the search for pages: OpenSlide has the word.
        return False


def _equal_pixels(candidate: VipsReader, reference: OpenSlideReader) -> bool:
    for level in reference.levels:
        for share in (0.12, 0.5, 0.87):
            x = int(share * max(0, level.size.width - _PROBE_PX))
            y = int((1 - share) * max(0, level.size.height - _PROBE_PX))
            place = (level.index, x, y, _PROBE_PX, _PROBE_PX)
            if not np.array_equal(candidate.read(*place), reference.read(*place)):
                return False
    return True


@lru_cache(maxsize=1)
def load_vips() -> Any:
    """The binding, told to leave threads and caching to us."""
    import os

    os.environ.setdefault("VIPS_CONCURRENCY", "1")
    import pyvips

    pyvips.cache_set_max(_CACHED_OPERATIONS)
    return pyvips
