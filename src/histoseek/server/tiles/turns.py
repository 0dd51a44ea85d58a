"""Turns at what only a few threads may do at once."""

from __future__ import annotations

import threading
from collections import deque


class Turns:
    """A lock for a few at once, first come, first served: one of `threading` may be taken by those who come later for
    as long as others come. To be used in a `with` statement, not twice by a thread at a time."""

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._waiting: deque[threading.Lock] = deque()
        self._guard = threading.Lock()

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return len(self._waiting)

    def __enter__(self) -> None:
        with self._guard:
            if self._free:
                self._free -= 1
                return
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        turn.acquire()

    def __exit__(self, *_: object) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1
