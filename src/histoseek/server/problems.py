"""Errors as problem details (RFC 9457): what is wrong and what to do, and never a path or a traceback."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from histoseek.errors import (
    ArchiveBusy,
    ArchiveNotFound,
    ArchiveReadOnly,
    DamagedArchive,
    DiskFull,
    EncoderError,
    HistoseekError,
    MissingExtra,
    OutOfTime,
    UnknownCase,
    UnknownSlide,
)
from histoseek.rest.base import Problem
from histoseek.server.errors import RequestError, Retriable, Unauthorized, format_detail
from histoseek.server.tiles.tile_grid import NoSuchTile

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
    (OutOfTime, 503),
)
_MAX_FAULTS = 5
_MAX_DEPTH = 8
_MAX_PART_LENGTH = 100

PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    code: {"model": Problem, "description": text}
    for code, text in (
        (400, "The request is not valid"),
        (401, "No valid token"),
        (403, "Not allowed with this token, or on this server"),
        (404, "Not found"),
        (408, "The body did not arrive in time"),
        (409, "In conflict with another change, or the archive is being written to"),
        (413, "Too large"),
        (414, "The URL is too long"),
        (421, "The server does not answer to this host name"),
        (422, "The request can't be processed"),
        (429, "Too many requests"),
        (501, "A part of histoseek is not installed"),
        (503, "Not available at the moment"),
        (507, "No room for it, or for its line of the audit log"),
    )
}
"""How the routes may fail, for the OpenAPI description."""


def install_problems(app: FastAPI) -> None:
    """Let every error of the application end as a problem."""
    app.add_exception_handler(HistoseekError, _handle_known_error)
    app.add_exception_handler(RequestValidationError, _handle_invalid_request)
    app.add_exception_handler(HTTPException, _handle_http_error)


def make_problem_response(
    request: Request, kind: str, status: int, detail: str, headers: dict[str, str] | None = None
) -> Any:
    """The response that says what is wrong."""
    body = Problem(
        type=f"urn:histoseek:{kind}",
        title=_make_title(kind),
        status=status,
        detail=detail,
        request_id=str(getattr(request.state, "request_id", "")),
    )
    return JSONResponse(body.model_dump(), status, headers, MEDIA_TYPE)


def get_status(error: HistoseekError) -> int:
    """HTTP's status for an error; 422 for whatever the user gave."""
    if isinstance(error, RequestError):
        return error.status
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 422)


def _handle_known_error(request: Request, error: Exception) -> Any:
    if not isinstance(error, HistoseekError):
        raise error
    headers = {"Retry-After": str(error.retry_after_s)} if isinstance(error, Retriable) else {}
    if isinstance(error, Unauthorized):
        headers["WWW-Authenticate"] = "Bearer"
    return make_problem_response(request, error.kind, get_status(error), format_detail(error), headers)


def _handle_invalid_request(request: Request, error: Exception) -> Any:
    if not isinstance(error, RequestValidationError):
        raise error
    faults = [f"{_name_place(fault['loc'])}: {fault['msg']}" for fault in error.errors()]
    more = f"; and {len(faults) - _MAX_FAULTS} more" if len(faults) > _MAX_FAULTS else ""
    return make_problem_response(request, "InvalidRequest", 422, "; ".join(faults[:_MAX_FAULTS]) + more)


def _name_place(place: Sequence[str | int]) -> str:
    """Where a fault is, from the body's fields on; of what is nested deeply only the beginning."""
    parts = [str(part)[:_MAX_PART_LENGTH] for part in place[1 : _MAX_DEPTH + 1]]
    return ".".join([*parts, *(["..."] if len(place) > _MAX_DEPTH + 1 else [])]) or "body"


def _handle_http_error(request: Request, error: Exception) -> Any:
    if not isinstance(error, HTTPException):
        raise error
    return make_problem_response(request, "HttpError", error.status_code, str(error.detail), dict(error.headers or {}))


def _make_title(kind: str) -> str:
    """A class's name as words."""
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in kind).strip()
    return words.capitalize()
