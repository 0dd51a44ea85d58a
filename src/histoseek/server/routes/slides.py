"""Slides of an archive: records, reports, pictures; changes where this server allows them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from histoseek.archive.stores.sql import both, quoted
from histoseek.errors import InputError
from histoseek.rest.archives import ImageInfo, Report, Slide, SlideChanges
from histoseek.rest.base import Page
from histoseek.search.filters.public import public_where
from histoseek.server.http.answers import report_answer, slide_answer
from histoseek.server.http.dependencies import InContext, Reader, Served, SlideIdInPath, Viewer, Writer
from histoseek.server.routes.pictures import (
    UNCHANGED,
    Edge,
    JpegResponse,
    LevelInPath,
    PlaceInPath,
    XmlResponse,
    picture,
)

router = APIRouter(prefix="/archives/{archive}/slides", tags=["slides"])
"""Ids may hold slashes, so what goes on behind an id is looked for first, and the slide itself last."""

Where = Annotated[str | None, Query(max_length=2000, description="SQL filter over metadata.")]
_FIXED = (
    "slide_id",
    "uri",
    "file_fingerprint",
    "width",
    "height",
    "spacing_um_per_px",
    "tile_count",
    "created",
    "updated",
)


@router.get("")
def list_slides(
    identity: Reader,
    served: Served,
    where: Where = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[str | None, Query(max_length=200, description="`next` of the page before.")] = None,
) -> Page[Slide]:
    """Slides by their ids, page by page."""
    asked = public_where(where) if where is not None else None
    condition = both(asked, f"slide_id > {quoted(after)}" if after else None)
    records = served.archive.records(condition, limit + 1)
    following = records[limit - 1].slide_id if len(records) > limit else None
    return Page(items=tuple(slide_answer(record) for record in records[:limit]), next=following)


@router.get("/{slide_id:path}/report")
def get_report(identity: Reader, served: Served, slide_id: SlideIdInPath) -> Report:
    """The report of a slide with its sections and what it states; empty where there is none."""
    return report_answer(served.record(slide_id))


@router.get("/{slide_id:path}/thumbnail", response_class=JpegResponse, responses=UNCHANGED)
def get_thumbnail(
    request: Request, context: InContext, identity: Viewer, served: Served, slide_id: SlideIdInPath, px: Edge = 256
) -> Response:
    """The whole slide as a small picture."""
    image, tiles = context.images.find(served, slide_id), context.tiles
    return picture(request, tiles.etag(image.source), lambda: tiles.thumbnail(image.source, px))


@router.get("/{slide_id:path}/image")
def get_image(context: InContext, identity: Viewer, served: Served, slide_id: SlideIdInPath) -> ImageInfo:
    """How to show the slide by Deep Zoom tiles."""
    image = context.images.find(served, slide_id)
    return ImageInfo.model_validate(context.tiles.info(image.source, image.spacing_um_per_px))


@router.get("/{slide_id:path}/image.dzi", response_class=XmlResponse)
def get_dzi(context: InContext, identity: Viewer, served: Served, slide_id: SlideIdInPath) -> Response:
    """The slide's Deep Zoom description, for viewers that know the format."""
    image = context.images.find(served, slide_id)
    return XmlResponse(context.tiles.info(image.source, image.spacing_um_per_px).dzi())


@router.get("/{slide_id:path}/image_files/{level}/{column}_{row}.jpg", response_class=JpegResponse, responses=UNCHANGED)
def get_tile(
    request: Request,
    context: InContext,
    identity: Viewer,
    served: Served,
    slide_id: SlideIdInPath,
    level: LevelInPath,
    column: PlaceInPath,
    row: PlaceInPath,
) -> Response:
    """One Deep Zoom tile."""
    image, tiles = context.images.find(served, slide_id), context.tiles
    return picture(request, tiles.etag(image.source), lambda: context.tile(image.source, level, column, row))


@router.get("/{slide_id:path}")
def get_slide(identity: Reader, served: Served, slide_id: SlideIdInPath) -> Slide:
    """One slide."""
    return slide_answer(served.record(slide_id))


@router.patch("/{slide_id:path}")
def change_slide(identity: Writer, served: Served, slide_id: SlideIdInPath, changes: SlideChanges) -> Slide:
    """Set metadata of a slide; a new report loses names, dates and numbers of persons."""
    fixed = sorted(set(changes.values) & set(_FIXED))
    if fixed:
        raise InputError(fixed[0], "can't be changed", "Change metadata: diagnosis, organ, case_id and the like")
    return slide_answer(served.archive.update(slide_id, changes.values))


@router.delete("/{slide_id:path}", status_code=204)
def remove_slide(identity: Writer, served: Served, slide_id: SlideIdInPath) -> None:
    """Take a slide out of the archive; its file stays."""
    served.archive.remove([slide_id])
