"""Waiting in tests: for what is to come, however busy the machine is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

HANG_S = 300.0
"""Only what hangs takes as long."""

_PAUSE_S = 0.05


def wait_for(condition: Callable[[], object]) -> None:
    """Return as soon as something is so; fail when it hangs."""
    pause = threading.Event()
    end_s = time.monotonic() + HANG_S
    while not condition():
        assert time.monotonic() < end_s, "it did not come to pass"
        pause.wait(_PAUSE_S)
