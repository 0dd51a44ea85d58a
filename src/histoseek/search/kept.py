"""What is read of a whole store, once for each version of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from histoseek.archive.stores.slides import SlideTable

T = TypeVar("T")


class KeptByVersion(Generic[T]):
    """Keeps what was read of each store until the store changes; threads that ask for the same wait for one reading."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: WeakKeyDictionary[SlideTable, threading.Lock] = WeakKeyDictionary()
        self._held: WeakKeyDictionary[SlideTable, tuple[int, T]] = WeakKeyDictionary()

    def get(self, store: SlideTable, read: Callable[[], T]) -> T:
        """What was read of the store as it is now; it is read when it isn't at hand, and raises what `read` raises."""
        with self._guard:
            lock = self._locks.setdefault(store, threading.Lock())
        with lock:
            version, held = store.version, self._held.get(store)
            if held is None or held[0] != version:
                held = self._held[store] = version, read()
            return held[1]
