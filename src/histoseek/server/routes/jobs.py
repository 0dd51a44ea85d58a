"""Long work: indexing and encoding, watched by server-sent events."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi import Path as InPath
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from histoseek.archive.filters.expression import compare, one_of
from histoseek.archive.indexing.waiting_slides import CleanSlide, WaitingSlide, clean_waiting_slides
from histoseek.errors import InputError
from histoseek.reports.files.column_names import recognise_column
from histoseek.rest.workspace import FileToIndex, ImportFile, ImportListing, Job, JobRefusal, JobRequest, UploadToIndex
from histoseek.server.archives.registry import ArchiveEntry
from histoseek.server.clock import to_datetime
from histoseek.server.context import Context
from histoseek.server.errors import Conflict, Forbidden
from histoseek.server.http.dependencies import EntryInPath, InContext, Reader, Writer
from histoseek.server.jobs.import_folder import describe_import_file, find_import_file, list_import_files
from histoseek.server.jobs.job_spec import PLACEHOLDER, NewSlide, dump_spec, hide_name
from histoseek.server.jobs.job_store import StoredJob
from histoseek.server.security.access import Caller
from histoseek.server.uploads.upload_store import StoredUpload
from histoseek.slides.sources.file import FileSource

router = APIRouter(tags=["jobs"])

JobId = Annotated[str, InPath(pattern=r"^[0-9a-f]{16}$")]
_LOOKS_AFTER_S = 0.05
_LOOKS_EVERY_S = 0.5
"""Of a job that has just changed, and of one that has not for a while."""

_PING_S = 15
_EVENTS: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}}}
_RESERVED_ROLES = frozenset({"file", "slide_id", "report_id", "report"})
"""Of columns of tables that say which slide a row is about, and the report: not for metadata."""


@router.post("/archives/{archive}/jobs", status_code=202)
def start_index(context: InContext, caller: Writer, entry: EntryInPath, request: JobRequest) -> Job:
    """Index uploads, which are then kept, files of the server's import folder, or else everything in that folder."""
    folder = require_import_folder(context)
    uploads, clean_uploads = _read_uploads(context, caller, entry, request.uploads)
    files, clean_files = _read_files(folder, entry, request.files)
    with context.kept_slides.keep(entry, uploads):
        slides = [
            *(_keep(context, upload, one) for upload, one in zip(uploads, clean_uploads, strict=True)),
            *(_to_new_slide(folder, file, one) for file, one in zip(files, clean_files, strict=True)),
        ]
        return to_job(context.jobs.add("index", entry.name, caller.name, dump_spec(slides)))


@router.get("/archives/{archive}/import")
def list_import_folder(
    context: InContext,
    caller: Writer,
    entry: EntryInPath,
    after: Annotated[str | None, Query(max_length=1000)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 200,
) -> ImportListing:
    """The slides in the server's import folder, by name, and which of them the archive has."""
    folder = require_import_folder(context)
    listing = list_import_files(folder)
    first = bisect_right(listing.names, after) if after is not None else 0
    names = listing.names[first : first + limit]
    known = find_archived_files(entry, folder, names)
    refused = {} if known.keys() >= set(names) else context.jobs.find_refused_files(entry.name, caller.name)
    items = tuple(
        ImportFile(
            name=file.name,
            bytes=file.size_bytes,
            changed=to_datetime(file.changed_s),
            slide_id=known.get(file.name),
            refused=refused.get(file.name) if file.name not in known else None,
        )
        for name in names
        if (file := describe_import_file(folder, name)) is not None
    )
    more = first + limit < len(listing.names)
    return ImportListing(items=items, next=names[-1] if more else None, total=len(listing.names), is_cut=listing.is_cut)


@router.post("/jobs/{job_id}/retry", status_code=202)
def retry_job(context: InContext, caller: Writer, job_id: JobId) -> Job:
    """Index the files of the import folder again that a job did not take in; uploads are to be named anew."""
    job = context.jobs.get(job_id, caller.name)
    folder = require_import_folder(context)
    names = sorted({one.file for one in job.outcome.refused if one.file})
    if not names:
        raise Conflict("job", "refused no file of the import folder", "Start a job with the uploads once more")
    slides = [NewSlide(find_import_file(folder, name), name, {}, None) for name in names]
    return to_job(context.jobs.add("index", job.archive, caller.name, dump_spec(slides)))


@router.get("/jobs")
def list_jobs(context: InContext, caller: Reader) -> tuple[Job, ...]:
    """Your jobs, the newest first."""
    return tuple(to_job(job, context.jobs.now) for job in context.jobs.list(caller.name))


@router.get("/jobs/{job_id}")
def get_job(context: InContext, caller: Reader, job_id: JobId) -> Job:
    """One job."""
    return to_job(context.jobs.get(job_id, caller.name), context.jobs.now)


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


def to_job(job: StoredJob, now: float | None = None) -> Job:
    """A job as the API shows it; now: for how fast it goes on, by the clock of jobs."""
    rate = job.measure_rate(now) if now is not None and job.state == "running" else None
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
        per_minute=60 * rate if rate else None,
        seconds_left=max(0, job.total - job.done) / rate if rate and job.total else None,
    )


