"""For those who run the server: health, readiness and metrics."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from histoseek._version import __version__
from histoseek.rest.workspace import Health
from histoseek.server.http.dependencies import InContext, Reader

router = APIRouter(tags=["operations"])
metrics_router = APIRouter(tags=["operations"])


@router.get("/health")
def get_health() -> Health:
    """Whether the server is running; needs no token."""
    return Health(status="ok", version=__version__)


@router.get("/ready")
def get_ready(context: InContext) -> Health:
    """Whether all archives and the server's state can be read; needs no token."""
    for entry in context.archives:
        entry.archive.refresh()
    context.state.check_readable()
    return Health(status="ok", version=__version__)


@metrics_router.get("/metrics", response_class=PlainTextResponse)
def get_metrics(context: InContext, caller: Reader) -> Response:
    """Metrics in the format of Prometheus."""
    for entry in context.archives:
        context.metrics.set_archive_slides(entry.name, len(entry.archive))
    body, media_type = context.metrics.render()
    return Response(body, media_type=media_type)
