"""Long work: indexing and encoding, watched by server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import PurePath
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from fastapi import Path as InPath
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from histoseek.archive.filters.expression import compare
from histoseek.archive.indexing.waiting_slides import CleanSlide, WaitingSlide, clean_waiting_slides
from histoseek.errors import InputError
from histoseek.reports.files.column_names import recognise_column
from histoseek.rest.workspace import Job, JobRefusal, JobRequest, UploadToIndex
from histoseek.server.archives.registry import ArchiveEntry
from histoseek.server.clock import to_datetime
from histoseek.server.context import Context
from histoseek.server.errors import Forbidden
from histoseek.server.http.dependencies import EntryInPath, InContext, Reader, Writer
from histoseek.server.jobs.job_spec import PLACEHOLDER, NewSlide, dump_spec, hide_name
from histoseek.server.jobs.job_store import StoredJob
from histoseek.server.security.access import Caller
from histoseek.server.uploads.upload_store import StoredUpload

router = APIRouter(tags=["jobs"])

JobId = Annotated[str, InPath(pattern=r"^[0-9a-f]{16}$")]
_LOOKS_EVERY_S = 0.5
_PING_S = 15
_EVENTS: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}}}
_RESERVED_ROLES = frozenset({"file", "slide_id", "report_id", "report"})
"""Of columns of tables that say which slide a row is about, and the report: not for metadata."""


@router.post("/archives/{archive}/jobs", status_code=202)
def start_index(context: InContext, caller: Writer, entry: EntryInPath, request: JobRequest) -> Job:
    """Index uploads, which are then kept, or else everything in the server's import folder."""
    if context.settings.import_folder is None:
        raise Forbidden("server", "has no folder to keep slides in", "Start it with --import-folder")
    uploads, clean = _read_request(context, caller, entry, request.uploads)
    with context.kept_slides.keep(entry, uploads):
        slides = [_keep(context, upload, one) for upload, one in zip(uploads, clean, strict=True)]
        return to_job(context.jobs.add("index", entry.name, caller.name, dump_spec(slides)))


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
    job = context.jobs.get(job_id, caller.name)
    context.jobs.cancel(job_id)
    if context.jobs.get(job_id).has_ended:
        context.kept_slides.release_job(job)
    return to_job(context.jobs.get(job_id))


async def _count_stream(context: InContext, caller: Reader) -> AsyncIterator[None]:
    """Counted before anything is waited for, until the answer has ended: many that come at once don't slip through."""
    with context.event_streams.hold(caller.token_id):
        yield


@router.get(
    "/jobs/{job_id}/events",
    response_class=EventSourceResponse,
    responses=_EVENTS,
    dependencies=[Depends(_count_stream)],
)
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


def _read_request(
    context: Context, caller: Caller, entry: ArchiveEntry, items: Sequence[UploadToIndex]
) -> tuple[list[StoredUpload], list[CleanSlide]]:
    """The uploads of a request, and what is given with them without identifiers: only that is ever stored."""
    for item in items:
        roles = {name: recognise_column(name) for name in sorted(item.metadata)}
        reserved = [name for name, named in roles.items() if named and named.role in _RESERVED_ROLES]
        if reserved:
            raise InputError(reserved[0], "is not a metadata column", "Give slide_id and report beside the metadata")
    uploads = [context.uploads.get(item.upload_id, caller.name) for item in items]
    waiting = [_to_waiting(entry, item, upload) for item, upload in zip(items, uploads, strict=True)]
    return uploads, clean_waiting_slides(waiting, choice=True)


def _keep(context: Context, upload: StoredUpload, clean: CleanSlide) -> NewSlide:
    """An upload as its job needs it, with its file copied to where slides are kept."""
    is_private = clean.has_private_name or PurePath(upload.name).stem == PLACEHOLDER
    file = context.kept_slides.copy(upload, is_private)
    return NewSlide(file, hide_name(upload.name) if is_private else upload.name, clean.metadata, clean.report)


def _to_waiting(entry: ArchiveEntry, item: UploadToIndex, upload: StoredUpload) -> WaitingSlide:
    defaults = {"spacing": upload.spacing_um_per_px, "slide_id": item.slide_id}
    metadata = {name: str(value) for name, value in (defaults | item.metadata).items() if value is not None}
    same_id = compare("slide_id", "=", item.slide_id or "")
    records = entry.archive.records(same_id, limit=1) if item.slide_id else []
    return WaitingSlide(PurePath(upload.name).stem, metadata, item.report, next(iter(records), None))
