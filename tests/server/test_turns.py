"""Heavy work takes turns: no more at a time than allowed, in the order of asking, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from histoseek.deadline import Deadline, check_deadline, keep_deadline
from histoseek.errors import OutOfTime
from histoseek.server.errors import Overloaded
from histoseek.server.work_queue import WorkQueue
from tests.waiting import HANG_S


def outcome(work: Coroutine[Any, Any, Any]) -> Any:
    """What it comes to in an event loop of its own: the browser tests' one may be running in this thread."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, work).result()


def test_no_more_run_at_a_time_than_allowed_and_all_get_their_answer() -> None:
    running, most, guard = 0, 0, threading.Lock()
    meeting = threading.Barrier(3, timeout=HANG_S)

    def work(number: int) -> int:
        nonlocal running, most
        with guard:
            running += 1
            most = max(most, running)
        meeting.wait()  # goes on only when three run at the same time
        with guard:
            running -= 1
        return number

    async def ask() -> list[int]:
        turns = WorkQueue("search", at_once=3, wait_s=HANG_S)
        return await asyncio.gather(*(turns.run(lambda one=one: work(one)) for one in range(12)))

    assert outcome(ask()) == list(range(12))
    assert most == 3


def test_what_ends_just_as_its_time_is_over_is_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    wait_for, work_s = asyncio.wait_for, HANG_S / 2

    async def wait_too_long(awaited: Any, limit_s: float) -> Any:
        result = await asyncio.gather(wait_for(awaited, HANG_S), return_exceptions=True)
        if limit_s == work_s:
            raise TimeoutError
        return result[0]

    def fail() -> None:
        raise OutOfTime("search", "was ended")

    async def ask() -> None:
        monkeypatch.setattr(asyncio, "wait_for", wait_too_long)
        turns = WorkQueue("search", at_once=1, wait_s=HANG_S, work_s=work_s)
        assert await turns.run(lambda: "at the last moment") == "at the last moment"
        with pytest.raises(OutOfTime, match="was ended"):
            await turns.run(fail)

    outcome(ask())


def test_who_waits_too_long_is_told_to_come_back() -> None:
    async def ask() -> None:
        turns, done = WorkQueue("search", at_once=1, wait_s=0.01), threading.Event()
        first = asyncio.create_task(turns.run(lambda: done.wait(HANG_S)))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match="too many"):
            await turns.run(lambda: True)
        done.set()
        assert await first
        assert await turns.run(lambda: "free again") == "free again"

    outcome(ask())


def test_work_that_takes_too_long_is_answered_and_ends_at_its_next_look() -> None:
    looked, went_on = threading.Event(), threading.Event()

    def work() -> None:
        try:
            while True:
                check_deadline()
        except OutOfTime:
            looked.set()
            raise
        finally:
            went_on.set()

    async def ask() -> None:
        turns = WorkQueue("search", at_once=1, wait_s=HANG_S, work_s=0.05)
        with pytest.raises(OutOfTime):
            await turns.run(work)
        assert await turns.run(lambda: "free again") == "free again"

    outcome(ask())
    assert looked.is_set() and went_on.is_set()


def test_overdue_work_keeps_its_turn() -> None:
    done = threading.Event()

    async def ask() -> None:
        turns = WorkQueue("search", at_once=1, wait_s=0.01, work_s=0.01)
        with pytest.raises(OutOfTime, match="too long"):
            await turns.run(lambda: done.wait(HANG_S))
        with pytest.raises(Overloaded):
            await turns.run(lambda: True)
        done.set()

    outcome(ask())


def test_work_of_a_client_that_is_gone_is_not_begun() -> None:
    begun = threading.Event()

    async def ask() -> None:
        turns, deadline, first = WorkQueue("search", at_once=1, wait_s=HANG_S), Deadline(), threading.Event()
        running = asyncio.create_task(turns.run(lambda: first.wait(HANG_S)))
        await asyncio.sleep(0)
        with keep_deadline(deadline):
            waiting = asyncio.create_task(turns.run(begun.set))
        await asyncio.sleep(0)
        deadline.cancel()
        first.set()
        assert await running
        with pytest.raises(OutOfTime):
            await waiting

    outcome(ask())
    assert not begun.is_set()


def test_errors_free_the_turn() -> None:
    def fail() -> None:
        raise ValueError("as asked")

    async def ask() -> None:
        turns = WorkQueue("search", at_once=1, wait_s=HANG_S)
        for _ in range(3):
            with pytest.raises(ValueError, match="as asked"):
                await turns.run(fail)

    outcome(ask())
