"""The application: routes, errors and limits around one context."""

from __future__ import annotations

import gc
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.middleware.gzip import GZipMiddleware
from starlette.concurrency import run_in_threadpool

from histoseek._version import __version__
from histoseek.server.context import Context
from histoseek.server.logs import configure_logging
from histoseek.server.problems import MEDIA_TYPE, PROBLEM_RESPONSES, install_problems
from histoseek.server.routes import (
    archives,
    collections,
    feedback,
    figures,
    jobs,
    open_uploads,
    operations,
    saved_searches,
    search,
    session,
    several,
    slide_annotations,
    slides,
    texts,
    trays,
    understanding,
    uploads,
    worklists,
)
from histoseek.server.routes.tile_route import RememberedTiles, TileRoute
from histoseek.server.security.middleware import Guard
from histoseek.server.security.recorder import Recorder
from histoseek.server.settings import ServerSettings
from histoseek.server.warming import Warming, limit_product_threads
from histoseek.server.web_page import add_page

API = "/api/v1"
_ABOUT = (
    "Search archives of whole-slide images. Send `Authorization: Bearer TOKEN`. Errors are problem details (RFC 9457). "
    "For research and education; not a medical device."
)

_COMPRESSED_BYTES = 1000
_COMPRESSION = 1
"""A sixth of the size for a third of a millisecond for each 50 kB; level 6 makes it a seventh for twice that."""

_TURN_S = 0.0005
"""How long a thread may compute while others wait: the event loop stands in that queue after each packet it sends, and
at Python's 5 ms a few searches hold up all tiles."""

_ANYBODY = ("/api/v1/health", "/api/v1/ready")
_SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "description": "A token made with `histoseek tokens add`."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "histoseek-8750",
        "description": "Started with POST /session.",
    },
}
_WITH_SESSION: list[dict[str, list[str]]] = [{"token": []}, {"session": []}]


def create_app_from_environment() -> FastAPI:
    """The application of a worker process that `histoseek serve` started; raises ConfigurationError."""
    settings = ServerSettings.from_environment()
    configure_logging(settings.json_logs)
    sys.setswitchinterval(_TURN_S)
    limit_product_threads(settings.limits.searches)
    return create_app(settings)


def create_app(settings: ServerSettings) -> FastAPI:
    """The application for these settings; raises ConfigurationError, ArchiveError."""
    context = Context.from_settings(settings)
    app = create_bare_app()
    app.state.context = context
    app.router.lifespan_context = _lifespan
    record = Recorder(context.audit, context.metrics, settings.archives)
    tiles = TileRoute(API)
    app.add_middleware(GZipMiddleware, minimum_size=_COMPRESSED_BYTES, compresslevel=_COMPRESSION)
    app.add_middleware(RememberedTiles, route=tiles)
    app.add_middleware(Guard, settings=settings, record=record, reserve=record.reserve)
    app.router.routes.insert(0, tiles)
    add_page(app)
    return app


class _App(FastAPI):
    """The application, whose OpenAPI description also says what routes leave out."""

    def openapi(self) -> dict[str, Any]:
        """The description, made once."""
        if not self.openapi_schema:
            self.openapi_schema = complete_description(super().openapi())
        return self.openapi_schema


def create_bare_app() -> FastAPI:
    """The application with its routes and no archives: enough for its OpenAPI description."""
    app = _App(
        title="histoseek",
        version=__version__,
        description=_ABOUT,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    install_problems(app)
    api = APIRouter(prefix=API, responses=PROBLEM_RESPONSES)
    for part in (
        session,
        archives,
        slide_annotations,
        figures,
        slides,
        trays,
        search,
        several,
        understanding,
        open_uploads,
        uploads,
        texts,
        jobs,
        feedback,
        collections,
        saved_searches,
        worklists,
        operations,
    ):
        api.include_router(part.router)
    app.include_router(api)
    app.include_router(operations.metrics_router, responses=PROBLEM_RESPONSES)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    context: Context = app.state.context
    context.start()
    warming = Warming(context.archives, context.maps, context.images, context.tiles, context.shutdown)
    warming.start()
    await run_in_threadpool(warming.wait)
    # What is there now stays: to look for garbage among it would hold up all answers for as long.
    gc.freeze()
    try:
        yield
    finally:
        context.close()


def complete_description(description: dict[str, Any]) -> dict[str, Any]:
    """The description with security schemes, and errors under the media type that they have."""
    description["components"]["securitySchemes"] = _SCHEMES
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            if path not in _ANYBODY and (path, method) != ("/api/v1/session", "post"):
                operation["security"] = _WITH_SESSION
            for status, response in operation["responses"].items():
                if status >= "400" and "content" in response:
                    (problem,) = response["content"].values()
                    response["content"] = {MEDIA_TYPE: problem}
    return description
