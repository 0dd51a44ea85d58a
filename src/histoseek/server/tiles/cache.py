"""Finished pictures in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable


class ByteCache:
    """The most recently used pieces of bytes, together at most `most_bytes`. Safe to use from several threads."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._pieces: OrderedDict[Hashable, bytes] = OrderedDict()
        self._size_bytes = 0

    @property
    def size_bytes(self) -> int:
        """What all pieces take."""
        return self._size_bytes

    def get(self, key: Hashable) -> bytes | None:
        """The piece of this key, if it is still there."""
        with self._lock:
            if key in self._pieces:
                self._pieces.move_to_end(key)
            return self._pieces.get(key)

    def put(self, key: Hashable, piece: bytes) -> None:
        """Keep a piece, in place of the least recently used ones; one larger than the whole cache is not kept."""
        if len(piece) > self._most_bytes:
            return
        with self._lock:
            self._size_bytes += len(piece) - len(self._pieces.pop(key, b""))
            self._pieces[key] = piece
            while self._size_bytes > self._most_bytes:
                _, oldest = self._pieces.popitem(last=False)
                self._size_bytes -= len(oldest)

    def drop(self, is_dropped: Callable[[Hashable], bool]) -> None:
        """Forget the pieces whose keys are such."""
        with self._lock:
            for key in [key for key in self._pieces if is_dropped(key)]:
                self._size_bytes -= len(self._pieces.pop(key))

    def clear(self) -> None:
        """Forget all pieces."""
        with self._lock:
            self._pieces.clear()
            self._size_bytes = 0
