"""Slides under way in a cluster: a bounded number at once, each with one outcome whatever happens to workers."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING
from uuid import uuid4

from histoseek.archive.indexing.cluster.connection import (
    ClusterConnection,
    count_gpus,
    count_slots,
    find_deadline,
    find_resources,
)
from histoseek.archive.indexing.cluster.job import ClusterJob, strip_slide
from histoseek.archive.indexing.cluster.worker import encode_slide
from histoseek.archive.indexing.plan import PlannedSlide
from histoseek.errors import ClusterError, HistoseekError, NoWorkers, UnreadableSlide
from histoseek.progress import Reporter
from histoseek.settings import get_settings

if TYPE_CHECKING:
    from distributed import Client, Future

_PER_SLOT = 2
"""Slides under way for each that workers take at once: the next one is there when one is done."""

_LOOK_S = 1.0
"""How often workers are counted."""

_DEADLY = "reading it ended its process on every worker that tried it"

NumberedSlide = tuple[int, PlannedSlide]


@dataclass(slots=True)
class _Task:
    slide: NumberedSlide
    future: Future
    is_alone: bool


@dataclass
class SlideTasks:
    """One run's slides. A slide whose workers died is tried once more with nothing else under way, since what is beside
    a deadly slide is lost with its worker, too: what kills workers all alone is refused."""

    connection: ClusterConnection
    job: ClusterJob
    reporter: Reporter
    _finished: SimpleQueue[str] = field(default_factory=SimpleQueue)
    _running: dict[str, _Task] = field(default_factory=dict)
    _waiting: deque[NumberedSlide] = field(default_factory=deque)
    _suspects: deque[NumberedSlide] = field(default_factory=deque)
    _most: int = 0
    _resources: dict[str, float] | None = None
    _next_look_s: float = 0.0
    _ends_s: float | None = None

    def run(self, slides: Sequence[NumberedSlide]) -> Iterator[tuple[int, HistoseekError | None]]:
        """The numbers of slides as they are done, with the error of one that can't be encoded.

        Raises NoWorkers, ClusterUnreachable, UnsuitedWorker, and ClusterError for what no slide is to blame for.
        """
        self._waiting.extend(slides)
        while self._waiting or self._suspects or self._running:
            self._look()
            self._fill()
            try:
                key = self._finished.get(timeout=_LOOK_S)
            except Empty:
                continue
            task = self._running.pop(key, None)
            if task is None:
                continue
            outcome = self._settle(task)
            if outcome is not None:
                yield outcome

    def _look(self) -> None:
        """Count workers now and then; raises NoWorkers when they were away for too long."""
        if monotonic() < self._next_look_s:
            return
        workers = self.connection.list_workers()
        if self._resources is not None:
            # What is asked of GPUs nobody else takes.
            workers = {address: worker for address, worker in workers.items() if count_gpus(worker)}
        self._next_look_s = monotonic() + _LOOK_S
        if workers:
            self._most, self._ends_s = _PER_SLOT * max(1, count_slots(workers)), None
            self._resources = find_resources(workers)
            return
        self._ends_s = self._ends_s or find_deadline()
        if monotonic() > self._ends_s:
            slides = len(self._waiting) + len(self._suspects) + len(self._running)
            raise NoWorkers(str(self.connection.address), slides, get_settings().cluster_minutes)

    def _fill(self) -> None:
        if self._suspects:
            if not self._running:
                self._submit(self._suspects.popleft(), is_alone=True)
            return
        if any(task.is_alone for task in self._running.values()):
            return
        while self._waiting and len(self._running) < self._most:
            self._submit(self._waiting.popleft(), is_alone=False)

    def _submit(self, slide: NumberedSlide, *, is_alone: bool) -> None:
        client: Client = self.connection.client
        key = f"histoseek-slide-{uuid4().hex}"
        stripped = strip_slide(slide[1])
        future = client.submit(encode_slide, self.job, stripped, key=key, pure=False, resources=self._resources)
        self._running[key] = _Task(slide, future, is_alone)
        future.add_done_callback(lambda _: self._finished.put(key))

    def _settle(self, task: _Task) -> tuple[int, HistoseekError | None] | None:
        """The outcome of a task that ended; None where its slide is to be tried again."""
        from distributed.scheduler import KilledWorker

        number, slide = task.slide
        try:
            return number, task.future.result(timeout=60)
        except KilledWorker:
            if task.is_alone:
                return number, UnreadableSlide(slide.source.uri, _DEADLY)
            self._suspects.append(task.slide)
        except (OSError, CancelledError):
            self._recover(task)
        except HistoseekError:
            raise
        except Exception as error:  # of a worker that can't run what it is asked
            what = f"a worker failed ({type(error).__name__}: {error})"
            raise ClusterError(f"--cluster {self.connection.address}", what, "See the log of its workers") from error
        return None

    def _recover(self, task: _Task) -> None:
        """The scheduler is gone, and knows of nothing when it is back: all that was under way is to be asked anew."""
        lost = [task, *self._running.values()]
        self._running.clear()
        self._waiting.extendleft(one.slide for one in reversed(lost))
        self.reporter.note(f"the scheduler of {self.connection.address} is gone, waiting for it")
        self.connection.renew(find_deadline())
        self._next_look_s = 0.0
