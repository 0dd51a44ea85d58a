"""A slide as a Deep Zoom image: every level as tiles, whatever the slide's own pyramid looks like."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext

from histoseek.geometry import Level, Rect, Size
from histoseek.server.tiles import jpeg
from histoseek.server.tiles.geometry import ImageInfo, TileGrid
from histoseek.server.tiles.shrinking import block_means, shrink_to, shrunk
from histoseek.server.tiles.stored import StoredTiles
from histoseek.slides.readers.base import Pixels
from histoseek.slides.readers.picture import PictureReader
from histoseek.slides.slide import Slide

_TILE_PX = 512
_STORED_TILE_PX = range(128, 1025)
_OVERLAP_PX = 0
_OVERVIEW_PX = 2048


class DeepZoom:
    """The tiles of one slide, which it owns: closing this closes the slide. Safe to use from several threads.

    Tiles do not overlap and, where that can be, are cut as the slide's own are: each of these is then decoded once,
    or handed on as it is stored. Otherwise they are of 512 px. `tile_px` overrides it. Levels up to `overview_px` that
    are made from the slide's coarsest level are held in memory once asked for.
    """

    def __init__(self, slide: Slide, tile_px: int | None = None, overview_px: int = _OVERVIEW_PX) -> None:
        self._slide = slide
        self._stored = StoredTiles.of(slide)
        self.grid = TileGrid(slide.size, tile_px or _tile_px(self._stored))
        levels = range(self.grid.max_level + 1)
        self._shrinks = tuple(shrink_to(slide.levels, self.grid.downsample(level)) for level in levels)
        self._read = self._stored.read if self._stored else slide.read_level
        self.overview_level = max(level for level in levels if self._is_held(level, overview_px))
        """Tiles of this level and those below, and small thumbnails, are made from one picture that is then held."""
        self._overview: Pixels | None = None
        self._overview_lock = threading.Lock()

    @property
    def info(self) -> ImageInfo:
        """What a client needs to ask for tiles."""
        size, spacing = self._slide.size, self._slide.spacing_um_per_px
        return ImageInfo(size.width, size.height, spacing, self.grid.tile_px, _OVERLAP_PX, self.grid.max_level)

    @property
    def held_bytes(self) -> int:
        """Memory that the open slide holds: its overview and, when it is a picture without a pyramid, all of it."""
        size, overview = self._slide.size, self._overview
        picture = 3 * size.width * size.height if self._slide.vendor == PictureReader.vendor else 0
        return picture + (overview.nbytes if overview is not None else 0)

    def dzi(self) -> str:
        """The description file of the Deep Zoom format, XML."""
        return self.info.dzi()

    def tile(self, level: int, column: int, row: int) -> Pixels:
        """A tile, uint8 [height, width, 3], smaller at the right and lower edges.

        Raises NoSuchTile, or UnreadableSlide when the file is damaged there.
        """
        rect = self.grid.tile_rect(level, column, row)
        if level > self.overview_level:
            return shrunk(self._read, self._shrinks[level], rect)
        block = 1 << (self.overview_level - level)
        part = self._held()[rect.y * block : rect.bottom * block, rect.x * block : rect.right * block]
        return block_means(part, block)

    def prepare(self, slot: AbstractContextManager[object]) -> None:
        """Make what is held, unless it is there: it takes as long as reading the slide's coarsest level.

        Only who makes it holds `slot` meanwhile, not those who wait for it.
        """
        self._held(slot)

    def stored_jpeg(self, level: int, column: int, row: int) -> bytes | None:
        """The tile's JPEG file as the slide stores it; None when it has to be made. Raises NoSuchTile."""
        rect, shrink = self.grid.tile_rect(level, column, row), self._shrinks[level]
        if self._stored is None or not shrink.is_copy:
            return None
        whole = Size(rect.width, rect.height) == self._stored.tile_size(shrink.source.index)
        inside = rect.right <= shrink.source.size.width and rect.bottom <= shrink.source.size.height
        return self._stored.jpeg(shrink.source.index, column, row) if whole and inside else None

    def jpeg(self, level: int, column: int, row: int) -> bytes:
        """A tile as a JPEG file. Raises NoSuchTile, or UnreadableSlide when the file is damaged there."""
        return self.stored_jpeg(level, column, row) or jpeg.encode(self.tile(level, column, row))

    def thumbnail(self, longer_edge_px: int) -> Pixels:
        """The whole slide, uint8 [height, width, 3], its longer edge as given, or the slide's own when that is less.

        Raises UnreadableSlide when the file is damaged.
        """
        size = self._slide.size
        downsample = max(1.0, size.longer_edge / longer_edge_px)
        width, height = (max(1, round(edge / downsample)) for edge in (size.width, size.height))
        rect, held_downsample = Rect(0, 0, width, height), self.grid.downsample(self.overview_level)
        if downsample < held_downsample:
            return shrunk(self._read, shrink_to(self._slide.levels, downsample), rect)
        held = self._held()
        level = Level(0, Size(held.shape[1], held.shape[0]), 1.0)
        shrink = shrink_to((level,), downsample / held_downsample)
        return shrunk(lambda _, x, y, width, height: held[y : y + height, x : x + width], shrink, rect)

    def close(self) -> None:
        """Close the slide."""
        if self._stored is not None:
            self._stored.close()
        self._slide.close()

    def _is_held(self, level: int, overview_px: int) -> bool:
        """Whether a level is small and, as all below it, made from the coarsest level of the slide."""
        small = self.grid.level_size(level).longer_edge <= overview_px
        return level == 0 or (small and self._shrinks[level].source == self._slide.levels[-1])

    def _held(self, slot: AbstractContextManager[object] | None = None) -> Pixels:
        with self._overview_lock:
            if self._overview is None:
                size, shrink = self.grid.level_size(self.overview_level), self._shrinks[self.overview_level]
                with slot or nullcontext():
                    self._overview = shrunk(self._read, shrink, Rect(0, 0, size.width, size.height))
            return self._overview


def _tile_px(stored: StoredTiles | None) -> int:
    tile = stored.tile_size(0) if stored else Size(_TILE_PX, _TILE_PX)
    return tile.width if tile.width == tile.height and tile.width in _STORED_TILE_PX else _TILE_PX
