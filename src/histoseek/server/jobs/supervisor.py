"""Who does the jobs: a thread for each kind takes them from the queue, in as many processes as there are."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from histoseek.errors import HistoseekError
from histoseek.server.errors import Overloaded, format_detail
from histoseek.server.jobs.job_store import JobKind, JobStore, StoredJob

_POLL_S = 0.5
_GRACE_S = 10.0
_INSIST_S = 600.0
"""For how long the end of a job is told to a state that is away."""

ProgressCallback = Callable[[int, int | None], bool]
"""Takes how many tiles are done, and of how many; says whether to go on."""

Work = Callable[[StoredJob, ProgressCallback], None]
"""Does a job in a thread of this process; raises JobCancelled when it is not to go on."""

OnEnd = Callable[[StoredJob], None]
"""Takes an indexing job as it was when it was begun, when it has ended."""


def describe_unexpected(error: Exception) -> str:
    """The text for an error that nobody foresaw."""
    return f"unexpected {type(error).__name__}; see the server's log"


class JobCancelled(HistoseekError):
    """The job was cancelled."""


log = logging.getLogger(__name__)


def insist(tell: Callable[[], None]) -> None:
    """Tell the state something that must not be lost, again and again while it is away; raises Overloaded at last."""
    end_s = time.monotonic() + _INSIST_S
    while True:
        try:
            return tell()
        except Overloaded:
            if time.monotonic() > end_s:
                raise
            time.sleep(_POLL_S)


class Supervisor:
    """Takes jobs from the queue while it lives: what writes to archives runs in child processes, other kinds in threads
    of this one."""

    def __init__(self, jobs: JobStore, works: Mapping[JobKind, Work], on_end: OnEnd, temporary: Path) -> None:
        """works: how the jobs of a kind are done in this process; temporary: a folder for what the libraries of child
        processes leave on the disk while they work."""
        self._jobs, self._on_end, self._temporary = jobs, on_end, temporary
        self._ending = threading.Event()
        kinds: list[tuple[JobKind, Callable[[StoredJob], None]]] = [
            ("index", self._do_in_child),
            ("erase", self._do_in_child),
            *((kind, partial(self._do_here, work)) for kind, work in works.items()),
        ]
        self._threads = [
            threading.Thread(target=self._work, args=(kind, do), name=f"jobs-{kind}", daemon=True) for kind, do in kinds
        ]
        # Set when there may be a job of the kind, and when all ends: who asks with a slide is waiting for it.
        self._added = {kind: threading.Event() for kind, _ in kinds}
        jobs.watch_additions(lambda kind: self._added[kind].set())

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop; what was begun waits for another process, or for the next start."""
        self._ending.set()
        for added in self._added.values():
            added.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(_GRACE_S + _POLL_S)

    def _work(self, kind: JobKind, do: Callable[[StoredJob], None]) -> None:
        added = self._added[kind]
        while not self._ending.is_set():
            added.clear()
            try:
                job = self._jobs.claim(kind)
                if job:
                    do(job)
                    continue
            except Exception as error:
                # Whatever it was, this thread is the only one that does jobs of its kind here.
                log.error("jobs of the kind %s", kind, exc_info=error)
            if not self._ending.is_set():
                added.wait(_POLL_S)

    def _do_here(self, work: Work, job: StoredJob) -> None:
        def report_progress(done: int, total: int | None) -> bool:
            with suppress(Overloaded):
                return self._jobs.report_progress(job.job_id, done, total, None) and not self._ending.is_set()
            return not self._ending.is_set()

        try:
            work(job, report_progress)
        except Exception as error:
            self._end_here(job, error)
        else:
            insist(lambda: self._jobs.end(job.job_id, "done"))

    def _end_here(self, job: StoredJob, error: Exception) -> None:
        if self._ending.is_set():
            self._jobs.release(job.job_id)
        elif isinstance(error, JobCancelled):
            self._jobs.end(job.job_id, "cancelled")
        elif isinstance(error, HistoseekError):
            self._jobs.end(job.job_id, "failed", error=format_detail(error))
        else:
            log.error("job %s failed", job.job_id, exc_info=error)
            self._jobs.end(job.job_id, "failed", error=describe_unexpected(error))

    def _do_in_child(self, job: StoredJob) -> None:
        with make_temporary_folder(self._temporary, job.job_id) as folder:
            self._run_child(job, folder)
        if self._ending.is_set():
            self._jobs.release(job.job_id)
        elif not self._jobs.get(job.job_id).has_ended:
            is_wanted = self._jobs.beat(job.job_id)
            error = "its process ended early. Start it again: it goes on from there" if is_wanted else None
            self._jobs.end(job.job_id, "failed" if is_wanted else "cancelled", error=error)
        if self._jobs.get(job.job_id).has_ended:
            self._on_end(job)

    def _run_child(self, job: StoredJob, temporary: Path) -> None:
        command = [sys.executable, "-m", "histoseek.server.jobs.runner", job.job_id]
        environment = {**os.environ, "TMPDIR": str(temporary)}
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True, env=environment)
        while child.poll() is None:
            if self._ending.wait(_POLL_S) or not self._beat(job.job_id):
                _terminate(child)

    def _beat(self, job_id: str) -> bool:
        """Whether a job is still wanted, as far as is known while the state is away."""
        with suppress(Overloaded):
            return self._jobs.beat(job_id)
        return True


@contextmanager
def make_temporary_folder(folder: Path, name: str) -> Iterator[Path]:
    """A private folder below another one while the block lasts; a killed one's goes with `remove_temporary_folders`."""
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / name
    path.mkdir(mode=0o700, exist_ok=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def remove_temporary_folders(folder: Path, in_use: Collection[str]) -> None:
    """Remove what processes left below a folder that were killed, but for those of these names."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name not in in_use:
            shutil.rmtree(path, ignore_errors=True)


def _terminate(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
