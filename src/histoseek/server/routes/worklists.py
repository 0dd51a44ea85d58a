"""Worklists: many slides in, one table out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from histoseek.errors import HistoseekError, InputError
from histoseek.rest.worklists import (
    MOST_SLIDES,
    Worklist,
    WorklistInfo,
    WorklistNearest,
    WorklistRequest,
    WorklistRow,
)
from histoseek.search.scope.titles import make_title
from histoseek.search.worklist import WorklistOptions, check_worklist, list_columns, to_cells
from histoseek.search.worklist import WorklistRow as FoundRow
from histoseek.server.archives.registry import ArchiveEntry
from histoseek.server.clock import to_datetime
from histoseek.server.context import Context
from histoseek.server.errors import NotFound
from histoseek.server.http.dependencies import EntryInPath, InContext, Reader
from histoseek.server.http.downloads import TABLE_FILES, TableFormat, respond_with_table
from histoseek.server.http.search_requests import to_where
from histoseek.server.jobs.job_store import make_job_id
from histoseek.server.security.access import Caller
from histoseek.server.state.worklists import ListedSlide, StoredWorklist, WorklistTask

router = APIRouter(tags=["worklists"])

WorklistId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]


@router.post("/archives/{archive}/worklists", status_code=202)
def start_worklist(context: InContext, caller: Reader, entry: EntryInPath, request: WorklistRequest) -> WorklistInfo:
    """Search with many slides one after the other, while others search, and keep what is found for a week."""
    where = to_where(entry, request.where, request.filters)
    options = WorklistOptions(request.k, request.vote, request.phrases, where)
    entry.archive.read(lambda view: check_worklist(view, options))
    slides = _list_slides(context, caller, entry, request)
    task = WorklistTask(options.k, options.label, options.phrases, str(where) if where is not None else None)
    job_id = make_job_id()
    stored = context.worklists.add(caller.name, entry.name, request.name, job_id, task, slides)
    try:
        context.jobs.add("worklist", entry.name, caller.name, job_id=job_id)
    except HistoseekError:
        context.worklists.delete(caller.name, stored.worklist_id)
        raise
    return WorklistInfo.model_validate(_describe(context, stored))


@router.get("/worklists")
def list_worklists(context: InContext, caller: Reader) -> tuple[WorklistInfo, ...]:
    """Your worklists, the latest first."""
    stored = context.worklists.list(caller.name)
    return tuple(WorklistInfo.model_validate(_describe(context, worklist)) for worklist in stored)


@router.get("/worklists/{worklist_id}")
def get_worklist(context: InContext, caller: Reader, worklist_id: WorklistId) -> Worklist:
    """One worklist with its rows, as far as they are done."""
    stored = context.worklists.get(caller.name, worklist_id)
    rows = tuple(_to_row(context, caller, slide) for _, slide in context.worklists.read_slides(worklist_id))
    return Worklist.model_validate({**_describe(context, stored), "rows": rows})


@router.delete("/worklists/{worklist_id}", status_code=204)
def delete_worklist(context: InContext, caller: Reader, worklist_id: WorklistId) -> None:
    """Delete a worklist, and end the work on it."""
    stored = context.worklists.get(caller.name, worklist_id)
    context.worklists.delete(caller.name, worklist_id)
    context.jobs.cancel(stored.job_id)


@router.get("/worklists/{worklist_id}/export", response_class=Response, responses=TABLE_FILES)
def export_worklist(
    context: InContext,
    caller: Reader,
    worklist_id: WorklistId,
    as_: TableFormat = "csv",
) -> Response:
    """Download a worklist as a table."""
    stored = context.worklists.get(caller.name, worklist_id)
    options = WorklistOptions(stored.task.k, stored.task.label, stored.task.phrases)
    slides = context.worklists.read_slides(worklist_id)
    rows = [to_cells(slide.row or FoundRow(slide.slide_id or "", slide.slide_id), options) for _, slide in slides]
    return respond_with_table("worklist", stored.name, as_, list_columns(options), rows)


def _list_slides(context: Context, caller: Caller, entry: ArchiveEntry, request: WorklistRequest) -> list[ListedSlide]:
    """The slides that a request means; raises NotFound for what is not there, InputError for none or too many."""
    if request.condition is not None:
        where = to_where(entry, request.condition.where, request.condition.filters)
        records = entry.archive.records(where, MOST_SLIDES + 1)
        slides = [ListedSlide(record.slide_id, None) for record in records]
    elif request.collection_id is not None:
        items = context.collections.get(caller.name, request.collection_id).items
        slides = [ListedSlide(item.slide_id, None) for item in items if item.archive == entry.name]
    else:
        slides = [ListedSlide(slide.slide_id, slide.upload_id) for slide in dict.fromkeys(request.slides)]
        missing = entry.list_missing([slide.slide_id for slide in slides if slide.slide_id])
        if missing:
            raise NotFound("worklist", f"{len(missing)} of its slides are not in the archive", "Leave them out")
        for slide in slides:
            if slide.upload_id:
                context.uploads.get(slide.upload_id, caller.name)
    if not slides:
        raise InputError("worklist", f"has no slides of the archive {entry.name}", "Choose some")
    if len(slides) > MOST_SLIDES:
        raise InputError("worklist", f"has more than {MOST_SLIDES} slides", "Choose fewer")
    return slides


def _describe(context: Context, stored: StoredWorklist) -> dict[str, object]:
    done, total = context.worklists.count(stored.worklist_id)
    fields = ("worklist_id", "archive", "name", "job_id")
    return {
        **{name: getattr(stored, name) for name in fields},
        **_describe_state(context, stored, done == total),
        "done": done,
        "total": total,
        "k": stored.task.k,
        "vote": stored.task.label,
        "created": to_datetime(stored.created),
        "expires": to_datetime(stored.expires),
    }


def _describe_state(context: Context, stored: StoredWorklist, is_complete: bool) -> dict[str, object]:
    """Of its job, which may have been forgotten."""
    try:
        job = context.jobs.get(stored.job_id)
    except NotFound:
        return {"state": "done" if is_complete else "cancelled", "error": None}
    return {"state": job.state, "error": job.error}


def _to_row(context: Context, caller: Caller, slide: ListedSlide) -> WorklistRow:
    name = slide.slide_id or context.uploads.find_name(slide.upload_id or "", caller.name)
    found = slide.row or FoundRow(name, slide.slide_id)
    nearest = tuple(
        WorklistNearest(
            slide_id=near.slide_id,
            title=make_title(near.slide_id, near.file_name),
            label=near.label,
            probability=near.probability,
            score=near.score,
        )
        for near in found.nearest
    )
    return WorklistRow(
        slide_id=slide.slide_id,
        upload_id=slide.upload_id,
        title=make_title(slide.slide_id, found.name) if slide.slide_id else found.name,
        done=slide.row is not None,
        label=found.label,
        probability=found.probability,
        agreement=found.agreement,
        unlike=found.unlike,
        nearest=nearest,
        phrases=found.phrases,
        error=found.error,
    )
