"""OME-Zarr (OME-NGFF 0.4 and 0.5): a folder with a pyramid of arrays, of which the one RGB picture is the slide."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import takewhile, zip_longest
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from histoseek.errors import UnreadableSlide
from histoseek.geometry import Level, Rect, Size
from histoseek.slides.readers.base import Pixels, read_clipped
from histoseek.slides.readers.ome import drop_images_beside
from histoseek.slides.readers.ome_xml import UM_PER_UNIT, OmeChannel, order_primaries
from histoseek.slides.readers.spacing import average_edges
from histoseek.zarr_arrays import (
    NodeAttributes,
    ZarrArray,
    ZarrError,
    find_child,
    is_zarr,
    open_array,
    read_attributes,
)

_WANTED = "wanted one 8-bit RGB picture"
_MOST_SERIES = 64
_CACHE_BYTES = 64 * 2**20
"""Of decoded chunks: neighbouring tiles lie in the same ones."""

_ALIKE = 2
_COLOUR = re.compile(r"[0-9a-fA-F]{6}")
_MOST_XML_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True)
class _Picture:
    """A multiscale image: its levels, finest first, where its axes are, and which channels are red, green and blue."""

    name: str
    levels: tuple[ZarrArray, ...]
    axes: tuple[str, ...]
    channels: tuple[int, int, int]
    spacing_um_per_px: float | None

    def size(self, level: int) -> Size:
        """Width and height of a level."""
        shape = self.levels[level].shape
        return Size(shape[self.axes.index("x")], shape[self.axes.index("y")])


@dataclass
class _Blocks:
    """The pixels of chunks that were read last, those used last at the end."""

    guard: threading.Lock = field(default_factory=threading.Lock)
    pixels: OrderedDict[tuple[int, int, int], Pixels] = field(default_factory=OrderedDict)
    taken_bytes: int = 0


class OmeZarrReader:
    """A PixelReader over an OME-Zarr folder."""

    vendor = "ome-zarr"

    def __init__(self, path: Path) -> None:
        """Raises UnreadableSlide for a folder that is not plainly one 8-bit RGB picture."""
        self._path = path
        try:
            self._picture = _choose_picture(path)
        except ZarrError as error:
            raise UnreadableSlide(path, str(error)) from error
        finest = self._picture.size(0)
        sizes = [self._picture.size(index) for index in range(len(self._picture.levels))]
        self.levels = tuple(Level(i, size, finest.width / max(1, size.width)) for i, size in enumerate(sizes))
        self.spacing_um_per_px = self._picture.spacing_um_per_px
        self._blocks = _Blocks()

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        """A region in the level's own pixels."""
        asked = Rect(x, y, width, height)
        return read_clipped(self.levels[level].size, asked, lambda inside: self._read_inside(level, inside))

    def close(self) -> None:
        """Free the memory."""
        self._blocks = _Blocks()

    def _read_inside(self, level: int, inside: Rect) -> Pixels:
        rows, columns = self._chunk_edges(level)
        out = np.empty((inside.height, inside.width, 3), np.uint8)
        for row in range(inside.y // rows, -(-inside.bottom // rows)):
            for column in range(inside.x // columns, -(-inside.right // columns)):
                block = self._load_block(level, row, column)
                top, left = row * rows, column * columns
                first_row, last_row = max(top, inside.y), min(top + block.shape[0], inside.bottom)
                first, last = max(left, inside.x), min(left + block.shape[1], inside.right)
                target = (slice(first_row - inside.y, last_row - inside.y), slice(first - inside.x, last - inside.x))
                out[target] = block[first_row - top : last_row - top, first - left : last - left]
        return out

    def _load_block(self, level: int, row: int, column: int) -> Pixels:
        """The pixels of a chunk, all channels of it."""
        key, blocks = (level, row, column), self._blocks
        with blocks.guard:
            if key in blocks.pixels:
                blocks.pixels.move_to_end(key)
                return blocks.pixels[key]
        block = self._read_block(level, row, column)
        with blocks.guard:
            if key not in blocks.pixels:
                blocks.pixels[key] = block
                blocks.taken_bytes += block.nbytes
            while blocks.taken_bytes > _CACHE_BYTES and len(blocks.pixels) > 1:
                blocks.taken_bytes -= blocks.pixels.popitem(last=False)[1].nbytes
        return block

    def _read_block(self, level: int, row: int, column: int) -> Pixels:
        picture, size = self._picture, self.levels[level].size
        rows, columns = self._chunk_edges(level)
        parts = {
            "y": slice(row * rows, min((row + 1) * rows, size.height)),
            "x": slice(column * columns, min((column + 1) * columns, size.width)),
            "c": slice(None),
        }
        region = [parts.get(axis, slice(0, 1)) for axis in picture.axes]
        try:
            values = picture.levels[level].read(region)
        except ZarrError as error:
            raise UnreadableSlide(self._path, str(error)) from error
        kept = [axis for axis in picture.axes if axis in "yxc"]
        flat = values.reshape(
            [length for length, axis in zip(values.shape, picture.axes, strict=True) if axis in "yxc"]
        )
        return np.ascontiguousarray(flat.transpose([kept.index(axis) for axis in "yxc"])[..., picture.channels])

    def _chunk_edges(self, level: int) -> tuple[int, int]:
        chunks = self._picture.levels[level].chunks
        return chunks[self._picture.axes.index("y")], chunks[self._picture.axes.index("x")]


def is_ome_zarr(path: Path) -> bool:
    """Whether a folder says that it holds a picture of OME-Zarr; features of tiles lie in such folders as well."""
    try:
        attributes = _read_ome(path)
    except ZarrError:
        return is_zarr(path)
    return is_zarr(path) and bool({"multiscales", "bioformats2raw.layout"} & set(attributes))


def _read_ome(folder: Path) -> NodeAttributes:
    """The attributes of OME-Zarr, which format 0.5 keeps under a name of its own."""
    attributes = read_attributes(folder)
    own = attributes.get("ome")
    return own if isinstance(own, dict) else attributes


def _choose_picture(path: Path) -> _Picture:
    """The one picture of a folder; of a conversion of several images, that which is neither label nor macro image."""
    attributes = _read_ome(path)
    if "multiscales" in attributes:
        return _parse_picture(path, attributes, "")
    if "bioformats2raw.layout" not in attributes:
        raise ZarrError(f"a Zarr folder without a picture, {_WANTED}")
    names = _read_names(path / "OME" / "METADATA.ome.xml")
    folders = [path / str(index) for index in range(_MOST_SERIES)]
    series = list(zip_longest(takewhile(is_zarr, folders), names))
    named = [(folder, name or _read_own_name(folder)) for folder, name in series if folder]
    pictures, faults = list[_Picture](), list[str]()
    for folder, name in drop_images_beside(named, lambda one: one[1]):
        try:
            pictures.append(_parse_picture(folder, _read_ome(folder), name))
        except ZarrError as error:
            faults.append(str(error))
    return _choose_largest(pictures, faults)


def _read_own_name(folder: Path) -> str:
    """The name that a picture has in its own description; empty without one."""
    try:
        name = _read_ome(folder)["multiscales"][0]["name"]
    except (LookupError, TypeError, ZarrError):
        return ""
    return name if isinstance(name, str) else ""


def _choose_largest(pictures: list[_Picture], faults: list[str]) -> _Picture:
    if faults or not pictures:
        raise ZarrError(faults[0] if faults else f"no picture beside label and macro images, {_WANTED}")
    pixels = [picture.size(0).width * picture.size(0).height for picture in pictures]
    best = pictures[pixels.index(max(pixels))]
    if sum(count * _ALIKE >= max(pixels) for count in pixels) > 1:
        raise ZarrError("several pictures of like size, of which each may be the slide; wanted one slide in a folder")
    return best


def _parse_picture(folder: Path, attributes: NodeAttributes, name: str) -> _Picture:
    try:
        multiscale = attributes["multiscales"][0]
        axes = tuple(axis if isinstance(axis, str) else str(axis["name"]) for axis in multiscale["axes"])
        datasets = multiscale["datasets"]
        levels = tuple(open_array(find_child(folder, str(dataset["path"]))) for dataset in datasets)
        if not levels:
            raise ZarrError("a picture without levels")
        channels = _find_channels(levels, axes, attributes.get("omero"))
        spacing = _read_spacing(multiscale, axes)
        return _Picture(name or str(multiscale.get("name", "")), levels, axes, channels, spacing)
    except ZarrError:
        raise
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise ZarrError("a description of the picture that is damaged") from error


def _find_channels(levels: tuple[ZarrArray, ...], axes: tuple[str, ...], omero: object) -> tuple[int, int, int]:
    """Red, green and blue among the channels; raises ZarrError for all that is no RGB picture."""
    if not {"y", "x"} <= set(axes) or not set(axes) <= set("tczyx") or len(set(axes)) < len(axes):
        raise ZarrError(f"axes {', '.join(axes)}, {_WANTED}")
    for level in levels:
        if len(level.shape) != len(axes):
            raise ZarrError("a level whose axes are not those of the picture")
        sizes = dict(zip(axes, level.shape, strict=True))
        if (sizes.get("t", 1), sizes.get("z", 1)) != (1, 1):
            raise ZarrError(f"a stack or series of pictures, {_WANTED}")
        if level.dtype != np.uint8:
            raise ZarrError(f"pixels of type {level.dtype}, {_WANTED}")
        if sizes.get("c", 1) != 3:
            raise ZarrError(f"{sizes.get('c', 1)} channels, {_WANTED}")
    channels = _list_channels(omero)
    order = order_primaries(channels) if channels else (0, 1, 2) if axes[-1] == "c" else None
    if order is None:
        names = ", ".join(channel.name for channel in channels if channel.name)
        raise ZarrError(f"channels that are not known to be red, green and blue ({names or 'no omero metadata'})")
    return order


def _list_channels(omero: object) -> tuple[OmeChannel, ...]:
    channels = omero.get("channels") if isinstance(omero, Mapping) else None
    if not isinstance(channels, list):
        return ()
    return tuple(_parse_channel(channel) for channel in channels if isinstance(channel, Mapping))


def _parse_channel(channel: Mapping[str, Any]) -> OmeChannel:
    colour, name = str(channel.get("color", "")), str(channel.get("label", ""))
    rgb = tuple(bytes.fromhex(colour)) if _COLOUR.fullmatch(colour) else None
    return OmeChannel.named(name, (rgb[0], rgb[1], rgb[2]) if rgb else None)


def _read_spacing(multiscale: Mapping[str, Any], axes: tuple[str, ...]) -> float | None:
    """µm/px of the finest level, from its scale and the units of the axes; None where a unit is not given."""
    scale = np.ones(len(axes))
    transformations = [
        *multiscale["datasets"][0].get("coordinateTransformations", ()),
        *multiscale.get("coordinateTransformations", ()),
    ]
    for transformation in transformations:
        if transformation.get("type") == "scale":
            scale = scale * np.array(transformation["scale"], float)
    units = [axis.get("unit", "") if isinstance(axis, Mapping) else "" for axis in multiscale["axes"]]
    edges = [float(scale[i]) * UM_PER_UNIT.get(units[i], 0.0) for i in (axes.index("x"), axes.index("y"))]
    return average_edges(*edges) if min(edges) > 0 else None


def _read_names(path: Path) -> list[str]:
    """The names of the images of a conversion, in their order; none where it does not say."""
    try:
        if path.stat().st_size > _MOST_XML_BYTES:
            return []
        text = path.read_text(encoding="utf-8")
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            return []
        root = ElementTree.fromstring(text)
    except (OSError, ValueError, ElementTree.ParseError, RecursionError):
        return []
    return [element.get("Name", "") for element in root if element.tag.rpartition("}")[2] == "Image"]
