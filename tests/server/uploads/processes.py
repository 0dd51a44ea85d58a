"""Looking at processes from outside, through what Linux shows of them."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.waiting import HANG_S

_PROGRAM = b"histoseek.sandbox.child"


def readers(pid: int) -> list[int]:
    """The sandbox's processes that a process has started and that still run."""
    started = [one for path in Path(f"/proc/{pid}/task").glob("*/children") for one in path.read_text().split()]
    return sorted(int(one) for one in started if _PROGRAM in Path(f"/proc/{one}/cmdline").read_bytes())


@contextmanager
def watched(pid: int) -> Iterator[select.poll]:
    """A poll that tells when the process has ended."""
    handle = os.pidfd_open(pid)
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    try:
        yield poll
    finally:
        os.close(handle)


def has_ended(poll: select.poll) -> bool:
    """Whether the watched process has ended, or does so in a while."""
    return bool(poll.poll(HANG_S * 1000))
