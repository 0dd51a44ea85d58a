"""Slides to ask with: uploaded, looked at, and gone after a while. They are only ever opened in a sandbox."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from histoseek.rest.archives import ImageInfo
from histoseek.rest.base import Problem
from histoseek.rest.work import EncodeRequest, Job, Upload
from histoseek.server.clock import moment
from histoseek.server.http.dependencies import InContext, Reader, Uploader, Viewer
from histoseek.server.routes.jobs import job_answer
from histoseek.server.routes.pictures import (
    UNCHANGED,
    Edge,
    JpegResponse,
    LevelInPath,
    PlaceInPath,
    XmlResponse,
    picture,
)
from histoseek.server.uploads.store import Incoming, StoredUpload

router = APIRouter(prefix="/uploads", tags=["uploads"])

UploadIdInPath = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
FileName = Annotated[
    str, Query(min_length=1, max_length=300, description="Its ending says the format.", examples=["slide.svs"])
]
Spacing = Annotated[float | None, Query(gt=0.01, le=100, description="um/px, for files that don't say it.")]

_BYTES = {"schema": {"type": "string", "format": "binary"}}
_BODY = {"requestBody": {"required": True, "content": {"application/octet-stream": _BYTES}}}
_REFUSED: dict[int | str, dict[str, Any]] = {
    415: {"model": Problem, "description": "The name does not end like a slide's"},
    507: {"model": Problem, "description": "No room for it now"},
}
_WRITTEN_AT_ONCE = 2**20


@router.post("", status_code=201, openapi_extra=_BODY, responses=_REFUSED)
async def upload(
    request: Request,
    context: InContext,
    identity: Uploader,
    filename: FileName,
    spacing_um_per_px: Spacing = None,
) -> Upload:
    """Send a slide, or a picture of tissue, as the request's body; it is deleted after a while."""
    announced = request.headers.get("content-length")
    expected = int(announced) if announced else None
    incoming = await run_in_threadpool(
        context.uploads.store.begin, identity.name, filename, expected, spacing_um_per_px
    )
    with incoming:
        await _receive(request, incoming)
        stored = await run_in_threadpool(incoming.finish)
    return _answer(await run_in_threadpool(context.uploads.looked_at, stored))


@router.get("")
def list_uploads(context: InContext, identity: Reader) -> tuple[Upload, ...]:
    """The asker's uploads, the newest first."""
    return tuple(_answer(one) for one in context.uploads.store.list(identity.name) if one.facts)


@router.get("/{upload_id}")
def get_upload(context: InContext, identity: Reader, upload_id: UploadIdInPath) -> Upload:
    """One upload."""
    return _answer(context.uploads.get(upload_id, identity.name))


@router.delete("/{upload_id}", status_code=204)
def delete_upload(context: InContext, identity: Reader, upload_id: UploadIdInPath) -> None:
    """Delete an upload before its time."""
    context.uploads.store.delete(upload_id, identity.name)


@router.post("/{upload_id}/encode", status_code=202)
def encode_upload(context: InContext, identity: Uploader, upload_id: UploadIdInPath, request: EncodeRequest) -> Job:
    """Encode an upload as an archive needs it; searches with it wait for that otherwise."""
    served = context.archives.get(request.archive)
    context.uploads.get(upload_id, identity.name)
    return job_answer(context.jobs.add("encode", served.name, identity.name, upload_id=upload_id))


@router.get("/{upload_id}/thumbnail", response_class=JpegResponse, responses=UNCHANGED)
def get_upload_thumbnail(
    request: Request, context: InContext, identity: Viewer, upload_id: UploadIdInPath, px: Edge = 256
) -> Response:
    """The whole slide as a small picture."""
    one = context.uploads.get(upload_id, identity.name)
    return picture(request, _tag(one), lambda: context.uploads.thumbnail(one, px))


@router.get("/{upload_id}/image")
def get_upload_image(context: InContext, identity: Viewer, upload_id: UploadIdInPath) -> ImageInfo:
    """How to show the slide by Deep Zoom tiles."""
    return _answer(context.uploads.get(upload_id, identity.name)).image


@router.get("/{upload_id}/image.dzi", response_class=XmlResponse)
def get_upload_dzi(context: InContext, identity: Viewer, upload_id: UploadIdInPath) -> Response:
    """The slide's Deep Zoom description, for viewers that know the format."""
    return XmlResponse(context.uploads.dzi(context.uploads.get(upload_id, identity.name)))


@router.get("/{upload_id}/image_files/{level}/{column}_{row}.jpg", response_class=JpegResponse, responses=UNCHANGED)
def get_upload_tile(
    request: Request,
    context: InContext,
    identity: Viewer,
    upload_id: UploadIdInPath,
    level: LevelInPath,
    column: PlaceInPath,
    row: PlaceInPath,
) -> Response:
    """One Deep Zoom tile."""
    one = context.uploads.get(upload_id, identity.name)
    return picture(request, _tag(one), lambda: context.uploads.tile(one, level, column, row))


async def _receive(request: Request, incoming: Incoming) -> None:
    """Write the body as it comes, a MB at a time."""
    held = bytearray()
    async for chunk in request.stream():
        held += chunk
        if len(held) >= _WRITTEN_AT_ONCE:
            await run_in_threadpool(incoming.write, bytes(held))
            held.clear()
    if held:
        await run_in_threadpool(incoming.write, bytes(held))


def _tag(one: StoredUpload) -> str:
    """Uploads never change."""
    return f'"{one.upload_id}"'


def _answer(one: StoredUpload) -> Upload:
    return Upload(
        upload_id=one.upload_id,
        name=one.name,
        bytes=one.size_bytes,
        created=moment(one.created_s),
        expires=moment(one.expires_s),
        image=ImageInfo.model_validate(one.facts),
    )
