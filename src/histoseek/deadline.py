"""Work that ends when its time is over or nobody waits for it any more: it looks now and then, for next to nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from histoseek.errors import OutOfTime

_current: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


class Deadline:
    """When work has to end: at a time, or when `cancel` is called, from any thread."""

    __slots__ = ("_ends_at_s", "_is_cancelled")

    def __init__(self, seconds: float | None = None) -> None:
        """seconds: from now on; None for no limit but `cancel`."""
        self._is_cancelled = False
        self._ends_at_s = None if seconds is None else time.monotonic() + seconds

    def limit(self, seconds: float) -> None:
        """Let the work end that many seconds from now."""
        self._ends_at_s = time.monotonic() + seconds

    def cancel(self) -> None:
        """Let the work end now."""
        self._is_cancelled = True

    def check(self) -> None:
        """Raise OutOfTime when the work has to end."""
        if self._is_cancelled or (self._ends_at_s is not None and time.monotonic() >= self._ends_at_s):
            raise OutOfTime("request", "was ended before it was answered", "Ask for less, or try again later")


@contextmanager
def keep_deadline(deadline: Deadline) -> Iterator[None]:
    """Let `check_deadline` in this block, and in the threads that it hands its context to, look at this deadline."""
    token = _current.set(deadline)
    try:
        yield
    finally:
        _current.reset(token)


def find_deadline() -> Deadline | None:
    """The deadline of what runs here; None where there is none, as in commands."""
    return _current.get()


def check_deadline() -> None:
    """Raise OutOfTime when what runs here has to end. To be called between the steps of long work."""
    deadline = _current.get()
    if deadline is not None:
        deadline.check()
