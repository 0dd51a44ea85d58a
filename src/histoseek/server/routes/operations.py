"""For those who run the server: health, readiness and metrics."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse

from histoseek._version import __version__
from histoseek.rest.workspace import Health, SandboxState
from histoseek.server.context import Context
from histoseek.server.http.dependencies import InContext, Reader

router = APIRouter(tags=["operations"])
metrics_router = APIRouter(tags=["operations"])


@router.get("/health")
def get_health(context: InContext) -> Health:
    """Whether the server is running, and how uploads are confined; needs no token."""
    return _describe(context)


@router.get("/ready")
def get_ready(context: InContext) -> Health:
    """Whether all archives and the server's state can be read; needs no token."""
    for entry in context.archives:
        entry.archive.refresh()
    context.state.check_readable()
    return _describe(context)


@metrics_router.get("/metrics", response_class=PlainTextResponse)
def get_metrics(context: InContext, caller: Reader) -> Response:
    """Metrics in the format of Prometheus."""
    for entry in context.archives:
        context.metrics.set_archive_slides(entry.name, len(entry.archive))
    body, media_type = context.metrics.render()
    return Response(body, media_type=media_type)


def _describe(context: Context) -> Health:
    confinement = context.uploads.sandbox.confinement
    sandbox = None if confinement is None else SandboxState(**asdict(confinement))
    return Health(status="ok", version=__version__, sandbox=sandbox)
