"""Pictures of slides and regions for a result page, as data that is part of the page."""

from __future__ import annotations

import base64
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from histoseek.errors import HistoseekError
from histoseek.geometry import Rect, Size
from histoseek.search.attention_maps import AttentionMap, SlideAttention
from histoseek.slides.readers.base import Pixels
from histoseek.slides.slide import Slide, open_slide

log = logging.getLogger(__name__)

THUMBNAIL_PX = 320
REGION_PX = 200
COLOURS = ("#d81b60", "#1e88e5", "#e69f00")
"""Frames of the first, second and third match; told apart with any colour vision."""

TEXT_COLOURS = ("#004d40", "#7b3fa0", "#000000")
"""Frames of the first, second and third region that is near a text."""

_OPACITY = 0.75
_FAINTNESS = 0.5
"""How far the slide below a map is moved towards white, so that the map's colours stand out."""

_LEAST_TILE_PX = 4


@dataclass(frozen=True, slots=True)
class ColourScale:
    """Colours of values from 0 to 1, evenly apart, with straight lines between them."""

    colours: tuple[str, ...]

    def paint(self, values: NDArray[np.float64]) -> Pixels:
        """Colours of values [T], uint8 [T, 3] in red, green, blue."""
        stops = np.array([rgb(colour) for colour in self.colours], np.float64)
        places = np.linspace(0, 1, len(stops))
        mixed = np.stack([np.interp(values, places, channel) for channel in stops.T], axis=1)
        return np.asarray(mixed.round(), np.uint8)

    @property
    def css(self) -> str:
        """The same colours as a background of CSS."""
        return f"linear-gradient(to right, {', '.join(self.colours)})"


ATTENTION_SCALE = ColourScale(("#00224e", "#35456c", "#666970", "#948e77", "#c8b866", "#fee838"))
"""From little to much: cividis (Nunez, Anderton and Renslow 2018), which looks alike with any colour vision."""

CONTRIBUTION_SCALE = ColourScale(("#2166ac", "#92c5de", "#f7f7f7", "#fdb863", "#b35806"))
"""From what sets two slides apart to what they share: blue to orange, told apart with any colour vision."""


@dataclass(frozen=True, slots=True)
class Overlay:
    """A map over a thumbnail, uint8 [h, w, 3], with the values at both ends of its colour scale."""

    picture: Pixels
    low: float
    high: float
    scale: ColourScale


@dataclass(frozen=True, slots=True)
class Frame:
    """A region to show, and the colour of its frame; None where its place is not known."""

    region: Rect | None
    colour: str


@dataclass(frozen=True, slots=True)
class MapPicture:
    """A map over a slide as a data URI, the values at both ends of its colour scale, and the scale for CSS."""

    picture: str
    low: float
    high: float
    scale: str


@dataclass(frozen=True, slots=True)
class SlidePictures:
    """Pictures of a slide as data URIs: a thumbnail with frames, the framed regions (None where a place is not known),
    and its maps where there are some."""

    thumbnail: str
    regions: tuple[str | None, ...]
    attention: MapPicture | None
    contribution: MapPicture | None


def draw_slide(
    uri: str, spacing_um_per_px: float, frames: Sequence[Frame], attention: SlideAttention | None = None
) -> SlidePictures | None:
    """Read a slide's pictures from its pyramid; None when the file is no longer there or can't be read."""
    try:
        with open_slide(uri, spacing_um_per_px or None) as slide:
            thumbnail = slide.thumbnail(THUMBNAIL_PX)
            return SlidePictures(
                _data_uri(_draw_frames(slide, thumbnail, frames)),
                tuple(_region(slide, frame.region) for frame in frames),
                *_maps(slide, thumbnail, attention),
            )
    except HistoseekError as error:
        log.debug("no pictures of a slide: %s", error.kind)
        return None


