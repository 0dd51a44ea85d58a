"""Pictures of slides and regions for a result page, as data that is part of the page."""

from __future__ import annotations

import base64
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from histoseek.errors import SlideError
from histoseek.geometry import Rect, Size
from histoseek.search.attention import SlideAttention
from histoseek.search.overlays import Overlay, attention_overlay, contribution_overlay, rgb
from histoseek.slides.slide import Slide, open_slide
from histoseek.slides.source import Pixels

log = logging.getLogger(__name__)

THUMBNAIL_PX = 320
REGION_PX = 200
COLOURS = ("#d81b60", "#1e88e5", "#e69f00")
"""Frames of the first, second and third match; told apart with any colour vision."""

TEXT_COLOURS = ("#004d40", "#7b3fa0", "#000000")
"""Frames of the first, second and third region that is near a text."""


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


def slide_pictures(
    uri: str, spacing_um_per_px: float, frames: Sequence[Frame], attention: SlideAttention | None = None
) -> SlidePictures | None:
    """Read a slide's pictures from its pyramid; None when the file is no longer there or can't be read."""
    try:
        with open_slide(Path(uri), spacing_um_per_px or None) as slide:
            thumbnail = slide.thumbnail(THUMBNAIL_PX)
            return SlidePictures(
                _data_uri(_framed(slide, thumbnail, frames)),
                tuple(_region(slide, frame.region) for frame in frames),
                *_maps(slide, thumbnail, attention),
            )
    except SlideError as error:
        log.debug("no pictures of a slide: %s", error.kind)
        return None


def _maps(
    slide: Slide, thumbnail: Pixels, attention: SlideAttention | None
) -> tuple[MapPicture | None, MapPicture | None]:
    if attention is None:
        return None, None
    scale = thumbnail.shape[1] / slide.size.width
    looked_at = attention_overlay(thumbnail, scale, attention.attention())
    return _map(looked_at), _map(contribution_overlay(thumbnail, scale, attention.contribution()))


def _map(overlay: Overlay | None) -> MapPicture | None:
    if overlay is None:
        return None
    return MapPicture(_data_uri(overlay.picture), overlay.low, overlay.high, overlay.scale.css)


def _framed(slide: Slide, thumbnail: Pixels, frames: Sequence[Frame]) -> Pixels:
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
