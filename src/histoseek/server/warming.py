"""What makes a server quick from its first answer on: work that would else be done while somebody waits for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from threadpoolctl import threadpool_limits

from histoseek.encoders.devices import thread_count
from histoseek.errors import HistoseekError
from histoseek.search.options import SearchOptions
from histoseek.search.queries import ArchivedReport, ArchivedSlide, Query, TextQuery
from histoseek.search.search import search
from histoseek.server.archives.images import SlideImages
from histoseek.server.archives.maps import MapStore
from histoseek.server.archives.registry import ArchiveEntry, ArchiveRegistry
from histoseek.server.tiles.service import TileService
from histoseek.settings import get_settings

log = logging.getLogger(__name__)

_FIRST_WORD = "carcinoma"
_LONGEST_S = 5.0
"""Nobody waits longer for the first answer: an archive may be very large, or on a server that does not answer."""


_MAPS_AFTER_S = 60.0
"""A map takes a core for some seconds: who opens the page right after the start goes first."""


def limit_product_threads(searches: int) -> None:
    """Let each product of matrices take as many threads as there are cores for each of the searches that run at once:
    threads that wait for each other are slowest on a machine with other work."""
    threadpool_limits(max(1, thread_count(get_settings()) // searches), "blas")


@dataclass(slots=True)
class Warming:
    """Searches archives, opens a slide and makes maps in background threads.

    Words take the text encoder, the vocabulary and the dictionary; a slide takes the process that opens slides. What of
    this is needed for a first result in the first archive is done before the server answers, if it takes no longer than
    some seconds.
    """

    archives: ArchiveRegistry
    maps: MapStore
    images: SlideImages
    tiles: TileService
    shutdown: threading.Event
    _is_searched: threading.Event = field(default_factory=threading.Event, init=False)

    def start(self) -> None:
        """Begin; to be called once."""
        for work in (self._search, self._open_slide, self._make_maps):
            threading.Thread(target=work, name="warming", daemon=True).start()

    def wait(self) -> None:
        """Until the first archive was searched with a word, or for some seconds."""
        self._is_searched.wait(_LONGEST_S)

    def _search(self) -> None:
        try:
            for entry in self.archives:
                _try_searching(entry, _list_words)
                self._is_searched.set()
                _try_searching(entry, _list_examples)
        finally:
            self._is_searched.set()

    def _make_maps(self) -> None:
        if self.shutdown.wait(_MAPS_AFTER_S):
            return
        for entry in self.archives:
            try:
                self.maps.get(entry, None)
            except HistoseekError as error:
                log.info("archive %s: no map (%s)", entry.name, error.kind)

    def _open_slide(self) -> None:
        for entry in self.archives:
            try:
                for record in entry.archive.records(limit=1):
                    image = self.images.find(entry, record.slide_id)
                    self.tiles.describe(image.source, image.spacing_um_per_px)
                    return
            except HistoseekError as error:
                log.info("archive %s: no slide was opened (%s)", entry.name, error.kind)


def _try_searching(entry: ArchiveEntry, list_queries: Callable[[ArchiveEntry], list[Query]]) -> None:
    try:
        for query in list_queries(entry):
            search(entry.archive, query, SearchOptions(k=1))
    except HistoseekError as error:
        log.info("archive %s: not warmed up (%s)", entry.name, error.kind)


def _list_words(_entry: ArchiveEntry) -> list[Query]:
    return [TextQuery(_FIRST_WORD)]


def _list_examples(entry: ArchiveEntry) -> list[Query]:
    slides = entry.archive.records(limit=1)
    reports = entry.archive.records("report IS NOT NULL", limit=1) if slides else []
    return [
        *(ArchivedSlide(record.slide_id) for record in slides),
        *(ArchivedReport(record.slide_id) for record in reports),
    ]
