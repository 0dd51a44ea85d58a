"""Slides to search with: uploaded, inspected, and deleted after a while. They are only ever opened in a sandbox."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from histoseek.rest.archives import ImageInfo
from histoseek.rest.base import Problem
from histoseek.rest.workspace import EncodeRequest, Job, Upload
from histoseek.server.clock import to_datetime
from histoseek.server.http.bodies import read_length, write_body
from histoseek.server.http.dependencies import InContext, Reader, Uploader, Viewer
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
from histoseek.server.routes.jobs import to_job
from histoseek.server.state.annotations import OF_UPLOADS
from histoseek.server.tiles.region import RegionPicture
from histoseek.server.uploads.errors import SandboxBusy
from histoseek.server.uploads.upload_store import StoredUpload

router = APIRouter(prefix="/uploads", tags=["uploads"])

UploadIdInPath = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
FileName = Annotated[
    str, Query(min_length=1, max_length=300, description="Its suffix names the format.", examples=["slide.svs"])
]
Spacing = Annotated[
    float | None, Query(gt=0.01, le=100, description="Spacing in µm/px, for files that do not state it.")
]

_BYTES = {"schema": {"type": "string", "format": "binary"}}
_BODY = {"requestBody": {"required": True, "content": {"application/octet-stream": _BYTES}}}
_REFUSED: dict[int | str, dict[str, Any]] = {
    415: {"model": Problem, "description": "The file name has no suffix of a slide format"},
    507: {"model": Problem, "description": "No space for it at the moment"},
}


@router.post("", status_code=201, openapi_extra=_BODY, responses=_REFUSED)
async def upload(
    request: Request,
    context: InContext,
    caller: Uploader,
    filename: FileName,
    spacing_um_per_px: Spacing = None,
) -> Upload:
    """Upload a slide, or a picture of tissue, as the request's body; it is deleted after a while."""
    expected = read_length(request)
    incoming = await run_in_threadpool(context.uploads.store.begin, caller.name, filename, expected, spacing_um_per_px)
    with incoming:
        await write_body(request, incoming.write)
        stored = await run_in_threadpool(incoming.finish)
    try:
        return to_upload(await run_in_threadpool(context.uploads.inspect, stored))
    except SandboxBusy:
        await run_in_threadpool(context.uploads.store.delete, stored.upload_id, caller.name)
        raise


@router.get("")
def list_uploads(context: InContext, caller: Reader) -> tuple[Upload, ...]:
    """Your uploads, the newest first."""
    return tuple(to_upload(upload) for upload in context.uploads.store.list(caller.name) if upload.facts)


@router.get("/{upload_id}")
def get_upload(context: InContext, caller: Reader, upload_id: UploadIdInPath) -> Upload:
    """One upload."""
    return to_upload(context.uploads.get(upload_id, caller.name))


@router.delete("/{upload_id}", status_code=204)
def delete_upload(context: InContext, caller: Reader, upload_id: UploadIdInPath) -> None:
    """Delete an upload before it expires, or give up one that is being sent."""
    context.uploads.delete(upload_id, caller.name)
    context.annotations.forget_slide(OF_UPLOADS, upload_id)


@router.post("/{upload_id}/encode", status_code=202)
def encode_upload(context: InContext, caller: Uploader, upload_id: UploadIdInPath, request: EncodeRequest) -> Job:
    """Encode an upload for an archive in advance; otherwise the first search with it has to wait."""
    entry = context.archives.get(request.archive)
    context.uploads.get(upload_id, caller.name)
    return to_job(context.jobs.add("encode", entry.name, caller.name, upload_id=upload_id))


@router.get("/{upload_id}/thumbnail", response_class=JpegResponse, responses=UNCHANGED)
def get_upload_thumbnail(
    request: Request, context: InContext, caller: Viewer, upload_id: UploadIdInPath, px: Edge = 256
) -> Response:
    """A thumbnail of the whole slide."""
    upload = context.uploads.get(upload_id, caller.name)
    return respond_with_picture(request, _make_tag(upload), lambda: context.uploads.make_thumbnail(upload, px))


@router.get("/{upload_id}/region", response_class=JpegResponse, responses=UNCHANGED)
def get_upload_region(
    request: Request,
    context: InContext,
    caller: Viewer,
    upload_id: UploadIdInPath,
    region: RegionInQuery,
    px: PictureEdge = None,
    um_per_px: PictureScale = None,
) -> Response:
    """A picture of a region, never magnified; white where the region reaches beyond the slide."""
    upload = context.uploads.get(upload_id, caller.name)
    picture = RegionPicture.create(region, px, um_per_px, upload.spacing_um_per_px)
    return respond_with_picture(request, _make_tag(upload), lambda: context.uploads.make_region(upload, picture))


@router.get("/{upload_id}/image")
def get_upload_image(context: InContext, caller: Viewer, upload_id: UploadIdInPath) -> ImageInfo:
    """What a viewer needs to show the slide by Deep Zoom tiles."""
    return to_upload(context.uploads.get(upload_id, caller.name)).image


@router.get("/{upload_id}/image.dzi", response_class=XmlResponse)
def get_upload_dzi(context: InContext, caller: Viewer, upload_id: UploadIdInPath) -> Response:
    """The slide's Deep Zoom description (DZI)."""
    return XmlResponse(context.uploads.make_dzi(context.uploads.get(upload_id, caller.name)))


@router.get("/{upload_id}/image_files/{level}/{column}_{row}.jpg", response_class=JpegResponse, responses=UNCHANGED)
def get_upload_tile(
    request: Request,
    context: InContext,
    caller: Viewer,
    upload_id: UploadIdInPath,
    level: LevelInPath,
    column: PlaceInPath,
    row: PlaceInPath,
    stain: StainInQuery = None,
) -> Response:
    """One Deep Zoom tile."""
    upload = context.uploads.get(upload_id, caller.name)
    return respond_with_picture(
        request, _make_tag(upload), lambda: context.uploads.make_tile(upload, level, column, row, stain)
    )


def _make_tag(upload: StoredUpload) -> str:
    """Uploads never change."""
    return f'"{upload.upload_id}"'


def to_upload(upload: StoredUpload) -> Upload:
    """An upload as the API shows it."""
    return Upload(
        upload_id=upload.upload_id,
        name=upload.name,
        bytes=upload.size_bytes,
        created=to_datetime(upload.created_s),
        expires=to_datetime(upload.expires_s),
        image=ImageInfo.model_validate(upload.facts),
    )
