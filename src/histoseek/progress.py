"""Progress of long work: rich bars with rate and time left on a terminal, silence elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn, TaskID


class Reporter(Protocol):
    """What long work reports its progress to."""

    def advance(self, items: int = 1) -> None:
        """Count some more items as done."""

    def expect(self, total: int) -> None:
        """Set how many items there are."""

    def part(self, title: str, total: int) -> AbstractContextManager[Reporter]:
        """A reporter for one part of the work, shown below it while it lasts."""


class SilentReporter:
    """Reports nothing: for libraries, tests and pipes."""

    def advance(self, items: int = 1) -> None:
        """Ignore it."""

    def expect(self, total: int) -> None:
        """Ignore it."""

    @contextmanager
    def part(self, title: str, total: int) -> Iterator[Reporter]:
        """Stay silent about parts, too."""
        yield self


class CountingReporter:
    """Counts items done and to be done, and publishes each change; parts count as the whole does."""

    def __init__(self, total: int | None = None) -> None:
        self.done = 0
        self.total = total

    def advance(self, items: int = 1) -> None:
        """Count some more items as done."""
        self.done += items
        self.publish()

    def expect(self, total: int) -> None:
        """Set how many items there are."""
        self.total = total
        self.publish()

    @contextmanager
    def part(self, title: str, total: int) -> Iterator[Reporter]:
        """The same reporter."""
        yield self

    def publish(self) -> None:
        """Publish how far the work is; for subclasses."""
        raise NotImplementedError


class _BarReporter:
    def __init__(self, bars: Progress, task: TaskID) -> None:
        self._bars = bars
        self._task = task

    def advance(self, items: int = 1) -> None:
        self._bars.advance(self._task, items)

    def expect(self, total: int) -> None:
        self._bars.update(self._task, total=total)

    @contextmanager
    def part(self, title: str, total: int) -> Iterator[Reporter]:
        task = self._bars.add_task(title, total=total)
        try:
            yield _BarReporter(self._bars, task)
        finally:
            self._bars.remove_task(task)


class _LateReporter:
    """Shows bars from the first report on: work that is done at once needs none, and importing them takes a while."""

    def __init__(self, start: Callable[[], Reporter]) -> None:
        self._start = start
        self._lock = Lock()
        self._reporter: Reporter | None = None

    def _get_started(self) -> Reporter:
        with self._lock:
            self._reporter = self._reporter or self._start()
            return self._reporter

    def advance(self, items: int = 1) -> None:
        self._get_started().advance(items)

    def expect(self, total: int) -> None:
        self._get_started().expect(total)

    def part(self, title: str, total: int) -> AbstractContextManager[Reporter]:
        return self._get_started().part(title, total)


@contextmanager
def terminal_progress(title: str, total: int | None) -> Iterator[Reporter]:
    """A bar on standard error for `total` items (None: expected later), or silence when that is no terminal."""
    if not sys.stderr.isatty():
        yield SilentReporter()
        return
    with ExitStack() as stack:
        yield _LateReporter(lambda: _start_bars(stack, title, total))


def _start_bars(stack: ExitStack, title: str, total: int | None) -> Reporter:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    text = TextColumn("{task.description}")
    columns = (text, BarColumn(), MofNCompleteColumn(), _make_rate_column(), TimeRemainingColumn())
    bars = stack.enter_context(Progress(*columns, console=Console(stderr=True)))
    return _BarReporter(bars, bars.add_task(title, total=total))


def _make_rate_column() -> ProgressColumn:
    from rich.progress import ProgressColumn, Task
    from rich.text import Text

    class RateColumn(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:.1f}/s")

    return RateColumn()
