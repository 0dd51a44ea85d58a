"""Slides to ask with: uploaded, looked at, and gone after a while. They are only ever opened in a sandbox."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from histoseek.rest.archives import ImageInfo
from histoseek.rest.work import EncodeRequest, Job, Upload
from histoseek.server.context import Context
from histoseek.server.dependencies import InContext, Reader
from histoseek.server.routes.jobs import job_answer
from histoseek.server.routes.pictures import LevelInPath, Pixels, PlaceInPath, dzi, jpeg
from histoseek.server.uploads.store import Incoming, StoredUpload

router = APIRouter(prefix="/uploads", tags=["uploads"])

UploadIdInPath = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
FileName = Annotated[str, Query(min_length=1, max_length=300, description="Its ending says the format.")]
Spacing = Annotated[float | None, Query(gt=0.01, le=100, description="um/px, for files that don't say it.")]

_WRITTEN_AT_ONCE = 2**20
