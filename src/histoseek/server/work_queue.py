"""A queue for heavy work: a few calls run at a time, and those that wait hold up nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from histoseek.server.errors import Overloaded

Result = TypeVar("Result")

_MAX_WAITING = 200


class WorkQueue:
    """Runs calls in threads of their own, `at_once` at a time, first come, first served.

    The threads in which other requests are answered are left alone: waiting takes none. To be used in one event loop.
    """

    def __init__(self, what: str, at_once: int, wait_s: float) -> None:
        """what: for messages; wait_s: how long a call waits for its turn."""
        self._what = what
        self._wait_s = wait_s
        self._free = asyncio.Semaphore(at_once)
        self._threads = CapacityLimiter(at_once)
        self._waiting = 0

    async def run(self, work: Callable[[], Result]) -> Result:
        """What a call returns; raises what it raises, and Overloaded when its turn does not come in time."""
        await self._wait()
        try:
            return await run_sync(work, limiter=self._threads)
        finally:
            self._free.release()

    async def _wait(self) -> None:
        if self._waiting >= _MAX_WAITING:
            raise self._make_overload()
        self._waiting += 1
        try:
            await asyncio.wait_for(self._free.acquire(), self._wait_s)
        except TimeoutError as error:
            raise self._make_overload() from error
        finally:
            self._waiting -= 1

    def _make_overload(self) -> Overloaded:
        return Overloaded(self._what, "too many at the same time", "Try again in some seconds", 5)
