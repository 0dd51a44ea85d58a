"""What can be wrong with a request, each with its HTTP status.

HistoseekError
+-- RequestError          the request can't be answered
    +-- Unauthorized      no token, or not a good one
    +-- Forbidden         not with this token, or not on this server
    +-- NotThere          no such archive, upload, job or collection
    +-- Conflict          somebody else was quicker, or is at work
    +-- TooLarge          more bytes than allowed
    +-- TooSlow           the request's body did not arrive in time
    +-- TooManyRequests   asked too often
    +-- Overloaded        no capacity at the moment
"""

from __future__ import annotations

from typing import ClassVar

from histoseek.errors import HistoseekError


class RequestError(HistoseekError):
    """The request can't be answered; `status` is HTTP's."""

    status: ClassVar[int] = 400


class Unauthorized(RequestError):
    """No token, or not a good one."""

    status = 401


class Forbidden(RequestError):
    """Not with this token, or not on this server."""

    status = 403


class NotThere(RequestError):
    """No such archive, upload, job or collection, or not the asker's."""

    status = 404


class Conflict(RequestError):
    """Somebody else was quicker, or is at work."""

    status = 409


class TooLarge(RequestError):
    """More bytes than allowed."""

    status = 413


class TooSlow(RequestError):
    """The body did not arrive in time."""

    status = 408


class Retriable(RequestError):
    """Can succeed after some seconds."""

    def __init__(self, where: str, what: str, advice: str = "", retry_after_s: int = 1) -> None:
        self.retry_after_s = max(1, retry_after_s)
        super().__init__(where, what, advice)


class TooManyRequests(Retriable):
    """Asked too often."""

    status = 429


class Overloaded(Retriable):
    """No capacity at the moment."""

    status = 503
