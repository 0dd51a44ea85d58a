"""Which slides have pixels to show: only what an archive lists, looked up once in a while and not for every tile."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

from histoseek.server.archives.registry import ArchiveEntry
from histoseek.server.clock import Clock
from histoseek.server.errors import NotFound
from histoseek.slides.sources.base import SlideSource
from histoseek.slides.sources.registry import existing_source

_LIFETIME_S = 30.0
_MAX_ENTRIES = 4096


@dataclass(frozen=True, slots=True)
class SlideImage:
    """What a slide's pixels are read from, and the spacing it was indexed with, in um/px."""

    source: SlideSource
    spacing_um_per_px: float


class SlideImages:
    """Images by archive and slide id; what was looked up is believed for half a minute."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._entries: OrderedDict[tuple[str, str], tuple[float, SlideImage]] = OrderedDict()
        self._guard = threading.Lock()

    def find(self, entry: ArchiveEntry, slide_id: str) -> SlideImage:
        """The image of a slide; raises UnknownSlide, and NotFound when its file is gone or was never there."""
        key, image = (entry.name, slide_id), self.recall(entry.name, slide_id)
        if image is None:
            now, image = self._clock(), _look_up(entry, slide_id)
            with self._guard:
                self._entries[key] = (now + _LIFETIME_S, image)
                self._entries.move_to_end(key)
                while len(self._entries) > _MAX_ENTRIES:
                    self._entries.popitem(last=False)
        return image

    def recall(self, archive: str, slide_id: str) -> SlideImage | None:
        """The image of a slide where it was looked up a moment ago."""
        with self._guard:
            until, image = self._entries.get((archive, slide_id), (0.0, None))
        return image if until >= self._clock() else None

    def forget_removed(self, entry: ArchiveEntry) -> tuple[SlideSource, ...]:
        """Forget the slides that an archive no longer has, by whatever program it lost them; what they are read from.

        Raises ArchiveError.
        """
        with self._guard:
            remembered = {key: image for key, (_, image) in self._entries.items() if key[0] == entry.name}
        missing = entry.list_missing([slide_id for _, slide_id in remembered])
        removed = {key: image for key, image in remembered.items() if key[1] in missing}
        with self._guard:
            for key in removed:
                self._entries.pop(key, None)
        return tuple(image.source for image in removed.values())


def _look_up(entry: ArchiveEntry, slide_id: str) -> SlideImage:
    record = entry.get_record(slide_id)
    source = None if entry.archive.recipe.imported else existing_source(record.uri)
    if source is None:
        raise NotFound(
            slide_id,
            "the image of this slide is not available",
            "Its file was moved or deleted, or the slide was indexed from features",
        )
    return SlideImage(source, record.spacing_um_per_px)
