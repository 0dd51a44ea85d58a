"""Rounds of the event loop: what is asked once in each, and what waits for one with little to do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")

_FEW = 6
"""As many as a browser asks for at once."""

_LONGEST_WAIT_S = 2.0


class OnceARound(Generic[Value]):
    """What a function gives, asked once for all requests that the event loop has at hand.

    These had come before it was asked, so each is answered as it would be had it been asked for that one: the event
    loop forgets the value before it turns to what comes later. Outside of an event loop it is asked each time.
    Whatever lets go of the interpreter, such as asking a file system, has to wait for it while searches compute: once
    for each of hundreds of tiles, that was what tiles waited for.
    """

    def __init__(self, read: Callable[[], Value]) -> None:
        """read: gives the value; what it raises is raised, and asked for again by the next."""
        self._read = read
        self._known: tuple[asyncio.AbstractEventLoop, Value] | None = None

    def read(self) -> Value:
        """The value, of this round."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return self._read()
        if self._known is not None and self._known[0] is loop:
            return self._known[1]
        value = self._read()
        self._known = loop, value
        loop.call_soon(self._forget)
        return value

    def _forget(self) -> None:
        self._known = None


class TilesFirst:
    """Lets questions wait for the tiles of slides that are being looked at.

    Of questions, one after the other, first come, first served, goes on after a round of the event loop in which few
    tiles were asked for; after `longest_s` seconds in any case. So tiles wait for a few others only, however many
    people ask: each of their next questions, answered at once, would bring a dozen tiles more. A server that has little
    to do has such rounds only, and nobody waits. For one event loop.
    """

    def __init__(self, few: int = _FEW, longest_s: float = _LONGEST_WAIT_S) -> None:
        """few: tiles in a round; longest_s: how long a question waits."""
        self._few = few
        self._longest_s = longest_s
        self._tiles = 0
        self._turn = asyncio.Lock()

    def count_tile(self) -> None:
        """A tile is asked for."""
        self._tiles += 1

    async def wait(self) -> None:
        """Until it is this question's turn, and few tiles were asked for in a round."""
        clock = asyncio.get_running_loop().time
        until = clock() + self._longest_s
        async with self._turn:
            while clock() < until:
                before = self._tiles
                await asyncio.sleep(0)
                if self._tiles - before <= self._few:
                    return
