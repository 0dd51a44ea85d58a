"""A view of a slide as a picture for a talk or a paper: scale bar, caption, annotations and frames on demand."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from histoseek.annotations.geojson import Annotation, Colour
from histoseek.annotations.shapes import Path
from histoseek.geometry import Rect, Size
from histoseek.viewing.appearance import Appearance, Pixels
from histoseek.viewing.lettering import draw_text, make_caption_strip
from histoseek.viewing.scale_bar import choose_scale_bar

ReadShrunken = Callable[[float, Rect], Pixels]
"""Reads a rectangle of the slide shrunken by a factor of at least 1, in px of that."""

FIGURE_PX = range(64, 4097)
"""Lengths that a figure's edges may have, without the caption."""

ANNOTATION_COLOUR: Colour = (20, 110, 180)
FRAME_COLOUR: Colour = (0, 150, 90)

_FRACTION_BITS = 4
_BAR_SHARE = 0.25
_COMPRESSION = 4


@dataclass(frozen=True, slots=True)
class Viewport:
    """What of a slide is in view: centre and extent in level-0 px.

    The slide is turned clockwise about the centre by `rotation` degrees, and then mirrored left to right if flipped;
    width and height are those of the view, after that.
    """

    centre_x: float
    centre_y: float
    width: float
    height: float
    rotation: float = 0.0
    is_flipped: bool = False


@dataclass(frozen=True, slots=True)
class FigureSpec:
    """What is drawn: the view, at `width_px` px; um_per_px: of the slide's level 0, None without a scale bar."""

    viewport: Viewport
    width_px: int
    um_per_px: float | None = None
    appearance: Appearance = field(default_factory=Appearance)
    caption: str = ""
    annotations: tuple[Annotation, ...] = ()
    frames: tuple[Rect, ...] = ()

    @property
    def size(self) -> Size:
        """Of the picture in px, without the caption."""
        return Size(self.width_px, max(1, round(self.width_px * self.viewport.height / self.viewport.width)))

    @property
    def downsample(self) -> float:
        """How many level-0 px one px of the picture stands for."""
        return self.viewport.width / self.width_px


def draw_figure(spec: FigureSpec, slide: Size, read: ReadShrunken) -> Pixels:
    """The figure, uint8 [height, width, 3]; white where the view leaves the slide, whose size is in level-0 px."""
    matrix = compute_matrix(spec)
    picture = spec.appearance.apply(_read_view(spec, matrix, slide, read))
    for frame in spec.frames:
        corners = ((frame.x, frame.y), (frame.right, frame.y), (frame.right, frame.bottom), (frame.x, frame.bottom))
        _draw_path(picture, matrix, (*corners, corners[0]), FRAME_COLOUR)
    for annotation in spec.annotations:
        _draw_annotation(picture, matrix, annotation)
    if spec.um_per_px is not None:
        _draw_scale_bar(picture, spec.um_per_px * spec.downsample)
    return np.concatenate([picture, make_caption_strip(spec.caption, spec.width_px)]) if spec.caption else picture


def list_in_view(viewport: Viewport, annotations: Iterable[Annotation]) -> list[Annotation]:
    """Those that may be seen, by their bounds and the circle around the view."""
    reach = math.hypot(viewport.width, viewport.height) / 2
    lower = np.array([viewport.centre_x - reach, viewport.centre_y - reach])
    upper = np.array([viewport.centre_x + reach, viewport.centre_y + reach])
    shown = []
    for annotation in annotations:
        places = np.array(list(annotation.shape.list_positions()))
        if (places.max(axis=0) >= lower).all() and (places.min(axis=0) <= upper).all():
            shown.append(annotation)
    return shown


