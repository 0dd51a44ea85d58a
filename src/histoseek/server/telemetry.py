"""Counts and times for Prometheus. Labels are names of routes, methods and kinds: nothing that a request says."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from histoseek.errors import ConfigurationError
from histoseek.sandbox.confinement import Confinement
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

        Raises ConfigurationError when prometheus_client was imported before it could learn of the folder here.
        """
        if folder is not None:
            os.environ[_FOLDER] = str(folder)  # read by the package when it is imported
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values

        if folder is not None and not values.ValueClass._multiprocess:
            raise ConfigurationError("metrics", "prometheus_client was imported too early", "Import it in Metrics only")
        self._folder = folder
        registry = self._registry = CollectorRegistry()
        self._requests = Counter(
            "histoseek_requests", "Requests answered", ("route", "method", "status"), registry=registry
        )
        self._seconds = Histogram(
            "histoseek_request_seconds", "Time of requests", ("route", "method"), buckets=_SECONDS, registry=registry
        )
        self._searches = Histogram(
            "histoseek_search_seconds", "Time of searches", ("kind",), buckets=_SECONDS, registry=registry
        )
        self._tiles = Histogram("histoseek_tile_seconds", "Time to make a tile", buckets=_SECONDS, registry=registry)
        self._uploads = Counter("histoseek_uploads", "Uploads by outcome", ("outcome",), registry=registry)
        self._sandbox = Counter(
            "histoseek_sandbox_failures", "Uploads that broke their sandbox", ("reason",), registry=registry
        )
        self._limited = Counter(
            "histoseek_rate_limited", "Requests turned away as too many", ("kind",), registry=registry
        )
        # Of several processes, what the one says that was asked last.
        gauge = partial(Gauge, registry=registry, multiprocess_mode="mostrecent")
        self._slides = gauge("histoseek_archive_slides", "Slides of an archive", ("archive",))
        self._holds = gauge("histoseek_sandbox_holds", "Whether uploads' readers are confined, by kind", ("kind",))

    def count_request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request by the template of its path, its method and the answer's status."""
        method = normalise_method(method)
        self._requests.labels(route, method, str(status)).inc()
        self._seconds.labels(route, method).observe(seconds)

    def count_search(self, kind: str, seconds: float) -> None:
        """Count a search; kind as in the request's query, such as "text"."""
        self._searches.labels(kind).observe(seconds)

    def count_tile(self, seconds: float) -> None:
        """Count a tile that was made."""
        self._tiles.observe(seconds)

    def count_upload(self, outcome: str) -> None:
        """Count an upload, by a word such as "kept" or "refused"."""
        self._uploads.labels(outcome).inc()

    def count_sandbox_failure(self, reason: str) -> None:
        """Count an upload that could not be opened safely, by a word such as "memory" or "time"."""
        self._sandbox.labels(reason).inc()

    def set_confinement(self, confinement: Confinement) -> None:
        """Say what holds for the process that opens uploads."""
        for kind, holds in asdict(confinement).items():
            self._holds.labels(kind).set(holds)

    def count_rate_limit(self, kind: str) -> None:
        """Count a request that was turned away."""
        self._limited.labels(kind).inc()

    def set_archive_slides(self, archive: str, slides: int) -> None:
        """Say how many slides an archive has now."""
        self._slides.labels(archive).set(slides)

    def render(self) -> tuple[bytes, str]:
        """All counts as Prometheus reads them, and their content type."""
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

        return generate_latest(self._collect_processes()), CONTENT_TYPE_LATEST

    def _collect_processes(self) -> CollectorRegistry:
        if self._folder is None:
            return self._registry
        from prometheus_client import CollectorRegistry
        from prometheus_client.multiprocess import MultiProcessCollector

        collected = CollectorRegistry()
        MultiProcessCollector(collected, str(self._folder))  # type: ignore[no-untyped-call]
        return collected


def normalise_method(method: str) -> str:
    """The method, or "other": a client can send any word."""
    return method if method in _METHODS else "other"


def prepare_folder(folder: Path) -> None:
    """Make the folder in which worker processes count, empty; call it once before they start."""
    if folder.exists():
        shutil.rmtree(folder)
    make_private_folder(folder)
