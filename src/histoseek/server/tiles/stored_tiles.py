"""The tiles of a TIFF pyramid as they lie in the file: handed on as they are, or decoded one by one.

Several times as fast as reading regions when what is wanted is cut where the file is cut.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray

from histoseek.errors import UnreadableSlide
from histoseek.geometry import Level, Rect, Size
from histoseek.server.tiles import jpeg
from histoseek.slides.readers.base import Pixels, blank
from histoseek.slides.readers.vips import matching_pages
from histoseek.slides.slide import Slide

_PLAIN_TIFF_VENDORS = ("aperio", "generic-tiff")
"""Formats whose levels are pages of tiles side by side, without shifts and overlaps."""

_TRANSFORMS: dict[int, jpeg.ColourTransform] = {tifffile.PHOTOMETRIC.RGB: 0, tifffile.PHOTOMETRIC.YCBCR: 1}
_JPEG = tifffile.COMPRESSION.JPEG
_JPEG_2000 = tifffile.COMPRESSION.APERIO_JP2000_RGB
_DAMAGE = (ValueError, RuntimeError, OSError)
"""What reading and the decoders raise."""

_CODESTREAM_START = b"\xff\x4f\xff\x51"
"""Start of a codestream, and of the segment with its size, which comes first (ITU-T T.800, A.5.1)."""

_THREE_OF_8_BITS = b"\x00\x03" + 3 * b"\x07\x01\x01"


@dataclass(frozen=True, slots=True)
class _Page:
    """One level: where its tiles lie, row by row, and how they are coded (`transform` is None for JPEG 2000)."""

    tile: Size
    columns: int
    offsets: NDArray[np.int64]
    lengths: NDArray[np.int64]
    tables: bytes
    transform: jpeg.ColourTransform | None


class StoredTiles:
    """The coded tiles of an open slide. Safe to use from several threads; holds the file open until closed."""

    def __init__(self, slide: Slide, path: Path, pages: tuple[_Page, ...]) -> None:
        self._slide = slide
        self._pages = pages
        self._file = os.open(path, os.O_RDONLY)

    @classmethod
    def open(cls, slide: Slide) -> Self | None:
        """The stored tiles of a slide whose pixels they are proved to be, in places of every level; None otherwise."""
        path = slide.source.local_path()
        if path is None or slide.vendor not in _PLAIN_TIFF_VENDORS:
            return None
        pages = _read_pages(path, slide.levels)
        if pages is None:
            return None
        tiles = cls(slide, path, pages)
        if all(tiles._is_proven(level) for level in slide.levels):
            return tiles
        tiles.close()
        return None

    def get_tile_size(self, level: int) -> Size:
        """Width and height of the tiles of a level of the slide, in px."""
        return self._pages[level].tile

    def read_jpeg(self, level: int, column: int, row: int) -> bytes | None:
        """A tile's JPEG file as it was stored; None when it is coded in another way.

        Tiles at the right and lower edge reach beyond the slide.
        """
        page = self._pages[level]
        if page.transform is None:
            return None
        with suppress(*_DAMAGE):
            return jpeg.complete(self._read_bytes(page, column, row), page.tables, page.transform, page.tile)
        return None

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        """A region inside of a level, in its own pixels: as the slide's reader gives it.

        Places whose tiles are missing or can't be decoded are left to that reader.
        """
        page, region = self._pages[level], Rect(x, y, width, height)
        out = blank(width, height)
        for column, row in _list_tiles(page.tile, region):
            tile = Rect(column * page.tile.width, row * page.tile.height, page.tile.width, page.tile.height)
            x0, y0, x1, y1 = _intersect(tile, region)
            try:
                pixels = self._decode(page, column, row)[y0 - tile.y : y1 - tile.y, x0 - tile.x : x1 - tile.x]
            except _DAMAGE:
                pixels = self._slide.read_level(level, x0, y0, x1 - x0, y1 - y0)
            if pixels.shape == out.shape:
                return pixels
            out[y0 - y : y1 - y, x0 - x : x1 - x] = pixels
        return out

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _read_bytes(self, page: _Page, column: int, row: int) -> bytes:
        index = row * page.columns + column
        return os.pread(self._file, int(page.lengths[index]), int(page.offsets[index]))

    def _decode(self, page: _Page, column: int, row: int) -> Pixels:
        data = self._read_bytes(page, column, row)
        if page.transform is not None:
            return jpeg.decode(jpeg.complete(data, page.tables, page.transform, page.tile))
        return decode_jpeg2000(data, page.tile)

    def _is_proven(self, level: Level) -> bool:
        """Whether the first tile and one in the middle show what the slide's reader shows."""
        page = self._pages[level.index]
        rows = len(page.offsets) // page.columns
        try:
            return all(self._equals(level, page, *place) for place in {(0, 0), (page.columns // 2, rows // 2)})
        except (*_DAMAGE, UnreadableSlide):
            return False

    def _equals(self, level: Level, page: _Page, column: int, row: int) -> bool:
        x, y = column * page.tile.width, row * page.tile.height
        if any(abs(at * level.downsample - round(at * level.downsample)) > 1e-6 for at in (x, y)):
            # OpenSlide takes level-0 places, and blends pixels when these fall between two of the level.
            return True
        width, height = min(page.tile.width, level.size.width - x), min(page.tile.height, level.size.height - y)
        expected = self._slide.read_level(level.index, x, y, width, height)
        return np.array_equal(self._decode(page, column, row)[:height, :width], expected)


def _read_pages(path: Path, levels: tuple[Level, ...]) -> tuple[_Page, ...] | None:
    """The pages of the levels; None when one of them is not of tiles that we decode."""
    numbers = matching_pages(path, levels)
    if numbers is None:
        return None
    try:
        with tifffile.TiffFile(path) as tiff:
            pages = tuple(_parse_page(tiff.pages[number], path.stat().st_size) for number in numbers)
    except Exception:
        # A damaged header shows in many kinds of errors; the slide's own reader is then asked for everything.
        return None
    return tuple(page for page in pages if page is not None) if None not in pages else None


def _parse_page(page: tifffile.TiffPage, file_bytes: int) -> _Page | None:
    transform = _TRANSFORMS.get(page.photometric) if page.compression == _JPEG else None
    if transform is None and page.compression != _JPEG_2000:
        return None
    columns, rows = -(-page.imagewidth // page.tilewidth), -(-page.imagelength // page.tilelength)
    offsets, lengths = np.asarray(page.dataoffsets, np.int64), np.asarray(page.databytecounts, np.int64)
    if not len(offsets) == len(lengths) == columns * rows or max(offsets.max(), lengths.max()) > file_bytes:
        return None
    return _Page(Size(page.tilewidth, page.tilelength), columns, offsets, lengths, page.jpegtables or b"", transform)


def _list_tiles(tile: Size, rect: Rect) -> Iterator[tuple[int, int]]:
    for row in range(rect.y // tile.height, -(-rect.bottom // tile.height)):
        for column in range(rect.x // tile.width, -(-rect.right // tile.width)):
            yield column, row


def _intersect(first: Rect, second: Rect) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what two rectangles share."""
    right, bottom = min(first.right, second.right), min(first.bottom, second.bottom)
    return max(first.x, second.x), max(first.y, second.y), right, bottom


def decode_jpeg2000(data: bytes, size: Size) -> Pixels:
    """The RGB pixels of a codestream of this size, uint8 [height, width, 3].

    Raises ValueError for another size or type, before anything is decoded, or RuntimeError for damage.
    """
    extent = b"".join(number.to_bytes(4) for number in (size.width, size.height, 0, 0))
    if data[:4] != _CODESTREAM_START or data[8:24] != extent or data[40:51] != _THREE_OF_8_BITS:
        raise ValueError("a JPEG 2000 of another size or type than the rest")
    return np.asarray(imagecodecs.jpeg2k_decode(data))