def encode_png(picture: Pixels) -> bytes:
    """A picture as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "png", compress_level=_COMPRESSION)
    return file.getvalue()


def compute_matrix(spec: FigureSpec) -> NDArray[np.float64]:
    """From level-0 px to px of the picture, [2, 3]; the corner of the first pixel is at 0, 0."""
    view, scale = spec.viewport, 1 / spec.downsample
    angle = math.radians(view.rotation)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    linear = np.diag([-1.0 if view.is_flipped else 1.0, 1.0]) @ turn * scale
    offset = np.array([spec.size.width, spec.size.height]) / 2 - linear @ [view.centre_x, view.centre_y]
    if view.rotation == 0 and not view.is_flipped:
        # Nothing is interpolated where a shift of half a px avoids it.
        offset = np.rint(offset)
    return np.column_stack([linear, offset])


def _read_view(spec: FigureSpec, matrix: NDArray[np.float64], slide: Size, read: ReadShrunken) -> Pixels:
    """The part of the slide that the picture shows, turned, mirrored and enlarged as it asks."""
    shrink = max(1.0, spec.downsample)
    box = _find_box(spec, matrix, slide, shrink)
    if box is None:
        return np.full((spec.size.height, spec.size.width, 3), 255, np.uint8)
    linear = matrix[:, :2] * shrink
    offset = matrix[:, 2] + linear @ [box.x, box.y]
    # OpenCV counts from the centres of pixels.
    centred = np.column_stack([linear, offset + linear @ [0.5, 0.5] - 0.5])
    shown = cv2.warpAffine(
        read(shrink, box),
        centred,
        (spec.size.width, spec.size.height),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(255, 255, 255),
    )
    return np.asarray(shown, np.uint8)


def _find_box(spec: FigureSpec, matrix: NDArray[np.float64], slide: Size, shrink: float) -> Rect | None:
    """What has to be read of the shrunken slide; None where the view does not touch it."""
    corners = np.array([[x, y] for x in (0, spec.size.width) for y in (0, spec.size.height)], np.float64)
    places = (corners - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T / shrink
    left, top = np.maximum(np.floor(places.min(axis=0)).astype(int) - 1, 0)
    edges = [math.ceil(slide.width / shrink), math.ceil(slide.height / shrink)]
    right, bottom = np.minimum(np.ceil(places.max(axis=0)).astype(int) + 1, edges)
    if right <= left or bottom <= top:
        return None
    return Rect.span(int(left), int(top), int(right), int(bottom))


def _draw_annotation(picture: Pixels, matrix: NDArray[np.float64], annotation: Annotation) -> None:
    colour = annotation.colour or ANNOTATION_COLOUR
    for path in (path for part in annotation.shape.parts for path in part):
        _draw_path(picture, matrix, path, colour)
    text = annotation.name or annotation.label
    if text:
        places = _to_picture(matrix, tuple(annotation.shape.list_positions()))
        x, y = places[places[:, 1].argmin()]
        draw_text(picture, text, round(x) + 6, round(y) - 6, colour)


def _draw_path(picture: Pixels, matrix: NDArray[np.float64], path: Path, colour: Colour) -> None:
    """A path with a white edge, so that it is seen on any tissue; a point as a ring."""
    width = max(2, picture.shape[1] // 400)
    places = np.rint(np.clip(_to_picture(matrix, path), -1e5, 1e5) * 2**_FRACTION_BITS).astype(np.int32)
    options: dict[str, Any] = {"lineType": cv2.LINE_AA, "shift": _FRACTION_BITS}
    for thickness, ink in ((width + 2, (255, 255, 255)), (width, colour)):
        if len(path) == 1:
            centre = (int(places[0, 0]), int(places[0, 1]))
            cv2.circle(picture, centre, 3 * width << _FRACTION_BITS, ink, thickness, **options)
        else:
            cv2.polylines(picture, [places], False, ink, thickness, **options)


def _to_picture(matrix: NDArray[np.float64], path: Path) -> NDArray[np.float64]:
    # OpenCV draws at centres of pixels.
    return np.asarray(np.array(path) @ matrix[:, :2].T + matrix[:, 2] - 0.5)


def _draw_scale_bar(picture: Pixels, um_per_px: float) -> None:
    """A black bar on white at the lower left, as many px long as its length has."""
    height, width = picture.shape[:2]
    bar = choose_scale_bar(um_per_px, max(1.0, width * _BAR_SHARE))
    margin, thick = max(6, width // 80), max(4, width // 250)
    bottom = height - margin
    text_height = max(12, width // 60)
    plate = picture[max(0, bottom - thick - text_height - 3 * margin // 2) : bottom, margin : bar.px + 3 * margin]
    plate[:] = 255
    picture[bottom - margin // 2 - thick : bottom - margin // 2, 2 * margin : 2 * margin + bar.px] = 0
    draw_text(picture, bar.text, 2 * margin, bottom - margin // 2 - thick - margin // 3, (0, 0, 0))
