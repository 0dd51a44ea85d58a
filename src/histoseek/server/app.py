"""The application: routes, errors and limits around one context."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI

from histoseek._version import __version__
from histoseek.server.context import Context
from histoseek.server.http.description import completed
from histoseek.server.logs import configure_logging
from histoseek.server.page import add_page
from histoseek.server.problems import PROBLEM_ANSWERS, install_problems
from histoseek.server.routes import archives, collections, feedback, jobs, operations, search, session, slides, uploads
from histoseek.server.security.middleware import Guard
from histoseek.server.security.recorder import Recorder
from histoseek.server.settings import ServerSettings

API = "/api/v1"
_ABOUT = (
    "Search archives of whole-slide images. Send `Authorization: Bearer TOKEN`. Errors are problem details (RFC 9457). "
    "For research and education; not a medical device."
)


def from_environment() -> FastAPI:
    """The application of a worker process that `histoseek serve` started; raises ConfigurationError."""
    settings = ServerSettings.from_environment()
    configure_logging(settings.json_logs)
    return create_app(settings)


def create_app(settings: ServerSettings) -> FastAPI:
    """The application for these settings; raises ConfigurationError, ArchiveError."""
    context = Context.of(settings)
    app = described()
    app.state.context = context
    app.router.lifespan_context = _lifespan
    record = Recorder(context.audit, context.metrics, settings.archives)
    app.add_middleware(Guard, settings=settings, record=record)
    add_page(app)
    return app


class _Described(FastAPI):
    """Says of itself also what its routes don't."""

    def openapi(self) -> dict[str, Any]:
        """The description, made once."""
        if not self.openapi_schema:
            self.openapi_schema = completed(super().openapi())
        return self.openapi_schema


def described() -> FastAPI:
    """The application with its routes and no archives: enough for its OpenAPI description."""
    app = _Described(
        title="histoseek",
        version=__version__,
        description=_ABOUT,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    install_problems(app)
    api = APIRouter(prefix=API, responses=PROBLEM_ANSWERS)
    for part in (session, archives, slides, search, uploads, jobs, feedback, collections, operations):
        api.include_router(part.router)
    app.include_router(api)
    app.include_router(operations.metrics_router, responses=PROBLEM_ANSWERS)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    context: Context = app.state.context
    context.start()
    try:
        yield
    finally:
        context.close()
