"""For those who run the server: is it alive, can it answer, what does it count."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from histoseek._version import __version__
from histoseek.rest.work import Health
from histoseek.server.http.dependencies import InContext, Reader

router = APIRouter(tags=["operations"])
metrics_router = APIRouter(tags=["operations"])


@router.get("/health")
def get_health() -> Health:
    """Whether the server runs; needs no token."""
    return Health(status="ok", version=__version__)


@router.get("/ready")
def get_ready(context: InContext) -> Health:
    """Whether all archives and the state can be read; needs no token."""
    for served in context.archives:
        served.archive.refresh()
    context.state.check()
    return Health(status="ok", version=__version__)


@metrics_router.get("/metrics", response_class=PlainTextResponse)
def get_metrics(context: InContext, identity: Reader) -> Response:
    """Counts and durations as Prometheus reads them."""
    for served in context.archives:
        context.metrics.archive_slides(served.name, len(served.archive))
    body, media_type = context.metrics.render()
    return Response(body, media_type=media_type)
