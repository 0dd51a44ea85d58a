"""Texts of report files: read where slides are opened, without identifiers, and kept nowhere."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool

from histoseek.rest.base import Problem
from histoseek.rest.texts import ReportText
from histoseek.server.http.bodies import read_length, write_body
from histoseek.server.http.dependencies import InContext, Searcher

router = APIRouter(prefix="/texts", tags=["texts"])

FileName = Annotated[
    str, Query(min_length=1, max_length=300, description="Its suffix names the format.", examples=["report.pdf"])
]

_BYTES = {"schema": {"type": "string", "format": "binary"}}
_BODY = {"requestBody": {"required": True, "content": {"application/octet-stream": _BYTES}}}
_REFUSED: dict[int | str, dict[str, Any]] = {
    415: {"model": Problem, "description": "The file name has no suffix of a report format"},
    507: {"model": Problem, "description": "No space for it at the moment"},
}


@router.post("", openapi_extra=_BODY, responses=_REFUSED)
async def read_report(
    request: Request,
    context: InContext,
    caller: Searcher,
    filename: FileName,
) -> ReportText:
    """The text of a PDF or text file, sent as the request's body; nothing of it is kept."""
    store = context.uploads.store
    incoming = await run_in_threadpool(store.begin_report, caller.name, filename, read_length(request))
    with incoming:
        await write_body(request, incoming.write)
        text = await run_in_threadpool(context.uploads.read_report, incoming)
    return ReportText(name=incoming.name, text=text)
