"""The first search of a process loads models and compiles kernels: done before somebody waits for it."""

from __future__ import annotations

import logging
import threading

from histoseek.errors import HistoseekError
from histoseek.search.options import SearchOptions
from histoseek.search.queries import ArchivedReport, ArchivedSlide, Query
from histoseek.search.search import search
from histoseek.server.archives.maps import Overviews
from histoseek.server.archives.served import ServedArchive, ServedArchives

log = logging.getLogger(__name__)


def warm(archives: ServedArchives, overviews: Overviews) -> None:
    """Ask each archive with one of its own slides and its report, and for its map, in a thread beside."""
    threading.Thread(target=_warm, args=(archives, overviews), name="warming", daemon=True).start()


def _warm(archives: ServedArchives, overviews: Overviews) -> None:
    for served in archives:
        try:
            for query in _examples(served):
                search(served.archive, query, SearchOptions(k=1))
        except HistoseekError as error:
            log.info("archive %s: not warmed up (%s)", served.name, error.kind)
    for served in archives:
        try:
            overviews.of(served, None)
        except HistoseekError as error:
            log.info("archive %s: no map (%s)", served.name, error.kind)


def _examples(served: ServedArchive) -> list[Query]:
    slides = served.archive.records(limit=1)
    told = served.archive.records("report IS NOT NULL", limit=1) if slides else []
    return [*(ArchivedSlide(one.slide_id) for one in slides), *(ArchivedReport(one.slide_id) for one in told)]
