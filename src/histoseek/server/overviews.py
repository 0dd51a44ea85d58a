"""Maps of archives, made once for each state of an archive."""

from __future__ import annotations

import threading

from histoseek.rest.archives import Map
from histoseek.server.archives import ServedArchive

_KEPT = 8


class Overviews:
    """The last maps that were asked for; one is made at a time."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, int, int, str | None], Map] = {}
        self._guard = threading.Lock()

    def of(self, served: ServedArchive, label: str | None) -> Map:
        """The map of an archive as it is now, with the labels of a column; raises InputError for an unknown one."""
        archive = served.archive
        archive.refresh()
        with self._guard:
            key = (served.name, archive.manifest.number, archive.store.version, label)
            if key not in self._made:
                self._made[key] = _made(served, label)
                while len(self._made) > _KEPT:
                    del self._made[next(iter(self._made))]
            return self._made[key]


def _made(served: ServedArchive, label: str | None) -> Map:
    from histoseek.search.overview import overview

    found = overview(served.archive, label)
    return Map(
        slide_ids=found.slide_ids,
        x=tuple(found.x.tolist()),
        y=tuple(found.y.tolist()),
        labels=found.labels,
        label=label,
        method=found.method,
        sampled=found.sampled,
        slides=len(served.archive),
    )
