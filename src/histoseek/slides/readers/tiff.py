"""Pixels of pages of a TIFF that were chosen as the picture: only the tiles or strips that a region touches are
decoded."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from histoseek.errors import SlideError, SlideTooLarge, UnreadableSlide
from histoseek.geometry import Level, Size
from histoseek.slides.readers.base import Pixels, blank, compose_over_white
from histoseek.slides.readers.coded_size import read_coded_size

# Its warnings are about odd tags; what matters of them is found by what is read.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

_CACHE_BYTES = 128 * 2**20
_RAW_SEGMENT_PIXELS = 2**18
_SMALL_SEGMENT_PIXELS = 2**20
_MOST_SEGMENT_PIXELS = 13_000 * 13_000
_ASSOCIATED_ALPHA, _UNASSOCIATED_ALPHA = 1, 2
_DECODED_TO_RGB = (6, 7, 34892, 33007, 50001)
"""Compressions (JPEG and WebP) whose decoders give RGB also where YCbCr is stored."""

_APERIO_YCBCR = 33003
_RGB, _YCBCR, _MINISBLACK = 2, 6, 1
_CONTIGUOUS = 1

PlanePages = tuple[tifffile.TiffPage, ...]
"""Of one level: a page of three samples, or one page each for red, green and blue."""


@dataclass(frozen=True, slots=True)
class _Plane:
    """A part of a level's channels, in segments (tiles or strips) of a page; first: the one at the upper left.

    is_raw: the page's pixels lie in one block as they are, and its segments are ours.
    """

    page: tifffile.TiffPage
    segment: Size
    first: int
    channels: slice
    is_raw: bool

    @property
    def columns(self) -> int:
        return -(-self.page.imagewidth // self.segment.width)


class TiffReader:
    """A PixelReader over pages of 8-bit RGB, or of red, green and blue; closes the TIFF with itself."""

    def __init__(
        self,
        path: Path,
        tiff: tifffile.TiffFile,
        levels: tuple[PlanePages, ...],
        spacing_um_per_px: float | None,
        vendor: str,
    ) -> None:
        self._path = path
        self._tiff = tiff
        self._lock = threading.Lock()
        self._segments: OrderedDict[tuple[int, int, int], Pixels] = OrderedDict()
        self._cached_bytes = 0
        self.spacing_um_per_px = spacing_um_per_px
        self.vendor = vendor
        self._planes = tuple(tuple(_list_planes(pages, path)) for pages in levels)
        full = levels[0][0].imagewidth
        self.levels = tuple(
            Level(index, Size(pages[0].imagewidth, pages[0].imagelength), full / pages[0].imagewidth)
            for index, pages in enumerate(levels)
        )

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        """A region in the level's own pixels."""
        out = blank(width, height)
        for index, plane in enumerate(self._planes[level]):
            try:
                self._paste(out[..., plane.channels], (level, index), plane, x, y)
            except (ArithmeticError, TypeError, ValueError) as error:
                raise UnreadableSlide(self._path, describe_damage(error)) from error
        return out

    def close(self) -> None:
        """Close the file."""
        self._tiff.close()

    def _paste(self, out: Pixels, place: tuple[int, int], plane: _Plane, x: int, y: int) -> None:
        """Copy what the region touches into it."""
        height, width = out.shape[:2]
        edge = plane.segment
        right, bottom = min(x + width, plane.page.imagewidth), min(y + height, plane.page.imagelength)
        for row in range(max(0, y) // edge.height, -(-bottom // edge.height)):
            for column in range(max(0, x) // edge.width, -(-right // edge.width)):
                segment = self._segment(place, plane, row * plane.columns + column)
                left, top = column * edge.width, row * edge.height
                x0, y0 = max(x, left), max(y, top)
                x1, y1 = min(right, left + segment.shape[1]), min(bottom, top + segment.shape[0])
                if x1 > x0 and y1 > y0:
                    out[y0 - y : y1 - y, x0 - x : x1 - x] = segment[y0 - top : y1 - top, x0 - left : x1 - left]

    def _segment(self, place: tuple[int, int], plane: _Plane, index: int) -> Pixels:
        key = (*place, index)
        with self._lock:
            if key in self._segments:
                self._segments.move_to_end(key)
                return self._segments[key]
        decoded = self._decode(plane, plane.first + index)
        with self._lock:
            if key not in self._segments:
                self._segments[key] = decoded
                self._cached_bytes += decoded.nbytes
            while self._cached_bytes > _CACHE_BYTES and len(self._segments) > 1:
                self._cached_bytes -= self._segments.popitem(last=False)[1].nbytes
        return decoded

    def _decode(self, plane: _Plane, index: int) -> Pixels:
        page = plane.page
        try:
            if plane.is_raw:
                return _without_alpha(self._read_rows(plane, index), page)
            data = self._read_bytes(page.dataoffsets[index], page.databytecounts[index])
            self._check_coded_size(plane, data)
            segment, _, shape = page.decode(data, index, jpegtables=page.jpegtables)
        except (MemoryError, SlideError):
            raise
        except Exception as error:
            # The codecs raise their own kinds of errors; all of them mean a damaged tile.
            raise UnreadableSlide(self._path, f"damaged tile ({type(error).__name__})") from error
        if segment is None:
            return np.full((shape[1], shape[2], plane.channels.stop - plane.channels.start), 255, np.uint8)
        return _without_alpha(np.asarray(segment[0], np.uint8), page)

    def _check_coded_size(self, plane: _Plane, data: bytes | None) -> None:
        """Refuse a coded tile or strip that says it is larger than its place: decoders allocate by what it says."""
        size = read_coded_size(data) if data else None
        edge = plane.segment
        if size and size.width * size.height > max(_SMALL_SEGMENT_PIXELS, 2 * edge.width * edge.height):
            declared = f"a coded tile of {size.width:,} x {size.height:,} px"
            raise SlideTooLarge(self._path, declared, f"{edge.width:,} x {edge.height:,} px")

    def _read_rows(self, plane: _Plane, index: int) -> Pixels:
        """A segment of a page whose rows of pixels follow each other."""
        page, (sample, row) = plane.page, divmod(index, -(-plane.page.imagelength // plane.segment.height))
        samples = page.samplesperpixel if page.planarconfig == _CONTIGUOUS else 1
        top = row * plane.segment.height
        rows = min(plane.segment.height, page.imagelength - top)
        length = page.imagewidth * samples
        data = self._read_bytes(page.dataoffsets[0] + (sample * page.imagelength + top) * length, rows * length)
        return np.frombuffer(data or b"", np.uint8).reshape(rows, page.imagewidth, samples)

    def _read_bytes(self, offset: int, count: int) -> bytes | None:
        if not count:
            return None
        handle = self._tiff.filehandle
        if offset + count > handle.size:
            raise UnreadableSlide(self._path, "damaged tile (it lies beyond the file's end)")
        with self._lock:
            handle.seek(offset)
            return bytes(handle.read(count))


def find_fault(page: tifffile.TiffPage) -> str:
    """Why a page cannot be read as a part of an 8-bit picture; empty when it can."""
    if page.dtype != np.uint8 or page.bitspersample != 8 or page.imagedepth > 1:
        depth = f" in {page.imagedepth} planes of depth" if page.imagedepth > 1 else ""
        bits = "" if page.bitspersample in (8, 16, 32, 64) else f" of {page.bitspersample} bits"
        return f"pixels of type {page.dtype}{bits}{depth}"
    colours = page.photometric
    if (colours == _YCBCR and page.compression not in _DECODED_TO_RGB) or page.compression == _APERIO_YCBCR:
        return "YCbCr pixels in a compression whose colours are not converted"
    if colours not in (_RGB, _YCBCR, _MINISBLACK):
        return f"pixels of kind {getattr(colours, 'name', colours)}"
    return ""


def find_lower_levels(planes: PlanePages, others: Iterable[tifffile.TiffPage] = ()) -> list[PlanePages]:
    """The levels in the SubIFDs of the planes, and those of other pages that are marked as reduced; a page that is no
    smaller picture of the same shape and kind (a label, a macro) is none."""
    full = Size(planes[0].imagewidth, planes[0].imagelength)
    below = [list(page.pages) if page.subifds else [] for page in planes]
    marked = [(page,) for page in others if page.is_reduced and page is not planes[0]]
    levels: dict[int, PlanePages] = {}
    for pages in (*zip(*below, strict=False), *(marked if len(planes) == 1 else ())):
        sizes = {Size(page.imagewidth, page.imagelength) for page in pages}
        if len(sizes) == 1 and is_level(sizes.pop(), full) and all(map(_is_alike, pages, planes)):
            levels.setdefault(pages[0].imagewidth, pages)
    return [levels[across] for across in sorted(levels, reverse=True)]


def is_level(size: Size, full: Size) -> bool:
    """Whether a picture of this size can be a level of a pyramid: smaller, and of the same shape."""
    height = size.width * full.height / full.width
    return size.width < full.width and abs(height - size.height) <= max(2.0, size.height / 100)


def _is_alike(page: tifffile.TiffPage, full: tifffile.TiffPage) -> bool:
    """Whether a page holds samples of the same kinds."""
    kinds = (page.samplesperpixel, has_rgb(page)) == (full.samplesperpixel, has_rgb(full))
    return kinds and not find_fault(page)


def read_orientation(page: tifffile.TiffPage) -> int:
    """How a page is shown, 1 to 8; 1 is as it is stored, and what counts for numbers that mean nothing."""
    number = int(page.tags.valueof("Orientation", 1))
    return number if 1 <= number <= 8 else 1


def has_rgb(page: tifffile.TiffPage) -> bool:
    """Whether a page says that its three samples, with one for transparency at most, are red, green and blue."""
    return page.photometric in (_RGB, _YCBCR) and has_three_samples(page)


def has_three_samples(page: tifffile.TiffPage) -> bool:
    """Whether each pixel has three samples, with one for transparency at most; grey pages call theirs extra ones."""
    if page.photometric == _MINISBLACK:
        return page.samplesperpixel == 3
    return page.samplesperpixel - len(page.extrasamples) == 3 and len(page.extrasamples) <= 1


def describe_damage(error: Exception) -> str:
    """What a library said of a damaged TIFF, in one line."""
    lines = str(error).splitlines()
    return f"damaged TIFF ({lines[0] if lines and len(lines[0]) > 3 else type(error).__name__})"


def _list_planes(pages: PlanePages, path: Path) -> list[_Plane]:
    if len(pages) == 3:
        return [_make_plane(page, path, 0, slice(index, index + 1)) for index, page in enumerate(pages)]
    page = pages[0]
    if page.planarconfig == _CONTIGUOUS:
        return [_make_plane(page, path, 0, slice(0, 3))]
    return [_make_plane(page, path, sample, slice(sample, sample + 1)) for sample in range(3)]


def _make_plane(page: tifffile.TiffPage, path: Path, sample: int, channels: slice) -> _Plane:
    """A plane of a page that holds all samples together, or one after the other."""
    is_raw = not page.is_tiled and page.is_contiguous and sum(page.databytecounts) == page.nbytes
    segment = Size(page.imagewidth, min(page.rowsperstrip or page.imagelength, page.imagelength))
    if page.is_tiled:
        segment = Size(page.tilewidth, page.tilelength)
    elif is_raw:
        segment = Size(page.imagewidth, min(page.imagelength, max(1, _RAW_SEGMENT_PIXELS // page.imagewidth)))
    if segment.width * segment.height > _MOST_SEGMENT_PIXELS:
        raise UnreadableSlide(path, f"tiles or strips of {segment.width} x {segment.height} px")
    count = -(-page.imagewidth // segment.width) * -(-page.imagelength // segment.height)
    return _Plane(page, segment, sample * count, channels, is_raw)


def _without_alpha(pixels: NDArray[np.uint8], page: tifffile.TiffPage) -> Pixels:
    """The pixels over white; a sample that is not said to be transparency is left out."""
    if pixels.shape[2] != 4:
        return pixels
    colours, alpha, kind = pixels[..., :3], pixels[..., 3:], page.extrasamples[0]
    if kind == _ASSOCIATED_ALPHA:
        return np.minimum(colours + (255 - alpha.astype(np.uint16)), 255).astype(np.uint8)
    if kind == _UNASSOCIATED_ALPHA:
        return compose_over_white(colours, alpha)
    return np.ascontiguousarray(colours)
