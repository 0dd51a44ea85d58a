"""The geometry of the Deep Zoom format: level 0 is one pixel, each level twice the one before, the last is the image.

Format: https://learn.microsoft.com/previous-versions/windows/silverlight/dotnet-windows-silverlight/cc645077(v=vs.95)
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree

from histoseek.errors import InputError
from histoseek.geometry import Rect, Size

_NAMESPACE = "http://schemas.microsoft.com/deepzoom/2008"


class NoSuchTile(InputError):
    """A tile outside of the image, or of a level that it does not have."""

    def __init__(self, level: int, column: int, row: int) -> None:
        self.level = level
        self.column = column
        self.row = row
        super().__init__(f"tile {level}/{column}_{row}", "the image has no such tile")


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What a client needs to ask for tiles: sizes in px, levels from 0 (one pixel) to max_level (the slide's own)."""

    width: int
    height: int
    spacing_um_per_px: float
    tile_size_px: int
    overlap_px: int
    max_level: int

    def to_dzi(self) -> str:
        """The description file of the Deep Zoom format, XML; tiles are named .jpg."""
        facts = {"TileSize": str(self.tile_size_px), "Overlap": str(self.overlap_px), "Format": "jpg"}
        image = ElementTree.Element("Image", facts, xmlns=_NAMESPACE)
        ElementTree.SubElement(image, "Size", Width=str(self.width), Height=str(self.height))
        return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(image, encoding="unicode")


@dataclass(frozen=True, slots=True)
class TileGrid:
    """Square tiles without overlap over the levels of an image of this size (px)."""

    size: Size
    tile_px: int

    @property
    def max_level(self) -> int:
        """The level that has the image's own size: ceil(log2(longer edge))."""
        return (self.size.longer_edge - 1).bit_length()

    def get_downsample(self, level: int) -> int:
        """How many pixels of the image one pixel of the level stands for, along an edge."""
        return 1 << (self.max_level - level)

    def measure_level(self, level: int) -> Size:
        """The level's width and height in its own px, rounded up."""
        downsample = self.get_downsample(level)
        return Size(-(-self.size.width // downsample), -(-self.size.height // downsample))

    def count_tiles(self, level: int) -> Size:
        """How many columns and rows of tiles the level has."""
        size = self.measure_level(level)
        return Size(-(-size.width // self.tile_px), -(-size.height // self.tile_px))

    def locate_tile(self, level: int, column: int, row: int) -> Rect:
        """The tile's place in the level's own px; tiles at the right and lower edges are smaller. Raises NoSuchTile."""
        if not 0 <= level <= self.max_level:
            raise NoSuchTile(level, column, row)
        tiles = self.count_tiles(level)
        if not (0 <= column < tiles.width and 0 <= row < tiles.height):
            raise NoSuchTile(level, column, row)
        size, x, y = self.measure_level(level), column * self.tile_px, row * self.tile_px
        return Rect(x, y, min(self.tile_px, size.width - x), min(self.tile_px, size.height - y))
