"""A queue for heavy work: a few calls run at a time, and those that wait hold up nobody else."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from histoseek.deadline import Deadline, find_deadline, keep_deadline
from histoseek.errors import OutOfTime
from histoseek.server.errors import Overloaded

Result = TypeVar("Result")

_MAX_WAITING = 200


class WorkQueue:
    """Runs calls in threads of their own, `at_once` at a time, first come, first served.

    The threads in which other requests are answered are left alone: waiting takes none. A call may run for
    `work_s`; then its request is answered, and the call ends at its next look at its deadline. Until then it keeps
    its turn, so that work nobody waits for is never more than `at_once` calls. To be used in one event loop.
    """

    def __init__(
        self, what: str, at_once: int, wait_s: float, work_s: float | None = None, max_waiting: int = _MAX_WAITING
    ) -> None:
        """what: for messages; wait_s: how long a call waits for its turn; work_s: how long it may then take;
        max_waiting: calls beyond which others are refused."""
        self._what = what
        self._wait_s = wait_s
        self._work_s = work_s
        self._free = asyncio.Semaphore(at_once)
        self._threads = ThreadPoolExecutor(at_once, what)
        self._max_waiting = max_waiting
        self._waiting = 0

    async def run(self, work: Callable[[], Result]) -> Result:
        """What a call returns; raises what it raises, Overloaded when its turn does not come in time, OutOfTime when it
        takes too long or nobody waits for it any more."""
        deadline = find_deadline() or Deadline()
        await self._wait()
        try:
            deadline.check()
            if self._work_s is not None:
                deadline.limit(self._work_s)
            with keep_deadline(deadline):
                context = contextvars.copy_context()
            call = asyncio.get_running_loop().run_in_executor(self._threads, context.run, work)
        except BaseException:
            self._free.release()
            raise
        call.add_done_callback(self._end)
        try:
            return await asyncio.wait_for(asyncio.shield(call), self._work_s)
        except asyncio.CancelledError:
            deadline.cancel()
            raise
        except TimeoutError as error:
            if call.done():  # as its time was over, or with this very error
                return call.result()
            deadline.cancel()
            raise OutOfTime(self._what, "took too long", "Ask for less, or try again later") from error

    def _end(self, call: asyncio.Future[Result]) -> None:
        self._free.release()
        if not call.cancelled():
            call.exception()  # nobody may be left to whom it could be raised

    async def _wait(self) -> None:
        if not self._free.locked():
            await self._free.acquire()
            return
        if self._waiting >= self._max_waiting:
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
