"""Pictures over HTTP: tiles, thumbnails and what describes them, with what lets browsers keep them a while."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query, Request, Response

JPEG = "image/jpeg"
Pixels = Annotated[int, Query(ge=16, le=2048, description="The longer edge.")]
LevelInPath = Annotated[int, Path(ge=0, le=40)]
PlaceInPath = Annotated[int, Path(ge=0, le=10_000_000)]

_KEPT = "private, max-age=600"


def jpeg(request: Request, data: bytes, tag: str) -> Response:
    """A picture; tag: changes when the slide's file does."""
    headers = {"ETag": f'"{tag}"', "Cache-Control": _KEPT}
    if f'"{tag}"' in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=JPEG, headers=headers)


def dzi(text: str) -> Response:
    """A Deep Zoom description."""
    return Response(text, media_type="application/xml")
