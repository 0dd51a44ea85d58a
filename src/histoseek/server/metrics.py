"""Counts and times for Prometheus. Labels are names of routes, methods and kinds: nothing that a request says."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from histoseek.errors import ConfigurationError
from histoseek.server.state.database import make_private_folder

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """What one process counts; with a folder, what all processes that count there do."""

    def __init__(self, folder: Path | None = None) -> None:
        """folder: of `prepare_folder`, needed with several workers.

        Raises ConfigurationError when prometheus_client was imported before this could tell it the folder.
        """
        if folder is not None:
            os.environ[_FOLDER] = str(folder)  # read by the package when it is imported
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values

        if folder is not None and not values.ValueClass._multiprocess:
            raise ConfigurationError("metrics", "prometheus_client was imported too early", "Import it in Metrics only")
        self._folder = folder
        own = self._registry = CollectorRegistry()
        self._requests = Counter("histoseek_requests", "Requests answered", ("route", "method", "status"), registry=own)
        self._seconds = Histogram(
            "histoseek_request_seconds", "Time of requests", ("route", "method"), buckets=_SECONDS, registry=own
        )
        self._searches = Histogram(
            "histoseek_search_seconds", "Time of searches", ("kind",), buckets=_SECONDS, registry=own
        )
        self._tiles = Histogram("histoseek_tile_seconds", "Time to make a tile", buckets=_SECONDS, registry=own)
        self._uploads = Counter("histoseek_uploads", "Uploads by outcome", ("outcome",), registry=own)
        self._sandbox = Counter(
            "histoseek_sandbox_failures", "Uploads that broke their sandbox", ("reason",), registry=own
        )
        self._limited = Counter("histoseek_rate_limited", "Requests turned away as too many", ("kind",), registry=own)
        self._slides = Gauge(
            "histoseek_archive_slides",
            "Slides of an archive",
            ("archive",),
            registry=own,
            multiprocess_mode="mostrecent",
        )

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request by the template of its path, its method and the answer's status."""
        method = known_method(method)
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route, method).observe(seconds)

    def search(self, kind: str, seconds: float) -> None:
        """Count a search; kind as in the request's query, such as "text"."""
        self._searches.labels(kind).observe(seconds)

    def tile(self, seconds: float) -> None:
        """Count a tile that was made."""
        self._tiles.observe(seconds)

    def upload(self, outcome: str) -> None:
        """Count an upload, by a word such as "kept" or "refused"."""
        self._uploads.labels(outcome).inc()

    def sandbox_failure(self, reason: str) -> None:
        """Count an upload that could not be opened safely, by a word such as "memory" or "time"."""
        self._sandbox.labels(reason).inc()

    def rate_limited(self, kind: str) -> None:
        """Count a request that was turned away."""
        self._limited.labels(kind).inc()

    def archive_slides(self, archive: str, slides: int) -> None:
        """Say how many slides an archive has now."""
        self._slides.labels(archive).set(slides)

    def render(self) -> tuple[bytes, str]:
        """All counts as Prometheus reads them, and their content type."""
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

        return generate_latest(self._all_processes()), CONTENT_TYPE_LATEST

    def _all_processes(self) -> CollectorRegistry:
        if self._folder is None:
            return self._registry
        from prometheus_client import CollectorRegistry
        from prometheus_client.multiprocess import MultiProcessCollector

        together = CollectorRegistry()
        MultiProcessCollector(together, str(self._folder))  # type: ignore[no-untyped-call]
        return together


def known_method(method: str) -> str:
    """The method, or "other": a client can send any word."""
    return method if method in _METHODS else "other"


def prepare_folder(folder: Path) -> None:
    """Make the folder in which worker processes count, empty; call it once before they start."""
    if folder.exists():
        shutil.rmtree(folder)
    make_private_folder(folder)
