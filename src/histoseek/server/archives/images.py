"""Which slides have pixels to show: only what an archive lists, looked up once in a while and not for every tile."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

from histoseek.server.archives.served import ServedArchive
from histoseek.server.clock import Clock
from histoseek.server.errors import NotThere
from histoseek.slides.sources.base import SlideSource
from histoseek.slides.sources.registry import existing_source

_KNOWN_S = 30.0
_MOST = 4096


@dataclass(frozen=True, slots=True)
class SlideImage:
    """What a slide's pixels are read from, and the spacing it was indexed with, in um/px."""

    source: SlideSource
    spacing_um_per_px: float


class SlideImages:
    """Images by archive and slide id; what was looked up is believed for half a minute."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._known: OrderedDict[tuple[str, str], tuple[float, SlideImage]] = OrderedDict()
        self._guard = threading.Lock()

    def find(self, served: ServedArchive, slide_id: str) -> SlideImage:
        """The image of a slide; raises UnknownSlide, and NotThere when its file is gone or was never there."""
        key, now = (served.name, slide_id), self._clock()
        with self._guard:
            until, image = self._known.get(key, (0.0, None))
        if image is None or until < now:
            image = _look_up(served, slide_id)
            with self._guard:
                self._known[key] = (now + _KNOWN_S, image)
                self._known.move_to_end(key)
                while len(self._known) > _MOST:
                    self._known.popitem(last=False)
        return image


def _look_up(served: ServedArchive, slide_id: str) -> SlideImage:
    record = served.record(slide_id)
    source = None if served.archive.recipe.imported else existing_source(record.uri)
    if source is None:
        raise NotThere(slide_id, "the archive has no picture of this slide", "Its file was moved, or never indexed")
    return SlideImage(source, record.spacing_um_per_px)
