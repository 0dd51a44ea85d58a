"""Images over HTTP: tiles, thumbnails and their descriptions, cached by browsers for a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Path, Query, Request, Response

LevelInPath = Annotated[int, Path(ge=0, le=40)]
PlaceInPath = Annotated[int, Path(ge=0, le=10_000_000)]
Edge = Annotated[int, Query(ge=16, le=2048, description="The longer edge in px.")]

UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "Not changed since the ETag that was sent"}}

_CACHE_CONTROL = "private, max-age=600"


class JpegResponse(Response):
    """A picture."""

    media_type = "image/jpeg"


class XmlResponse(Response):
    """A Deep Zoom description."""

    media_type = "application/xml"


def respond_with_picture(request: Request, tag: str, make: Callable[[], bytes]) -> Response:
    """A picture; tag: an ETag header's value, another when the slide's file changes."""
    headers = {"ETag": tag, "Cache-Control": _CACHE_CONTROL}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return JpegResponse(make(), headers=headers)