async def _stream_events(context: Context, job_id: str) -> AsyncIterator[ServerSentEvent]:
    last_job, pause_s = None, _LOOKS_AFTER_S
    while not context.shutdown.is_set():
        job = await run_in_threadpool(context.jobs.get, job_id)
        if job != last_job:
            yield ServerSentEvent(to_job(job, context.jobs.now).model_dump_json(), event="job")
            last_job, pause_s = job, _LOOKS_AFTER_S
        if job.has_ended:
            return
        await asyncio.sleep(pause_s)
        pause_s = min(1.5 * pause_s, _LOOKS_EVERY_S)


def require_import_folder(context: Context) -> Path:
    """The server's import folder; raises Forbidden where it has none."""
    if context.settings.import_folder is None:
        raise Forbidden("server", "has no folder to keep slides in", "Start it with --import-folder")
    return context.settings.import_folder


def find_archived_files(entry: ArchiveEntry, folder: Path, names: Sequence[str]) -> Mapping[str, str]:
    """The ids of the archive's slides that lie in these files of a folder, by the files' names."""
    uris = {FileSource(folder.absolute() / name).uri: name for name in names}
    if not uris or entry.archive.space is None:
        return {}
    records = entry.archive.records(one_of("uri", uris), limit=len(uris))
    return {uris[record.uri]: record.slide_id for record in records if record.uri in uris}


def _check_columns(items: Sequence[UploadToIndex | FileToIndex]) -> None:
    """Raise InputError for metadata in columns that say which slide a row is about."""
    for item in items:
        roles = {name: recognise_column(name) for name in sorted(item.metadata)}
        reserved = [name for name, named in roles.items() if named and named.role in _RESERVED_ROLES]
        if reserved:
            raise InputError(reserved[0], "is not a metadata column", "Give slide_id and report beside the metadata")


def _read_uploads(
    context: Context, caller: Caller, entry: ArchiveEntry, items: Sequence[UploadToIndex]
) -> tuple[list[StoredUpload], list[CleanSlide]]:
    """The uploads of a request, and what is given with them without identifiers: only that is ever stored."""
    _check_columns(items)
    uploads = [context.uploads.get(item.upload_id, caller.name) for item in items]
    waiting = [
        _to_waiting(entry, item, PurePath(upload.name).stem, upload.spacing_um_per_px)
        for item, upload in zip(items, uploads, strict=True)
    ]
    return uploads, clean_waiting_slides(waiting, choice=True)


def _read_files(folder: Path, entry: ArchiveEntry, items: Sequence[FileToIndex]) -> tuple[list[Path], list[CleanSlide]]:
    """As of uploads, the files of the import folder that a request names."""
    _check_columns(items)
    files = [find_import_file(folder, item.name) for item in items]
    waiting = [_to_waiting(entry, item, file.stem, None) for item, file in zip(items, files, strict=True)]
    return files, clean_waiting_slides(waiting, choice=True)


def _to_new_slide(folder: Path, file: Path, clean: CleanSlide) -> NewSlide:
    name = file.relative_to(folder.absolute()).as_posix()
    return NewSlide(file, hide_name(name) if clean.has_private_name else name, clean.metadata, clean.report)


def _keep(context: Context, upload: StoredUpload, clean: CleanSlide) -> NewSlide:
    """An upload as its job needs it, with its file copied to where slides are kept."""
    is_private = clean.has_private_name or PurePath(upload.name).stem == PLACEHOLDER
    file = context.kept_slides.copy(upload, is_private)
    return NewSlide(file, hide_name(upload.name) if is_private else upload.name, clean.metadata, clean.report)


def _to_waiting(
    entry: ArchiveEntry, item: UploadToIndex | FileToIndex, stem: str, spacing_um_per_px: float | None
) -> WaitingSlide:
    defaults = {"spacing": spacing_um_per_px, "slide_id": item.slide_id}
    metadata = {name: str(value) for name, value in (defaults | item.metadata).items() if value is not None}
    same_id = compare("slide_id", "=", item.slide_id or "")
    records = entry.archive.records(same_id, limit=1) if item.slide_id else []
    return WaitingSlide(stem, metadata, item.report, next(iter(records), None))
