"""What can be wrong with a request, each with its HTTP status.

HistoseekError
+-- RequestError          the request can't be answered
    +-- Unauthorized      no valid token
    +-- Forbidden         not with this token, or not on this server
    +-- NotFound          no such archive, upload, job or collection
    +-- Conflict          it clashes with what somebody else did or is doing
    +-- TooLarge          more bytes than allowed
    +-- TooSlow           the request's body did not arrive in time
    +-- TooManyRequests   too many requests in a short time
    +-- Overloaded        no capacity at the moment
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from histoseek.errors import (
    ArchiveError,
    BadFilter,
    EncoderError,
    HistoseekError,
    SlideError,
    UnknownCase,
    UnknownSlide,
)
from histoseek.search.scope.public import PRIVATE_COLUMNS


class RequestError(HistoseekError):
    """The request can't be answered; `status` is HTTP's."""

    status: ClassVar[int] = 400


class Unauthorized(RequestError):
    """No valid token."""

    status = 401


class Forbidden(RequestError):
    """Not with this token, or not on this server."""

    status = 403


class NotFound(RequestError):
    """No such archive, upload, job or collection, or not the caller's."""

    status = 404


class Conflict(RequestError):
    """It clashes with what somebody else did or is doing."""

    status = 409


class TooLarge(RequestError):
    """More bytes than allowed."""

    status = 413


class TooSlow(RequestError):
    """The body did not arrive in time."""

    status = 408


class Retriable(RequestError):
    """May succeed when it is repeated after some seconds."""

    def __init__(self, where: str, what: str, advice: str = "", retry_after_s: int = 1) -> None:
        self.retry_after_s = max(1, retry_after_s)
        super().__init__(where, what, advice)


class TooManyRequests(Retriable):
    """Too many requests in a short time."""

    status = 429


class Overloaded(Retriable):
    """No capacity at the moment."""

    status = 503


def format_detail(error: HistoseekError) -> str:
    """What is wrong and what to do, without what names a file of the server's."""
    text = f"{error.what}. {error.advice}" if error.advice else error.what
    if isinstance(error, SlideError | EncoderError):
        return text
    if isinstance(error, ArchiveError):
        return f"archive: {text}"
    if isinstance(error, BadFilter):
        columns = ", ".join(name for name in error.columns if name not in PRIVATE_COLUMNS)
        return f"filter: {error.what}. The columns are: {columns}"
    if isinstance(error, UnknownSlide | UnknownCase):
        return f"{error.where}: {error.what}"
    # Of tables and folders only the name is sent.
    where = Path(error.where).name if error.where.startswith("/") else error.where
    return f"{where}: {text}"
