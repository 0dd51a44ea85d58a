"""Slides of an archive: records, reports, pictures; changes where this server allows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response

from histoseek.errors import InputError
from histoseek.rest.archives import (
    ChangedSlide,
    Erasure,
    ImageInfo,
    ListRequest,
    RemovedSlide,
    Report,
    Slide,
    SlideChanges,
    SlideListing,
)
from histoseek.rest.base import Page
from histoseek.search.scope.listing import list_by_id
from histoseek.server.archives.images import SlideImage
from histoseek.server.archives.registry import ArchiveEntry
from histoseek.server.context import Context
from histoseek.server.http.dependencies import EntryInPath, InContext, Reader, SlideIdInPath, Viewer, Writer
from histoseek.server.http.responses import to_report, to_slide, to_slide_listing
from histoseek.server.http.search_requests import check_where, to_list_options
from histoseek.server.routes.image_responses import (
    UNCHANGED,
    Edge,
    JpegResponse,
    LevelInPath,
    PictureEdge,
    PictureScale,
    PlaceInPath,
    RegionInQuery,
    StainInQuery,
    XmlResponse,
    respond_with_picture,
)
from histoseek.server.security.access import Caller
from histoseek.server.tiles.region import RegionPicture

router = APIRouter(prefix="/archives/{archive}/slides", tags=["slides"])
"""Ids may hold slashes, so what goes on behind an id is looked for first, and the slide itself last."""

Where = Annotated[str | None, Query(max_length=2000, description="Filter over metadata.")]
EraseChoice = Annotated[
    Literal["now", "later"] | None,
    Query(description="When the bytes of what was removed or replaced are erased; `later`: when they are due."),
]
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
    caller: Reader,
    entry: EntryInPath,
    where: Where = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    after: Annotated[str | None, Query(max_length=200, description="`next` of the previous page.")] = None,
) -> Page[Slide]:
    """Slides in the order of their ids, page by page."""
    options = list_by_id(check_where(where), limit, after)
    page = entry.archive.list_slides(options)
    return Page(items=tuple(map(to_slide, page.records)), next=page.records[-1].slide_id if page.next else None)


@router.post("/list")
def list_slides_by(caller: Reader, entry: EntryInPath, request: ListRequest) -> SlideListing:
    """Slides of a filter in any order, by default the newest first, page by page, with how many there are.

    Pages go on where the last one ended, also when slides were added or removed meanwhile.
    """
    return to_slide_listing(entry.archive.list_slides(to_list_options(request)))


@router.get("/{slide_id:path}/report")
def get_report(caller: Reader, entry: EntryInPath, slide_id: SlideIdInPath) -> Report:
    """The report of a slide with its sections and facts; empty if it has none."""
    return to_report(entry.get_record(slide_id))


@router.get("/{slide_id:path}/thumbnail", response_class=JpegResponse, responses=UNCHANGED)
async def get_thumbnail(
    request: Request, context: InContext, caller: Viewer, entry: EntryInPath, slide_id: SlideIdInPath, px: Edge = 256
) -> Response:
    """A thumbnail of the whole slide."""

    def make(image: SlideImage) -> bytes:
        return context.tiles.make_thumbnail(image.source, px)

    return await _respond(context, request, entry, slide_id, make)


@router.get("/{slide_id:path}/region", response_class=JpegResponse, responses=UNCHANGED)
async def get_region(
    request: Request,
    context: InContext,
    caller: Viewer,
    entry: EntryInPath,
    slide_id: SlideIdInPath,
    region: RegionInQuery,
    px: PictureEdge = None,
    um_per_px: PictureScale = None,
) -> Response:
    """A picture of a region, never magnified; white where the region reaches beyond the slide."""

    def make(image: SlideImage) -> bytes:
        picture = RegionPicture.create(region, px, um_per_px, image.spacing_um_per_px)
        return context.tiles.make_region(image.source, picture)

    return await _respond(context, request, entry, slide_id, make)


async def _respond(
    context: Context, request: Request, entry: ArchiveEntry, slide_id: str, make: Callable[[SlideImage], bytes]
) -> Response:
    """A picture of a slide, made when its turn comes: who waits takes no thread from others."""

    def respond() -> Response:
        image = context.images.find(entry, slide_id)
        return respond_with_picture(request, context.tiles.compute_etag(image.source), lambda: make(image))

    return await context.tile_queue.run(respond)


@router.get("/{slide_id:path}/image")
def get_image(context: InContext, caller: Viewer, entry: EntryInPath, slide_id: SlideIdInPath) -> ImageInfo:
    """What a viewer needs to show the slide by Deep Zoom tiles."""
    image = context.images.find(entry, slide_id)
    return ImageInfo.model_validate(context.tiles.describe(image.source, image.spacing_um_per_px))


@router.get("/{slide_id:path}/image.dzi", response_class=XmlResponse)
def get_dzi(context: InContext, caller: Viewer, entry: EntryInPath, slide_id: SlideIdInPath) -> Response:
    """The slide's Deep Zoom description (DZI)."""
    image = context.images.find(entry, slide_id)
    return XmlResponse(context.tiles.describe(image.source, image.spacing_um_per_px).to_dzi())


