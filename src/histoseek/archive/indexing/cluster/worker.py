"""What workers of a cluster run: checks before the first slide, then a slide a task."""

from __future__ import annotations

import signal
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from threading import Lock

from histoseek.archive.indexing.bag_providers import SlideBags, blame_slide
from histoseek.archive.indexing.cluster.job import ClusterJob, WorkerVersions, read_versions
from histoseek.archive.indexing.plan import PlannedSlide
from histoseek.archive.layout import ArchiveLayout
from histoseek.archive.remote.address import ArchiveAddress
from histoseek.encoders.slide_bags import encoder_fingerprint
from histoseek.encoders.tile.base import TileEncoder
from histoseek.encoders.tile.registry import load_tile_encoder
from histoseek.errors import HistoseekError, SlideError, UnsuitedWorker
from histoseek.progress import SilentReporter
from histoseek.settings import change_settings, get_settings

_opening, _encoding = Lock(), Lock()


def dask_setup(_worker: object) -> None:
    """Called by Dask in processes that were started here: Ctrl-C, which a terminal sends to all, is not theirs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def tell_versions() -> tuple[str, str, str]:
    """Of histoseek, Python and Dask, as plain texts: workers of other versions may not read anything else."""
    versions = read_versions()
    return versions.histoseek, versions.python, versions.distributed


def check_worker(job: ClusterJob, sample: PlannedSlide) -> str | HistoseekError:
    """The fingerprint of this worker's tile encoder, which is loaded for it, if it sees the archive and the slides as
    the asking process does; else what is wrong. sample: any of the slides."""
    try:
        require_fit(job)
        try:
            is_same = sample.source.fingerprint() == sample.file_fingerprint
        except SlideError:
            is_same = False
        if not is_same:
            fault = f"it does not see the slides under the same paths as this machine ({sample.source.uri})"
            return UnsuitedWorker(_name_worker(), fault)
        return encoder_fingerprint(_open(job).encoder)
    except HistoseekError as error:
        return error


def encode_slide(job: ClusterJob, slide: PlannedSlide) -> HistoseekError | None:
    """Put the bag of a slide into the archive's cache, unless it is there; the error where that can't be done.

    Preparation of one slide goes on beside the encoding of another where the worker has a second thread.
    """
    try:
        require_fit(job)
        bags = _open(job)
        prepared = bags.prepare(slide)
        with _encoding:
            bags.finish(slide, prepared, SilentReporter())
    except HistoseekError as error:
        return error
    except Exception as error:
        return blame_slide(slide, error)
    return None


def require_fit(job: ClusterJob) -> None:
    """Raise UnsuitedWorker where this worker can't be used for a job, or joined after the checks and differs."""
    fault = compare_versions(job.versions, read_versions())
    if not fault and not _sees_archive(job):
        fault = f"it does not see the archive {job.layout.name}"
    if not fault and job.encoder and job.encoder != (own := encoder_fingerprint(_open(job).encoder)):
        fault = f"its tile encoder is {own}, here it is {job.encoder}"
    if fault:
        raise UnsuitedWorker(_name_worker(), fault)


def _sees_archive(job: ClusterJob) -> bool:
    copy = _localize(job.layout).copy
    return copy.exists() if copy else mark_place(job.layout, job.token).exists()


def _localize(layout: ArchiveLayout) -> ArchiveLayout:
    """Of an archive on a server, the places on this machine."""
    return replace(layout, root=ArchiveAddress.parse(layout.address).folder) if layout.address else layout


def _name_worker() -> str:
    from distributed import get_worker

    return str(get_worker().address)


def compare_versions(wanted: WorkerVersions, own: WorkerVersions) -> str:
    """How versions of a worker differ from those of the asking process, "" where they don't."""
    for name, mine, theirs in (
        ("histoseek", wanted.histoseek, own.histoseek),
        ("Python", wanted.python, own.python),
        ("the package distributed", wanted.distributed, own.distributed),
    ):
        if mine != theirs:
            return f"it has {name} {theirs}, here it is {mine}"
    return ""


def mark_place(layout: ArchiveLayout, token: str) -> Path:
    """The file by which workers know the archive's folder, there while a run lasts."""
    return layout.root / f".cluster.{token}.part"


def _open(job: ClusterJob) -> SlideBags:
    with _opening:
        return _open_once(job)


@lru_cache(maxsize=1)
def _open_once(job: ClusterJob) -> SlideBags:
    changes = {name: value for name, value in job.settings if str(getattr(get_settings(), name)) != value}
    if changes:
        change_settings(**changes)
    bags = SlideBags(_localize(job.layout), job.recipe, job.workers, job.trust)
    bags.encoder = _load_once(job.recipe.encoder, job.settings)
    return bags


@lru_cache(maxsize=1)
def _load_once(spec: str, _settings: tuple[tuple[str, str], ...]) -> TileEncoder:
    """Kept from one run to the next."""
    return load_tile_encoder(spec)
