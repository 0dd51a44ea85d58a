"""What users judged: kept beside the archive, never in it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from histoseek.rest.work import Judged, Judgement
from histoseek.server.dependencies import InContext, Reader, Served

router = APIRouter(prefix="/archives/{archive}/feedback", tags=["feedback"])
