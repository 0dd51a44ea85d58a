"""Where the files of slides lie: only what an archive lists, looked up once in a while and not for every tile."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from histoseek.server.archives.served import ServedArchive
from histoseek.server.clock import Clock
from histoseek.server.errors import NotThere

_KNOWN_S = 30.0
_MOST = 4096


@dataclass(frozen=True, slots=True)
class SlideFile:
    """A slide's file and the spacing it was indexed with, in um/px."""

    path: Path
    spacing_um_per_px: float


class SlideFiles:
    """Files by archive and slide id; what was looked up is believed for half a minute."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._known: OrderedDict[tuple[str, str], tuple[float, SlideFile]] = OrderedDict()
        self._guard = threading.Lock()

    def of(self, served: ServedArchive, slide_id: str) -> SlideFile:
        """The file of a slide; raises UnknownSlide, and NotThere when the file is gone or was never there."""
        key, now = (served.name, slide_id), self._clock()
        with self._guard:
            until, file = self._known.get(key, (0.0, None))
        if file is None or until < now:
            file = _look_up(served, slide_id)
            with self._guard:
                self._known[key] = (now + _KNOWN_S, file)
                self._known.move_to_end(key)
                while len(self._known) > _MOST:
                    self._known.popitem(last=False)
        return file


def _look_up(served: ServedArchive, slide_id: str) -> SlideFile:
    record = served.record(slide_id)
    path = Path(record.uri)
    if served.archive.recipe.imported or not path.is_file():
        raise NotThere(slide_id, "the archive has no picture of this slide", "Its file was moved, or never indexed")
    return SlideFile(path, record.spacing_um_per_px)
