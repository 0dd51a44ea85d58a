"""A slide as a Deep Zoom image: every level as tiles, whatever the slide's own pyramid looks like."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext

import numpy as np

from histoseek.errors import InputError
from histoseek.geometry import Level, Rect, Size
from histoseek.server.tiles import jpeg
from histoseek.server.tiles.downsampling import average_blocks, choose_shrink, shrink_region
from histoseek.server.tiles.region import MOST_PIXELS_DRAWN, MOST_PIXELS_READ, RegionPicture
from histoseek.server.tiles.stored_tiles import StoredTiles
from histoseek.server.tiles.tile_grid import ImageInfo, TileGrid
from histoseek.slides.readers.base import Pixels
from histoseek.slides.readers.picture import PictureReader
from histoseek.slides.slide import Slide
from histoseek.viewing.appearance import StainName, separate_stain
from histoseek.viewing.figure import FigureSpec, draw_figure

_TILE_PX = 512
_STORED_TILE_PX = range(128, 1025)
_OVERLAP_PX = 0
_OVERVIEW_PX = 2048
_GLASS = 255


class DeepZoom:
    """The tiles of one slide, which it owns: closing this closes the slide. Safe to use from several threads.

    Tiles do not overlap and, where that can be, are cut as the slide's own are: each of these is then decoded once,
    or handed on as it is stored. Otherwise they are of 512 px. `tile_px` overrides it. Levels up to `overview_px` that
    are made from the slide's coarsest level are held in memory once asked for.
    """

    def __init__(self, slide: Slide, tile_px: int | None = None, overview_px: int = _OVERVIEW_PX) -> None:
        self._slide = slide
        self._stored_tiles = StoredTiles.open(slide)
        self.grid = TileGrid(slide.size, tile_px or _choose_tile_px(self._stored_tiles))
        levels = range(self.grid.max_level + 1)
        self._shrinks = tuple(choose_shrink(slide.levels, self.grid.get_downsample(level)) for level in levels)
        self._read = self._stored_tiles.read if self._stored_tiles else slide.read_level
        self.overview_level = max(level for level in levels if self._fits_overview(level, overview_px))
        """Tiles of this level and those below, and small thumbnails, are made from one picture that is then held."""
        self._overview: Pixels | None = None
        self._overview_lock = threading.Lock()

    @property
    def info(self) -> ImageInfo:
        """What a client needs to ask for tiles."""
        size, spacing = self._slide.size, self._slide.spacing_um_per_px
        return ImageInfo(size.width, size.height, spacing, self.grid.tile_px, _OVERLAP_PX, self.grid.max_level)

    @property
    def memory_bytes(self) -> int:
        """Memory that the open slide holds: its overview and, when it is a picture without a pyramid, all of it."""
        size, overview = self._slide.size, self._overview
        picture = 3 * size.width * size.height if self._slide.vendor == PictureReader.vendor else 0
        return picture + (overview.nbytes if overview is not None else 0)

    def to_dzi(self) -> str:
        """The description file of the Deep Zoom format, XML."""
        return self.info.to_dzi()

    def read_tile(self, level: int, column: int, row: int) -> Pixels:
        """A tile, uint8 [height, width, 3], smaller at the right and lower edges.

        Raises NoSuchTile, or UnreadableSlide when the file is damaged there.
        """
        rect = self.grid.locate_tile(level, column, row)
        if level > self.overview_level:
            return shrink_region(self._read, self._shrinks[level], rect)
        block = 1 << (self.overview_level - level)
        part = self._load_overview()[rect.y * block : rect.bottom * block, rect.x * block : rect.right * block]
        return average_blocks(part, block)

    def prepare(self, slot: AbstractContextManager[object]) -> None:
        """Make what is held, unless it is there: it takes as long as reading the slide's coarsest level.

        Only who makes it holds `slot` meanwhile, not those who wait for it.
        """
        self._load_overview(slot)

    def read_stored_jpeg(self, level: int, column: int, row: int) -> bytes | None:
        """The tile's JPEG file as the slide stores it; None when it has to be made. Raises NoSuchTile."""
        rect, shrink = self.grid.locate_tile(level, column, row), self._shrinks[level]
        if self._stored_tiles is None or not shrink.is_copy:
            return None
        whole = Size(rect.width, rect.height) == self._stored_tiles.get_tile_size(shrink.source.index)
        inside = rect.right <= shrink.source.size.width and rect.bottom <= shrink.source.size.height
        return self._stored_tiles.read_jpeg(shrink.source.index, column, row) if whole and inside else None

    def encode_tile(self, level: int, column: int, row: int, stain: StainName | None = None) -> bytes:
        """A tile as a JPEG file, with one stain alone where one is named.

        Raises NoSuchTile, or UnreadableSlide when the file is damaged there.
        """
        if stain is not None:
            return jpeg.encode(separate_stain(self.read_tile(level, column, row), stain))
        return self.read_stored_jpeg(level, column, row) or jpeg.encode(self.read_tile(level, column, row))

    def draw_figure(self, spec: FigureSpec) -> Pixels:
        """A view of the slide as a figure.

        Raises InputError for one that takes more than MOST_PIXELS_DRAWN pixels of the slide's own levels, and
        UnreadableSlide when the file is damaged there.
        """

        def read(downsample: float, rect: Rect) -> Pixels:
            self._require_few_pixels("figure", downsample, rect, MOST_PIXELS_DRAWN)
            return self._shrink(downsample, rect)

        return draw_figure(spec, self._slide.size, read)

    def make_thumbnail(self, longer_edge_px: int) -> Pixels:
        """The whole slide, uint8 [height, width, 3], its longer edge as given, or the slide's own when that is less.

        Raises UnreadableSlide when the file is damaged.
        """
        size = self._slide.size
        downsample = max(1.0, size.longer_edge / longer_edge_px)
        width, height = (max(1, round(edge / downsample)) for edge in (size.width, size.height))
        return self._shrink(downsample, Rect(0, 0, width, height))

    def make_region(self, picture: RegionPicture) -> Pixels:
        """A region, uint8 [height, width, 3], never magnified; white where it reaches beyond the slide.

        Raises InputError for one that lies outside of it, or takes more than MOST_PIXELS_READ pixels of the slide's own
        levels, and UnreadableSlide when the file is damaged there.
        """
        place, inside = picture.place, picture.keep_inside(self._slide.size)
        self._require_few_pixels("region", picture.downsample, inside, MOST_PIXELS_READ)
        pixels = np.full((place.height, place.width, 3), _GLASS, np.uint8)
        rows = slice(inside.y - place.y, inside.bottom - place.y)
        pixels[rows, inside.x - place.x : inside.right - place.x] = self._shrink(picture.downsample, inside)
        return pixels

    def is_overview(self, picture: RegionPicture) -> bool:
        """Whether a region's picture is so coarse that it is made from what `prepare` makes."""
        return self._is_coarse(picture.downsample)

    def close(self) -> None:
        """Close the slide."""
        if self._stored_tiles is not None:
            self._stored_tiles.close()
        self._slide.close()

    def _shrink(self, downsample: float, rect: Rect) -> Pixels:
        """A rectangle in the pixels of a level of this downsample, as uint8 [height, width, 3]."""
        if not self._is_coarse(downsample):
            return shrink_region(self._read, choose_shrink(self._slide.levels, downsample), rect)
        overview, overview_downsample = self._load_overview(), self.grid.get_downsample(self.overview_level)
        level = Level(0, Size(overview.shape[1], overview.shape[0]), 1.0)
        shrink = choose_shrink((level,), downsample / overview_downsample)
        return shrink_region(lambda _, x, y, width, height: overview[y : y + height, x : x + width], shrink, rect)

    def _is_coarse(self, downsample: float) -> bool:
        """Whether a level of this downsample is made from what is held."""
        return downsample >= self.grid.get_downsample(self.overview_level)

    def _require_few_pixels(self, picture: str, downsample: float, rect: Rect, most: int) -> None:
        """Of the slide's own levels, for a rectangle in the pixels of a level of this downsample."""
        shrink = choose_shrink(self._slide.levels, downsample)
        if rect.width * rect.height * (shrink.block * shrink.rest) ** 2 > most and not self._is_coarse(downsample):
            what = "is too large for this slide, which has no level near to the picture's scale"
            raise InputError(picture, what, "Ask for less of the slide, or for its thumbnail")

    def _fits_overview(self, level: int, overview_px: int) -> bool:
        """Whether a level is small and, as all below it, made from the coarsest level of the slide."""
        small = self.grid.measure_level(level).longer_edge <= overview_px
        return level == 0 or (small and self._shrinks[level].source == self._slide.levels[-1])

    def _load_overview(self, slot: AbstractContextManager[object] | None = None) -> Pixels:
        with self._overview_lock:
            if self._overview is None:
                size, shrink = self.grid.measure_level(self.overview_level), self._shrinks[self.overview_level]
                with slot or nullcontext():
                    self._overview = shrink_region(self._read, shrink, Rect(0, 0, size.width, size.height))
            return self._overview


def _choose_tile_px(stored: StoredTiles | None) -> int:
    tile = stored.get_tile_size(0) if stored else Size(_TILE_PX, _TILE_PX)
    return tile.width if tile.width == tile.height and tile.width in _STORED_TILE_PX else _TILE_PX
