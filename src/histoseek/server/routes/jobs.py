"""Long work: indexing and encoding, watched by server-sent events."""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi import Path as InPath
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from histoseek.errors import InputError
from histoseek.reports.files.column_names import recognise_column
from histoseek.rest.workspace import Job, JobRefusal, JobRequest, UploadToIndex
from histoseek.server.clock import to_datetime
from histoseek.server.context import Context
from histoseek.server.errors import Forbidden
from histoseek.server.http.dependencies import EntryInPath, InContext, Reader, Writer
from histoseek.server.jobs.job_store import StoredJob
from histoseek.server.jobs.runner import UPLOADS_FOLDER
from histoseek.server.security.access import Caller

router = APIRouter(tags=["jobs"])

JobId = Annotated[str, InPath(pattern=r"^[0-9a-f]{16}$")]
_LOOKS_EVERY_S = 0.5
_PING_S = 15
_MAX_STEM_BYTES = 200
_EVENTS: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}}}
_RESERVED_ROLES = frozenset({"file", "slide_id", "report_id", "report"})
"""Of columns of tables that say which slide a row is about, and the report: not for metadata."""


@router.post("/archives/{archive}/jobs", status_code=202)
def start_index(context: InContext, caller: Writer, entry: EntryInPath, request: JobRequest) -> Job:
    """Index uploads, which are then kept, or else everything in the server's import folder."""
    if context.settings.import_folder is None:
        raise Forbidden("server", "has no folder to keep slides in", "Start it with --import-folder")
    slides = [_keep_upload(context, caller, item) for item in request.uploads]
    return to_job(context.jobs.add("index", entry.name, caller.name, json.dumps({"slides": slides})))


@router.get("/jobs")
def list_jobs(context: InContext, caller: Reader) -> tuple[Job, ...]:
    """Your jobs, the newest first."""
    return tuple(to_job(job) for job in context.jobs.list(caller.name))


@router.get("/jobs/{job_id}")
def get_job(context: InContext, caller: Reader, job_id: JobId) -> Job:
    """One job."""
    return to_job(context.jobs.get(job_id, caller.name))


@router.delete("/jobs/{job_id}", status_code=202)
def cancel_job(context: InContext, caller: Reader, job_id: JobId) -> Job:
    """Cancel a job; what it has done stays."""
    context.jobs.get(job_id, caller.name)
    context.jobs.cancel(job_id)
    return to_job(context.jobs.get(job_id))


@router.get("/jobs/{job_id}/events", response_class=EventSourceResponse, responses=_EVENTS)
async def watch_job(context: InContext, caller: Reader, job_id: JobId) -> EventSourceResponse:
    """Server-sent events: `job`, with the job as JSON, whenever it changes and until it has ended."""
    await run_in_threadpool(context.jobs.get, job_id, caller.name)
    return EventSourceResponse(_stream_events(context, job_id), ping=_PING_S)


def to_job(job: StoredJob) -> Job:
    """A job as the API shows it."""
    return Job(
        job_id=job.job_id,
        kind=job.kind,
        upload_id=job.upload_id,
        archive=job.archive,
        state=job.state,
        created=to_datetime(job.created),
        started=to_datetime(job.started) if job.started else None,
        ended=to_datetime(job.ended) if job.ended else None,
        done=job.done,
        total=job.total,
        part=job.part,
        added=job.outcome.added,
        updated=job.outcome.updated,
        unchanged=job.outcome.unchanged,
        refused=tuple(JobRefusal.model_validate(item) for item in job.outcome.refused),
        warnings=job.outcome.warnings,
        passed_over=dict(job.outcome.passed_over),
        error=job.error,
    )


async def _stream_events(context: Context, job_id: str) -> AsyncIterator[ServerSentEvent]:
    last_job = None
    while not context.shutdown.is_set():
        job = await run_in_threadpool(context.jobs.get, job_id)
        if job != last_job:
            yield ServerSentEvent(to_job(job).model_dump_json(), event="job")
            last_job = job
        if job.has_ended:
            return
        await asyncio.sleep(_LOOKS_EVERY_S)


def _keep_upload(context: Context, caller: Caller, item: UploadToIndex) -> dict[str, object]:
    """An upload as its job needs it, with its file copied to where slides are kept."""
    roles = {name: recognise_column(name) for name in sorted(item.metadata)}
    reserved = [name for name, named in roles.items() if named and named.role in _RESERVED_ROLES]
    if reserved:
        raise InputError(reserved[0], "is not a metadata column", "Give slide_id and report beside the metadata")
    upload = context.uploads.get(item.upload_id, caller.name)
    folder = Path(context.settings.import_folder or "") / UPLOADS_FOLDER / item.upload_id
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / make_file_name(upload.name, upload.path.suffix)
    if not file.exists():
        _copy(upload.path, file)
    defaults = {"spacing": upload.spacing_um_per_px, "slide_id": item.slide_id}
    metadata = {name: str(value) for name, value in (defaults | item.metadata).items() if value is not None}
    return {"file": str(file), "name": upload.name, "metadata": metadata, "report": item.report}


def make_file_name(name: str, suffix: str) -> str:
    """A display name as that of a file, visible and not too long for a disk; it becomes the slide's id."""
    stem = name.rpartition(".")[0].lstrip(". ").encode()[:_MAX_STEM_BYTES].decode(errors="ignore")
    return f"{stem or 'slide'}{suffix}"


def _copy(source: Path, target: Path) -> None:
    """Copy a file so that it is there whole or not at all."""
    part = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
    try:
        shutil.copyfile(source, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