@router.get("/{slide_id:path}/image_files/{level}/{column}_{row}.jpg", response_class=JpegResponse, responses=UNCHANGED)
async def get_tile(
    request: Request,
    context: InContext,
    caller: Viewer,
    entry: EntryInPath,
    slide_id: SlideIdInPath,
    level: LevelInPath,
    column: PlaceInPath,
    row: PlaceInPath,
    stain: StainInQuery = None,
) -> Response:
    """One Deep Zoom tile."""

    def make(image: SlideImage) -> bytes:
        return context.make_tile(image.source, level, column, row, stain)

    return await _respond(context, request, entry, slide_id, make)


@router.get("/{slide_id:path}")
def get_slide(caller: Reader, entry: EntryInPath, slide_id: SlideIdInPath) -> Slide:
    """One slide."""
    return to_slide(entry.get_record(slide_id))


@router.patch("/{slide_id:path}")
def change_slide(
    context: InContext,
    caller: Writer,
    entry: EntryInPath,
    slide_id: SlideIdInPath,
    changes: SlideChanges,
    erase: EraseChoice = None,
) -> ChangedSlide:
    """Set metadata of a slide; identifiers are removed from a new report. By default a replaced report is erased."""
    fixed_columns = sorted(set(changes.values) & set(_FIXED))
    if fixed_columns:
        raise InputError(
            fixed_columns[0], "can't be changed", "Change metadata: diagnosis, organ, case_id and the like"
        )
    record = entry.archive.update(slide_id, changes.values)
    is_erased_now = erase == "now" or (erase is None and "report" in changes.values)
    erasure = _erase(context, caller, entry, is_erased_now)
    return ChangedSlide(**{**to_slide(record).model_dump(), **erasure.model_dump()})


@router.delete("/{slide_id:path}")
def remove_slide(
    context: InContext, caller: Writer, entry: EntryInPath, slide_id: SlideIdInPath, erase: EraseChoice = "now"
) -> RemovedSlide:
    """Remove a slide from the archive, and what the server keeps of it; a file that it was not given stays."""
    context.removal.remove(entry, slide_id)
    erasure = _erase(context, caller, entry, erase != "later")
    return RemovedSlide(slide_id=slide_id, **erasure.model_dump())


def _erase(context: Context, caller: Caller, entry: ArchiveEntry, is_erased_now: bool) -> Erasure:
    """Erase what was removed or replaced, or say that it waits."""
    job = context.removal.erase(entry, caller.name) if is_erased_now else None
    is_erased = entry.archive.pending_erasure is None and not context.state.holds_traces
    return Erasure(erased=is_erased, job_id=job.job_id if job else None)
