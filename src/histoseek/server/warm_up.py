"""The first search of a process loads models and compiles kernels: done before somebody waits for it."""

from __future__ import annotations

import logging
import threading

from histoseek.errors import HistoseekError
from histoseek.search.options import SearchOptions
from histoseek.search.queries import ArchivedReport, ArchivedSlide, Query
from histoseek.search.search import search
from histoseek.server.archives.maps import MapStore
from histoseek.server.archives.registry import ArchiveEntry, ArchiveRegistry

log = logging.getLogger(__name__)


def warm_up(archives: ArchiveRegistry, maps: MapStore) -> None:
    """Search each archive with one of its own slides and its report, and make its map, in a background thread."""
    threading.Thread(target=_warm_up, args=(archives, maps), name="warming", daemon=True).start()


def _warm_up(archives: ArchiveRegistry, maps: MapStore) -> None:
    for entry in archives:
        try:
            for query in _list_examples(entry):
                search(entry.archive, query, SearchOptions(k=1))
        except HistoseekError as error:
            log.info("archive %s: not warmed up (%s)", entry.name, error.kind)
    for entry in archives:
        try:
            maps.get(entry, None)
        except HistoseekError as error:
            log.info("archive %s: no map (%s)", entry.name, error.kind)


def _list_examples(entry: ArchiveEntry) -> list[Query]:
    slides = entry.archive.records(limit=1)
    reports = entry.archive.records("report IS NOT NULL", limit=1) if slides else []
    return [
        *(ArchivedSlide(record.slide_id) for record in slides),
        *(ArchivedReport(record.slide_id) for record in reports),
    ]
