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
from histoseek.slides.slide import Slide, open_slide
from histoseek.slides.source import Pixels

log = logging.getLogger(__name__)

THUMBNAIL_PX = 320
REGION_PX = 200
COLOURS = ("#d81b60", "#1e88e5", "#e69f00")
"""Frames of the first, second and third match; told apart with any colour vision."""


@dataclass(frozen=True, slots=True)
class SlidePictures:
    """A thumbnail with framed regions and the regions themselves, as data URIs; None where a place is not known."""

    thumbnail: str
    regions: tuple[str | None, ...]


def slide_pictures(uri: str, spacing_um_per_px: float, regions: Sequence[Rect | None]) -> SlidePictures | None:
    """Read a slide's pictures from its pyramid; None when the file is no longer there or can't be read."""
    try:
        with open_slide(Path(uri), spacing_um_per_px or None) as slide:
            thumbnail = _framed(slide, slide.thumbnail(THUMBNAIL_PX), regions)
            return SlidePictures(_data_uri(thumbnail), tuple(_region(slide, rect) for rect in regions))
    except SlideError as error:
        log.debug("no pictures of a slide: %s", error.kind)
        return None


def _framed(slide: Slide, thumbnail: Pixels, regions: Sequence[Rect | None]) -> Pixels:
    picture = thumbnail.copy()
    scale = thumbnail.shape[1] / slide.size.width
    for rect, colour in zip(regions, COLOURS, strict=False):
        if rect:
            corners = [round(v * scale) for v in (rect.x, rect.y, rect.right, rect.bottom)]
            grown = (corners[0] - 1, corners[1] - 1), (corners[2] + 1, corners[3] + 1)
            cv2.rectangle(picture, *grown, _rgb(colour), 2)
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


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour[1:])
    return red, green, blue


def _data_uri(pixels: Pixels) -> str:
    _, data = cv2.imencode(".jpg", np.ascontiguousarray(pixels[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 85])
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()
