"""Loaded by workers of test clusters: they hold slides up, or die of them, as files in a folder say."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from histoseek.archive.indexing.bag_providers import BagInput, CachedBag, SlideBags
from histoseek.archive.indexing.cluster import job
from histoseek.archive.indexing.plan import PlannedSlide
from histoseek.progress import Reporter
from tests.waiting import wait_for

_finish = SlideBags.finish


def hold(folder: Path) -> Path:
    """While this file is there, workers that have begun a slide wait."""
    return folder / "hold"


def list_begun(folder: Path) -> dict[str, int]:
    """Slides that workers have begun, with the process of the one that was the last to."""
    return {path.suffix[1:]: int(path.read_text()) for path in folder.glob("begun.*") if path.read_text()}


def name_deadly(folder: Path) -> Path:
    """Holds the id of a slide that ends the process of a worker."""
    return folder / "deadly"


def dask_setup(worker: object) -> None:
    """Called by Dask as a worker starts."""
    job.__version__ = os.environ.get("HISTOSEEK_TEST_VERSION", job.__version__)  # type: ignore[attr-defined]
    SlideBags.finish = _finish_held  # type: ignore[method-assign]


def _finish_held(self: SlideBags, slide: PlannedSlide, prepared: BagInput, reporter: Reporter) -> CachedBag:
    folder = Path(os.environ["HISTOSEEK_TEST_HOLD"])
    deadly = name_deadly(folder)
    if deadly.exists() and deadly.read_text() == slide.slide_id:
        os.kill(os.getpid(), signal.SIGKILL)
    if hold(folder).exists():
        (folder / f"begun.{slide.slide_id}").write_text(str(os.getpid()))
        wait_for(lambda: not hold(folder).exists())
    return _finish(self, slide, prepared, reporter)
