"""Images over HTTP: tiles, thumbnails and their descriptions, cached by browsers for a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request, Response

from histoseek.geometry import Rect
from histoseek.viewing.appearance import StainName

LevelInPath = Annotated[int, Path(ge=0, le=40)]
PlaceInPath = Annotated[int, Path(ge=0, le=10_000_000)]
StainInQuery = Annotated[
    StainName | None, Query(alias="stain", description="Only this stain, in its own colour on white.")
]
Edge = Annotated[int, Query(ge=16, le=2048, description="The longer edge in px.")]

PictureEdge = Annotated[
    int | None, Query(ge=16, le=2048, description="The picture's longer edge in px; by default 256.")
]
PictureScale = Annotated[
    float | None, Query(ge=0.01, le=1000, description="The picture's scale in µm/px, in place of `px`.")
]
_Corner = Annotated[int, Query(ge=-10_000_000, le=10_000_000, description="Of the top-left corner, in level-0 px.")]
_Length = Annotated[int, Query(ge=1, le=10_000_000, description="In level-0 px.")]


def _make_rect(x: _Corner, y: _Corner, width: _Length, height: _Length) -> Rect:
    return Rect(x, y, width, height)


RegionInQuery = Annotated[Rect, Depends(_make_rect)]
"""A rectangle in level-0 px that may reach beyond the slide."""

UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "Not changed since the ETag that was sent"}}

_CACHE_CONTROL = "private, max-age=600"


class JpegResponse(Response):
    """A picture."""

    media_type = "image/jpeg"


class XmlResponse(Response):
    """A Deep Zoom description."""

    media_type = "application/xml"


class PngResponse(Response):
    """A picture without loss."""

    media_type = "image/png"


def respond_with_picture(request: Request, tag: str, make: Callable[[], bytes]) -> Response:
    """A picture; tag: an ETag header's value, another when the slide's file changes."""
    headers = {"ETag": tag, "Cache-Control": _CACHE_CONTROL}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return JpegResponse(make(), headers=headers)
