"""What goes from the process that indexes to the workers that encode for it."""

from __future__ import annotations

import platform
from dataclasses import dataclass, replace
from importlib.metadata import version

from histoseek._version import __version__
from histoseek.archive.indexing.metadata_join import SlideMetadata
from histoseek.archive.indexing.plan import PlannedSlide
from histoseek.archive.layout import ArchiveLayout
from histoseek.encoders.recipe import Recipe
from histoseek.settings import get_settings

_SHARED = ("precision", "own_code", "accept_unknown_weights", "download")
"""Settings that say what is computed, not where: workers take those of the process that indexes."""


@dataclass(frozen=True, slots=True)
class WorkerVersions:
    """What must be the same in all processes of a cluster."""

    histoseek: str
    python: str
    distributed: str


@dataclass(frozen=True, slots=True, repr=False)
class ClusterJob:
    """One run of indexing, as workers see it. Its address may hold a password, which no log shows.

    workers: threads that read tiles; trust: as of `open_slide`; token: names the file by which a worker knows the
    archive's folder; settings: names and values that workers take over; encoder: the fingerprint that the tile encoder
    must have, "" while nobody knows it.
    """

    layout: ArchiveLayout
    recipe: Recipe
    workers: int
    trust: bool
    token: str
    versions: WorkerVersions
    settings: tuple[tuple[str, str], ...]
    encoder: str = ""


def read_versions() -> WorkerVersions:
    """Those of this process."""
    python = ".".join(platform.python_version_tuple()[:2])
    return WorkerVersions(__version__, python, version("distributed"))


def list_shared_settings() -> tuple[tuple[str, str], ...]:
    """The settings of this process that workers take over."""
    settings = get_settings()
    return tuple((name, str(getattr(settings, name))) for name in _SHARED)


def strip_slide(slide: PlannedSlide) -> PlannedSlide:
    """A slide as workers see it: nothing of what tables, reports and the archive say of it leaves this process."""
    return replace(slide, metadata=SlideMetadata(), record=None)
