"""Errors as problem details (RFC 9457): what is wrong and what to do, and never a path or a traceback."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from histoseek.errors import (
    ArchiveBusy,
    ArchiveError,
    ArchiveNotFound,
    ArchiveReadOnly,
    BadFilter,
    DamagedArchive,
    DiskFull,
    EncoderError,
    HistoseekError,
    MissingExtra,
    SlideError,
    UnknownCase,
    UnknownSlide,
)
from histoseek.rest.base import Problem
from histoseek.search.filters.public import PRIVATE_COLUMNS
from histoseek.server.errors import RequestError, Retriable, Unauthorized
from histoseek.server.tiles.geometry import NoSuchTile

MEDIA_TYPE = "application/problem+json"

_STATUS: Sequence[tuple[type[HistoseekError], int]] = (
    (UnknownSlide, 404),
    (UnknownCase, 404),
    (NoSuchTile, 404),
    (ArchiveBusy, 409),
    (ArchiveReadOnly, 403),
    (MissingExtra, 501),
    (EncoderError, 503),
    (ArchiveNotFound, 503),
    (DamagedArchive, 503),
    (DiskFull, 503),
)
_MOST_FAULTS = 5

PROBLEM_ANSWERS: dict[int | str, dict[str, Any]] = {
    code: {"model": Problem, "description": text}
    for code, text in (
        (400, "Not understood"),
        (401, "No good token"),
        (403, "Not with this token, or not on this server"),
        (404, "Not there"),
        (408, "The body did not arrive in time"),
        (409, "Somebody else is at work"),
        (413, "Too large"),
        (414, "The address is too long"),
        (421, "Not by this name"),
        (422, "The request can't be used"),
        (429, "Asked too often"),
        (501, "A part of histoseek is not installed"),
        (503, "Not at the moment"),
    )
}
"""How the routes may fail, for the OpenAPI description."""


def install_problems(app: FastAPI) -> None:
    """Let every error of the application end as a problem."""
    app.add_exception_handler(HistoseekError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


def problem(request: Request, kind: str, status: int, detail: str, headers: dict[str, str] | None = None) -> Any:
    """The answer that says what is wrong."""
    body = Problem(
        type=f"urn:histoseek:{kind}",
        title=_title(kind),
        status=status,
        detail=detail,
        request_id=str(getattr(request.state, "request_id", "")),
    )
    return JSONResponse(body.model_dump(), status, headers, MEDIA_TYPE)


def status_of(error: HistoseekError) -> int:
    """HTTP's status for an error; 422 for whatever the user gave."""
    if isinstance(error, RequestError):
        return error.status
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 422)


def detail_of(error: HistoseekError) -> str:
    """What is wrong and what to do, without what names a file of the server's."""
    text = f"{error.what}. {error.advice}" if error.advice else error.what
    if isinstance(error, SlideError | EncoderError):
        return text
    if isinstance(error, ArchiveError):
        return f"archive: {text}"
    if isinstance(error, BadFilter):
        columns = ", ".join(name for name in error.columns if name not in PRIVATE_COLUMNS)
        return f"filter: {error.what}. Columns are: {columns}"
    if isinstance(error, UnknownSlide | UnknownCase):
        return f"{error.where}: {error.what}"
    # Of tables and folders only the name is told.
    where = Path(error.where).name if error.where.startswith("/") else error.where
    return f"{where}: {text}"


def _known(request: Request, error: Exception) -> Any:
    if not isinstance(error, HistoseekError):
        raise error
    headers = {"Retry-After": str(error.retry_after_s)} if isinstance(error, Retriable) else {}
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    return problem(request, error.kind, status_of(error), detail_of(error), headers)


def _invalid(request: Request, error: Exception) -> Any:
    if not isinstance(error, RequestValidationError):
        raise error
    faults = [f"{'.'.join(str(part) for part in one['loc'][1:]) or 'body'}: {one['msg']}" for one in error.errors()]
    more = f"; and {len(faults) - _MOST_FAULTS} more" if len(faults) > _MOST_FAULTS else ""
    return problem(request, "InvalidRequest", 422, "; ".join(faults[:_MOST_FAULTS]) + more)


def _http(request: Request, error: Exception) -> Any:
    if not isinstance(error, HTTPException):
        raise error
    return problem(request, "HttpError", error.status_code, str(error.detail), dict(error.headers or {}))


def _title(kind: str) -> str:
    """A class's name as words."""
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in kind).strip()
    return words.capitalize()
