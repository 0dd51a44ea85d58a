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
from histoseek.rest.work import Job, JobRefusal, JobRequest, UploadToIndex
from histoseek.server.clock import moment
from histoseek.server.context import Context
from histoseek.server.errors import Forbidden
from histoseek.server.http.dependencies import InContext, Reader, Served, Writer
from histoseek.server.jobs.runner import UPLOADED
from histoseek.server.jobs.store import StoredJob
from histoseek.server.security.access import Identity

router = APIRouter(tags=["jobs"])

JobId = Annotated[str, InPath(pattern=r"^[0-9a-f]{16}$")]
_LOOKS_EVERY_S = 0.5
_PING_S = 15
_EVENTS: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}}}
_OWN_FIELDS = frozenset({"file", "filename", "path", "slide", "slide_id", "report", "text"})
"""Columns of tables that say which slide a row is about, and the report: not for metadata."""


@router.post("/archives/{archive}/jobs", status_code=202)
def start_index(context: InContext, identity: Writer, served: Served, request: JobRequest) -> Job:
    """Index uploads, which are kept from now on, or else all that lies in the server's import folder."""
    if context.settings.import_folder is None:
        raise Forbidden("server", "has no folder to keep slides in", "Start it with --import-folder")
    slides = [_kept(context, identity, one) for one in request.uploads]
    return job_answer(context.jobs.add("index", served.name, identity.name, json.dumps({"slides": slides})))


@router.get("/jobs")
def list_jobs(context: InContext, identity: Reader) -> tuple[Job, ...]:
    """The asker's jobs, the newest first."""
    return tuple(job_answer(job) for job in context.jobs.list(identity.name))


@router.get("/jobs/{job_id}")
def get_job(context: InContext, identity: Reader, job_id: JobId) -> Job:
    """One job."""
    return job_answer(context.jobs.get(job_id, identity.name))


@router.delete("/jobs/{job_id}", status_code=202)
def cancel_job(context: InContext, identity: Reader, job_id: JobId) -> Job:
    """Ask a job to end; what it has done stays."""
    context.jobs.get(job_id, identity.name)
    context.jobs.cancel(job_id)
    return job_answer(context.jobs.get(job_id))


@router.get("/jobs/{job_id}/events", response_class=EventSourceResponse, responses=_EVENTS)
async def watch_job(context: InContext, identity: Reader, job_id: JobId) -> EventSourceResponse:
    """Server-sent events: `job` with the job as JSON whenever it changes, until it has ended."""
    await run_in_threadpool(context.jobs.get, job_id, identity.name)
    return EventSourceResponse(_events(context, job_id), ping=_PING_S)


def job_answer(job: StoredJob) -> Job:
    """A job as it is told."""
    return Job(
        job_id=job.job_id,
        kind=job.kind,
        upload_id=job.upload_id,
        archive=job.archive,
        state=job.state,
        created=moment(job.created),
        started=moment(job.started) if job.started else None,
        ended=moment(job.ended) if job.ended else None,
        done=job.done,
        total=job.total,
        part=job.part,
        added=job.outcome.added,
        updated=job.outcome.updated,
        unchanged=job.outcome.unchanged,
        refused=tuple(JobRefusal.model_validate(one) for one in job.outcome.refused),
        warnings=job.outcome.warnings,
        error=job.error,
    )


async def _events(context: Context, job_id: str) -> AsyncIterator[ServerSentEvent]:
    told = None
    while not context.ending.is_set():
        job = await run_in_threadpool(context.jobs.get, job_id)
        if job != told:
            yield ServerSentEvent(job_answer(job).model_dump_json(), event="job")
            told = job
        if job.has_ended:
            return
        await asyncio.sleep(_LOOKS_EVERY_S)


def _kept(context: Context, identity: Identity, one: UploadToIndex) -> dict[str, object]:
    """What a job needs to know of an upload, whose file goes where slides are kept."""
    taken = sorted(_OWN_FIELDS & {name.strip().lower() for name in one.metadata})
    if taken:
        raise InputError(taken[0], "is no metadata", "Give slide_id and report beside the metadata")
    upload = context.uploads.get(one.upload_id, identity.name)
    folder = Path(context.settings.import_folder or "") / UPLOADED / one.upload_id
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / upload.path.name
    if not file.exists():
        _copy(upload.path, file)
    known = {"spacing": upload.spacing_um_per_px, "slide_id": one.slide_id}
    metadata = {name: str(value) for name, value in (known | one.metadata).items() if value is not None}
    return {"file": str(file), "name": upload.name, "metadata": metadata, "report": one.report}


def _copy(source: Path, target: Path) -> None:
    """Copy a file so that it is there whole or not at all."""
    part = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
    try:
        shutil.copyfile(source, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
