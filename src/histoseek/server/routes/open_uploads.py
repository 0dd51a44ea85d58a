"""Slides in several files, and large ones: opened, sent in pieces that may be interrupted, and completed."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.concurrency import run_in_threadpool

from histoseek.rest.base import Problem
from histoseek.rest.uploads import OpenUpload, PlanRequest, UploadOpening, UploadPart, UploadPlan
from histoseek.rest.workspace import Upload
from histoseek.server.clock import to_datetime
from histoseek.server.http.bodies import write_body
from histoseek.server.http.dependencies import InContext, Reader, Uploader
from histoseek.server.routes.uploads import UploadIdInPath, to_upload
from histoseek.server.uploads import open_uploads, upload_plan
from histoseek.server.uploads.open_uploads import NewFile
from histoseek.server.uploads.upload_plan import OfferedFile, plan_uploads

router = APIRouter(prefix="/uploads", tags=["uploads"])

FileNumber = Annotated[int, Path(ge=0, lt=10_000, description="Of the file, from 0, as they were named.")]
Offset = Annotated[int, Query(ge=0, le=2**50, description="How many bytes of the file have arrived already.")]

_BYTES = {"schema": {"type": "string", "format": "binary"}}
_BODY = {"requestBody": {"required": True, "content": {"application/octet-stream": _BYTES}}}
_REFUSED: dict[int | str, dict[str, Any]] = {
    415: {"model": Problem, "description": "No file's name has a suffix of a slide format"},
    507: {"model": Problem, "description": "No space for it at the moment"},
}


@router.post("/plan")
def plan(context: InContext, caller: Reader, request: PlanRequest) -> UploadPlan:
    """What chosen files are, by their names: slides of one or several files, and the reports that go with them."""
    found = plan_uploads([OfferedFile(file.name, file.series) for file in request.files])
    return _to_plan(found)


@router.get("/open")
def list_open_uploads(context: InContext, caller: Reader) -> tuple[OpenUpload, ...]:
    """Your uploads that can be gone on with, the newest first: half-sent ones, and whole ones to be completed."""
    return tuple(_to_open(upload) for upload in context.uploads.opened.list(caller.name))


@router.post("/open", status_code=201, responses=_REFUSED)
def open_upload(context: InContext, caller: Uploader, request: UploadOpening) -> OpenUpload:
    """Begin an upload of one slide in one or several files, or go on with one that was begun before.

    It is gone on with where the same files are half-sent: of the same names, sizes and times of change.
    """
    files = [NewFile(file.name, file.bytes, _to_seconds(file.modified)) for file in request.files]
    return _to_open(context.uploads.opened.open(caller.name, files, request.spacing_um_per_px))


@router.get("/{upload_id}/files")
def get_open_upload(context: InContext, caller: Reader, upload_id: UploadIdInPath) -> OpenUpload:
    """How much of each file has arrived."""
    return _to_open(context.uploads.opened.get(upload_id, caller.name))


@router.put("/{upload_id}/files/{number}", openapi_extra=_BODY)
async def send_part(
    request: Request,
    context: InContext,
    caller: Reader,
    upload_id: UploadIdInPath,
    number: FileNumber,
    offset: Offset = 0,
) -> UploadPart:
    """Send a file, or the next piece of it, as the request's body."""
    with context.uploads.opened.receive(upload_id, caller.name, number, offset) as writer:
        await write_body(request, writer.write)
        await run_in_threadpool(writer.flush)
    part = writer.part
    return UploadPart(number=number, name=part.name, bytes=part.size_bytes, received=writer.received_bytes)


@router.post("/{upload_id}/complete")
def complete_upload(context: InContext, caller: Reader, upload_id: UploadIdInPath) -> Upload:
    """Look at a slide whose files have all arrived; to be asked again when the server was busy."""
    return to_upload(context.uploads.complete(upload_id, caller.name))


def _to_open(upload: open_uploads.OpenUpload) -> OpenUpload:
    return OpenUpload(
        upload_id=upload.upload_id,
        name=upload.name,
        spacing_um_per_px=upload.spacing_um_per_px,
        created=to_datetime(upload.created_s),
        expires=to_datetime(upload.expires_s),
        files=tuple(
            UploadPart(number=number, name=part.name, bytes=part.size_bytes, received=received)
            for number, (part, received) in enumerate(zip(upload.parts, upload.received_bytes, strict=True))
        ),
    )


def _to_seconds(time: datetime | None) -> float | None:
    return None if time is None else time.timestamp()


def _to_plan(found: upload_plan.UploadPlan) -> UploadPlan:
    return UploadPlan.model_validate(asdict(found))
