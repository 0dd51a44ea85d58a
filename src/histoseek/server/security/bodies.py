"""Bodies of requests, counted and timed while they arrive, whatever their Content-Length says."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.types import Message, Receive

from histoseek.server.errors import RequestError, TooLarge, TooSlow


@dataclass(frozen=True, slots=True)
class BodyLimit:
    """Most bytes of a body, how long its client may pause, and how long it may take in all."""

    most_bytes: int
    pause_s: float
    total_s: float


class LimitedBody:
    """The `receive` of one request. Once a body is refused it stays so: the reason is in `refusal`."""

    def __init__(self, receive: Receive, limit: BodyLimit) -> None:
        self.refusal: RequestError | None = None
        self._receive = receive
        self._limit = limit
        self._bytes = 0
        self._ends_at: float | None = None
        self._complete = False

    def check_declared(self, content_length: str | None) -> None:
        """Raise for a Content-Length that is no number, or beyond the limit: TooLarge before a byte is read."""
        if content_length is None:
            return
        if not (content_length.isascii() and content_length.isdigit()):
            raise self._refuse(RequestError("Content-Length", "is not a number", "Send the body's size in bytes"))
        if len(content_length) > 18 or int(content_length) > self._limit.most_bytes:
            raise self._refuse(self._make_size_error())

    async def receive(self) -> Message:
        """The next message; raises TooLarge or TooSlow, and the same again ever after."""
        if self.refusal:
            raise self.refusal
        if self._complete:
            return await self._receive()
        message = await self._receive_in_time()
        if message["type"] == "http.request":
            self._bytes += len(message.get("body", b""))
            self._complete = not message.get("more_body", False)
            if self._bytes > self._limit.most_bytes:
                raise self._refuse(self._make_size_error())
        return message

    async def discard(self, seconds: float) -> None:
        """Read what still comes, for a while, so that the client gets to the answer instead of a broken connection."""
        try:
            async with asyncio.timeout(seconds):
                while not self._complete:
                    message = await self._receive()
                    self._complete = message["type"] != "http.request" or not message.get("more_body", False)
        except TimeoutError:
            return

    async def _receive_in_time(self) -> Message:
        now = asyncio.get_running_loop().time()
        if self._ends_at is None:
            self._ends_at = now + self._limit.total_s
        try:
            async with asyncio.timeout(min(self._limit.pause_s, self._ends_at - now)):
                return await self._receive()
        except TimeoutError as error:
            raise self._refuse(TooSlow("body", "did not arrive in time", "Send it faster")) from error

    def _make_size_error(self) -> TooLarge:
        return TooLarge("body", f"more than {self._limit.most_bytes} bytes", "Send less")

    def _refuse(self, error: RequestError) -> RequestError:
        self.refusal = error
        return error
