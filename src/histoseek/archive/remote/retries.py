"""For how long, and how often, something is asked of a server that is away for a while."""

from __future__ import annotations

import random
import time

from histoseek.deadline import check_deadline
from histoseek.settings import get_settings


class Patience:
    """Waits between tries, each about twice as long as the one before, until HISTOSEEK_SERVER_SECONDS are over."""

    def __init__(self, first_s: float = 0.05, longest_s: float = 1.0) -> None:
        """first_s, longest_s: of the pauses, in seconds."""
        self._end_s = time.monotonic() + get_settings().server_seconds
        self._pause_s, self._longest_s = first_s, longest_s

    @property
    def left_s(self) -> float:
        """Seconds until its end; less than 0 after it."""
        return self._end_s - time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether another pause would outlast it."""
        return self._pause_s > self.left_s

    def wait(self) -> None:
        """Until the next try; not exactly, so that many that wait don't come back at once. Raises OutOfTime."""
        check_deadline()
        time.sleep(self._pause_s * random.uniform(0.5, 1.0))
        self._pause_s = min(2 * self._pause_s, self._longest_s)
