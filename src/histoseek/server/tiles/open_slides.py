"""Open slides, kept for the next request: bounded in number and memory, never closed under a reader."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from histoseek.errors import SlideNotFound, UnreadableSlide
from histoseek.server.tiles.deepzoom import DeepZoom
from histoseek.server.tiles.turns import Turns
from histoseek.slides.slide import open_slide
from histoseek.slides.sources.base import SlideSource

_ANY_SPACING_UM_PER_PX = 1.0
"""Tiles are counted in px; the spacing to show is the caller's."""

_MAX_OPENING = 2
"""Opening a picture without a pyramid decodes all of it."""


@dataclass(slots=True)
class _Entry:
    """A slide that is open or being opened, and by how many it is used."""

    source: SlideSource
    state: str
    users: int = 0
    is_dropped: bool = False
    opening: threading.Lock = field(default_factory=threading.Lock)
    image: DeepZoom | None = None

    def open(self) -> DeepZoom:
        with self.opening:
            if self.image is None:
                self.image = DeepZoom(open_slide(self.source, _ANY_SPACING_UM_PER_PX))
            return self.image

    def close(self) -> None:
        if self.image is not None:
            self.image.close()
            self.image = None


class OpenSlides:
    """Slides by source, at most `most` of them open beside those in use. Safe to use from several threads.

    The least recently used are let go first, also when the pixels they hold in memory take more than `most_bytes`.
    """

    def __init__(self, max_slides: int, max_bytes: int) -> None:
        self._max_slides = max_slides
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._opening = Turns(_MAX_OPENING)
        self._entries: OrderedDict[SlideSource, _Entry] = OrderedDict()

    @contextmanager
    def use(self, source: SlideSource) -> Iterator[DeepZoom]:
        """The slide, open until the block ends; opened anew when its content has changed.

        Raises SlideNotFound, UnreadableSlide. A slide that turns out damaged in the block is not kept.
        """
        entry = self._enter(source, source.state())
        try:
            image = entry.image or self._open(entry)
            self._make_room(entry)
            yield image
        except (SlideNotFound, UnreadableSlide):
            # OpenSlide gives no pixels any more after its first fault; the next reader gets a fresh one.
            self._drop([entry])
            raise
        finally:
            self._leave(entry)

    def drop(self, source: SlideSource) -> None:
        """Let go of one slide: a deleted file takes room for as long as it is open."""
        with self._lock:
            entry = self._entries.get(source)
        self._drop([entry] if entry else [])

    def close(self) -> None:
        """Let go of all slides; those in use are closed by their last reader."""
        with self._lock:
            entries = list(self._entries.values())
        self._drop(entries)

    def _enter(self, source: SlideSource, state: str) -> _Entry:
        with self._lock:
            entry = self._entries.get(source)
            stale = [entry] if entry is not None and entry.state != state else []
            if entry is None or stale:
                entry = _Entry(source, state)
            entry.users += 1
            self._entries[source] = entry
            self._entries.move_to_end(source)
            closing = self._take_out(stale)
        _close_all(closing)
        return entry

    def _open(self, entry: _Entry) -> DeepZoom:
        with self._opening:
            return entry.open()

    def _leave(self, entry: _Entry) -> None:
        with self._lock:
            entry.users -= 1
            closing = [entry] if entry.is_dropped and entry.users == 0 else []
        _close_all(closing)

    def _make_room(self, newest: _Entry) -> None:
        """Let go of the least recently used until the bounds hold; the newest stays."""
        with self._lock:
            leaving = []
            count, memory_bytes = len(self._entries), sum(_measure_memory(entry) for entry in self._entries.values())
            for entry in self._entries.values():
                if count <= self._max_slides and memory_bytes <= self._max_bytes:
                    break
                if entry is not newest:
                    leaving.append(entry)
                    count, memory_bytes = count - 1, memory_bytes - _measure_memory(entry)
            closing = self._take_out(leaving)
        _close_all(closing)

    def _drop(self, entries: list[_Entry]) -> None:
        with self._lock:
            closing = self._take_out(entries)
        _close_all(closing)

    def _take_out(self, entries: list[_Entry]) -> list[_Entry]:
        """Take entries out, and return those that nobody uses: to be closed once the lock is free."""
        for entry in entries:
            entry.is_dropped = True
            if self._entries.get(entry.source) is entry:
                del self._entries[entry.source]
        return [entry for entry in entries if entry.users == 0]


def _measure_memory(entry: _Entry) -> int:
    return entry.image.memory_bytes if entry.image is not None else 0


def _close_all(entries: list[_Entry]) -> None:
    for entry in entries:
        entry.close()