def _maps(
    slide: Slide, thumbnail: Pixels, attention: SlideAttention | None
) -> tuple[MapPicture | None, MapPicture | None]:
    if attention is None:
        return None, None
    scale = thumbnail.shape[1] / slide.size.width
    looks = attention_overlay(thumbnail, scale, attention.attention())
    return _map(looks), _map(contribution_overlay(thumbnail, scale, attention.contribution()))


def _map(overlay: Overlay | None) -> MapPicture | None:
    if overlay is None:
        return None
    return MapPicture(_data_uri(overlay.picture), overlay.low, overlay.high, overlay.scale.css)


def _draw_frames(slide: Slide, thumbnail: Pixels, frames: Sequence[Frame]) -> Pixels:
    picture = thumbnail.copy()
    scale = thumbnail.shape[1] / slide.size.width
    for frame in frames:
        if rect := frame.region:
            corners = [round(v * scale) for v in (rect.x, rect.y, rect.right, rect.bottom)]
            grown = (corners[0] - 1, corners[1] - 1), (corners[2] + 1, corners[3] + 1)
            cv2.rectangle(picture, *grown, rgb(frame.colour), 2)
    return picture


def _region(slide: Slide, rect: Rect | None) -> str | None:
    if rect is None:
        return None
    inside = Rect(
        rect.x, rect.y, min(rect.width, slide.size.width - rect.x), min(rect.height, slide.size.height - rect.y)
    )
    longer = max(inside.width, inside.height)
    out = Size(max(1, REGION_PX * inside.width // longer), max(1, REGION_PX * inside.height // longer))
    return _data_uri(slide.read_at(slide.spacing_um_per_px * longer / REGION_PX, inside, out))


def _data_uri(pixels: Pixels) -> str:
    _, data = cv2.imencode(".jpg", np.ascontiguousarray(pixels[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 85])
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()


def attention_overlay(thumbnail: Pixels, px_per_level0: float, attention: AttentionMap) -> Overlay | None:
    """Weights from 0 to the largest; None without tiles. px_per_level0: thumbnail pixels in one of level 0."""
    if not len(attention):
        return None
    high = float(attention.weights.max())
    placed = attention.weights / high if high > 0 else np.zeros(len(attention))
    picture = _draw_map(thumbnail, px_per_level0, attention, placed, ATTENTION_SCALE)
    return Overlay(picture, 0.0, high, ATTENTION_SCALE)


def contribution_overlay(thumbnail: Pixels, px_per_level0: float, attention: AttentionMap) -> Overlay | None:
    """Weights of either sign, 0 in the middle of the scale; None without tiles or where all are 0."""
    most = float(np.abs(attention.weights).max(initial=0))
    if most == 0:
        return None
    placed = 0.5 + 0.5 * attention.weights / most
    picture = _draw_map(thumbnail, px_per_level0, attention, placed, CONTRIBUTION_SCALE)
    return Overlay(picture, -most, most, CONTRIBUTION_SCALE)


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue of a colour as "#rrggbb"."""
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue


def _draw_map(
    thumbnail: Pixels, px_per_level0: float, attention: AttentionMap, placed: NDArray[np.float64], scale: ColourScale
) -> Pixels:
    """Tiles in the colours of values 0 to 1 over the slide in grey; of those that overlap the heaviest is on top."""
    grey = cv2.cvtColor(np.ascontiguousarray(thumbnail), cv2.COLOR_RGB2GRAY).astype(np.float64)
    ground = np.repeat((grey + _FAINTNESS * (255 - grey))[..., None], 3, axis=2)
    picture, colours = ground.copy(), scale.paint(placed)
    corners = np.floor(attention.coords * px_per_level0).astype(int)
    edge = max(_LEAST_TILE_PX, round(attention.edge_level0 * px_per_level0))
    for tile in np.argsort(np.abs(attention.weights), kind="stable"):
        (x, y), colour = corners[tile], colours[tile]
        part = slice(max(0, y), y + edge), slice(max(0, x), x + edge)
        picture[part] = (1 - _OPACITY) * ground[part] + _OPACITY * colour
    return np.asarray(picture.round(), np.uint8)
