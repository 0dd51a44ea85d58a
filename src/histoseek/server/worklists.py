"""Who works on worklists: one slide at a time, each search in the queue with those of people who wait for an answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import wait
from dataclasses import dataclass, field, replace
from functools import partial

from histoseek.errors import ArchiveError, HistoseekError
from histoseek.search.queries import ArchivedSlide, EncodedSlide
from histoseek.search.worklist import WorklistOptions, WorklistRow, make_worklist_row
from histoseek.server.archives.registry import ArchiveEntry, ArchiveRegistry
from histoseek.server.errors import Overloaded, format_detail
from histoseek.server.jobs.job_store import StoredJob
from histoseek.server.jobs.supervisor import JobCancelled, ProgressCallback
from histoseek.server.state.worklists import ListedSlide, StoredWorklist, WorklistStore
from histoseek.server.uploads.uploaded_slides import UploadedSlides
from histoseek.server.work_queue import WorkQueue

_LOOK_S = 1.0

GoOn = Callable[[], bool]
"""Says how far the job is, and whether it is still wanted."""


@dataclass(slots=True)
class WorklistRunner:
    """Works on worklists in the thread of their jobs."""

    store: WorklistStore
    archives: ArchiveRegistry
    uploads: UploadedSlides
    queue: WorkQueue
    _loop: asyncio.AbstractEventLoop | None = field(default=None, init=False)

    def start(self) -> None:
        """To be called in the event loop of the queue."""
        self._loop = asyncio.get_running_loop()

    def run(self, job: StoredJob, report_progress: ProgressCallback) -> None:
        """Do what is left of a job's worklist; raises JobCancelled, NotFound when it was deleted, ArchiveError."""
        worklist = self.store.get_of_job(job.job_id)
        entry = self.archives.get(worklist.archive)
        slides = self.store.read_slides(worklist.worklist_id)
        waiting = [(place, slide) for place, slide in slides if slide.row is None]
        for number, (place, slide) in enumerate(waiting, len(slides) - len(waiting)):
            go_on = partial(report_progress, number, len(slides))
            self.store.put_row(worklist.worklist_id, place, self._make_row(worklist, entry, slide, go_on))
        report_progress(len(slides), len(slides))

    def _make_row(self, worklist: StoredWorklist, entry: ArchiveEntry, slide: ListedSlide, go_on: GoOn) -> WorklistRow:
        task = worklist.task
        options = WorklistOptions(task.k, task.label, task.phrases, task.where)
        _require(go_on)
        try:
            query = self._encode(worklist, entry, slide)
            row = self._wait_for(lambda: make_worklist_row(entry.archive, query, options), go_on)
        except (ArchiveError, JobCancelled):
            raise
        except HistoseekError as error:
            row = WorklistRow(slide.slide_id or "", slide.slide_id, error=format_detail(error))
        # An upload is called by its own name, also where the archive has a slide of the same content under another.
        name = self.uploads.find_name(slide.upload_id, worklist.owner) if slide.upload_id else row.name
        return replace(row, name=name)

    def _encode(
        self, worklist: StoredWorklist, entry: ArchiveEntry, slide: ListedSlide
    ) -> ArchivedSlide | EncodedSlide:
        if slide.upload_id is None:
            return ArchivedSlide(slide.slide_id or "")
        return self.uploads.create_queries(entry, worklist.owner).encode_slide(slide.upload_id, None)

    def _wait_for(self, work: Callable[[], WorklistRow], go_on: GoOn) -> WorklistRow:
        """The row that a search gives, which waits its turn among those of people, and again while they are too many.

        Who ends the loop may be waiting for this thread, so it looks now and then whether to go on.
        """
        if self._loop is None:
            return work()
        while True:
            search = asyncio.run_coroutine_threadsafe(self.queue.run(work), self._loop)
            while not wait([search], _LOOK_S).done:
                if not go_on():
                    search.cancel()
                    _require(go_on)
            try:
                return search.result()
            except Overloaded:
                _require(go_on)
                time.sleep(_LOOK_S)


def _require(go_on: GoOn) -> None:
    """Raise JobCancelled where the job is no longer wanted, or has to wait for another process."""
    if not go_on():
        raise JobCancelled("job", "was cancelled")
