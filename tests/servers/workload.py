"""Somebody writes to an archive on a server and somebody searches it, while something happens to the server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from histoseek.api import Archive
from histoseek.errors import ArchiveError
from histoseek.search.options import SearchOptions
from histoseek.search.queries import ArchivedSlide
from tests.waiting import wait_for


@dataclass
class Workload:
    """Changes of metadata, one after the other, each with a number, and searches beside them.

    acknowledged: the last number by slide; refused: errors that the writer met; commits: how many the store made beyond
    those before; wrong: searches with other results than at first.
    """

    address: str
    acknowledged: dict[str, int] = field(default_factory=dict)
    count: int = 0
    tried: int = 0
    refused: list[str] = field(default_factory=list)
    searches: int = 0
    wrong: int = 0
    unanswered: list[str] = field(default_factory=list)
    longest_write_s: float = 0.0
    longest_search_s: float = 0.0
    commits: int = 0

    def run(self, disturb: Callable[[Workload], None]) -> None:
        """Work until `disturb` returns, and a few changes and searches longer."""
        archive = Archive.open(self.address)
        slides = [record.slide_id for record in archive.records()]
        before = archive.store.version
        ending = threading.Event()
        workers = [
            threading.Thread(target=self._write, args=(archive, slides, ending)),
            threading.Thread(target=self._search, args=(slides, ending)),
        ]
        for worker in workers:
            worker.start()
        try:
            self.wait_for_more()
            disturb(self)
            self.wait_for_more()
        finally:
            ending.set()
            for worker in workers:
                worker.join()
        self.commits = Archive.open(self.address).store.version - before

    def wait_for_more(self) -> None:
        """Return when some more has been written and found, unless nothing can be written."""
        written, found = self.count, self.searches
        wait_for(lambda: self.count > written + 2 and self.searches > found + 2)

    def count_found(self) -> int:
        """How many slides have what was acknowledged last, or what was tried later."""
        stored = {record.slide_id: record.diagnosis for record in Archive.open(self.address).records()}
        numbers = {slide: int((stored[slide] or "n-1")[1:]) for slide in self.acknowledged}
        return sum(self.acknowledged[slide] <= number <= self.tried for slide, number in numbers.items())

    def _write(self, archive: Archive, slides: list[str], ending: threading.Event) -> None:
        while not ending.is_set():
            self.tried += 1
            slide, began = slides[self.tried % len(slides)], time.monotonic()
            try:
                archive.update(slide, {"diagnosis": f"n{self.tried}"})
            except ArchiveError as error:
                self.refused.append(str(error))
                ending.wait(0.1)
            else:
                self.acknowledged[slide] = self.tried
                self.count += 1
            self.longest_write_s = max(self.longest_write_s, time.monotonic() - began)

    def _search(self, slides: list[str], ending: threading.Event) -> None:
        # A name of its own lets it have connections and a local copy of its own, as another process has.
        mark = "&" if "?" in self.address else "?"
        name = "/" if self.address.startswith("s3:") else f"{mark}application_name=searcher"
        archive = Archive.open(f"{self.address}{name}")
        first: list[str] | None = None
        while not ending.is_set():
            began = time.monotonic()
            try:
                results = archive.search(ArchivedSlide(slides[0]), SearchOptions(k=5)).results
            except ArchiveError as error:
                self.unanswered.append(str(error))
                ending.wait(0.1)
                continue
            found = [result.record.slide_id for result in results]
            first = first or found
            self.wrong += found != first
            self.searches += 1
            self.longest_search_s = max(self.longest_search_s, time.monotonic() - began)
