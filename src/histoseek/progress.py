"""Progress of long work: bars with rate and time left on a terminal and in a notebook, silence elsewhere."""

from __future__ import annotations

import html
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn, TaskID

_NOTEBOOK_SECONDS = 0.2
"""Between two changes of a bar in a notebook, which keeps all that is sent to it."""


class Reporter(Protocol):
    """What long work reports its progress to."""

    def advance(self, items: int = 1) -> None:
        """Count some more items as done."""

    def expect(self, total: int) -> None:
        """Set how many items there are."""

    def note(self, text: str) -> None:
        """Say in a line how the work goes."""

    def part(self, title: str, total: int) -> AbstractContextManager[Reporter]:
        """A reporter for one part of the work, shown below it while it lasts."""


class SilentReporter:
    """Reports nothing: for libraries, tests and pipes."""

    def advance(self, items: int = 1) -> None:
        """Ignore it."""

    def expect(self, total: int) -> None:
        """Ignore it."""

    def note(self, text: str) -> None:
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

    def note(self, text: str) -> None:
        """Ignore it; for subclasses."""

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

    def note(self, text: str) -> None:
        self._bars.console.print(text, markup=False, highlight=False)

    @contextmanager
    def part(self, title: str, total: int) -> Iterator[Reporter]:
        task = self._bars.add_task(title, total=total)
        try:
            yield _BarReporter(self._bars, task)
        finally:
            self._bars.remove_task(task)


class _NotebookBar(CountingReporter):
    """One bar, displayed when it is made; it stays when the work has ended."""

    def __init__(self, title: str, total: int | None = None) -> None:
        from IPython.display import HTML, display

        super().__init__(total)
        self._title = title
        self._note = ""
        self._html = HTML
        self._is_cleared = False
        self._started = self._published = time.monotonic()
        self._handle = display(HTML(self.render()), display_id=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._is_cleared:
            self._update(self.render())

    def note(self, text: str) -> None:
        """Show the line behind the bar, in place of the one before."""
        self._note = text
        self._update(self.render())

    @contextmanager
    def part(self, title: str, total: int) -> Iterator[Reporter]:
        """A bar below, which is empty again when the part is done."""
        with _NotebookBar(title, total) as bar:
            try:
                yield bar
            finally:
                bar.clear()

    def publish(self) -> None:
        """Show how far the work is, some times a second at most."""
        if time.monotonic() - self._published >= _NOTEBOOK_SECONDS:
            self._published = time.monotonic()
            self._update(self.render())

    def clear(self) -> None:
        """Take the bar away."""
        self._is_cleared = True
        self._update("")

    def _update(self, text: str) -> None:
        self._handle.update(self._html(text))

    def render(self) -> str:
        """The bar, with how many items are done, how many a second, and the time left."""
        seconds = time.monotonic() - self._started
        of_all = "" if self.total is None else f" of {self.total:,}"
        text = f"{self.done:,}{of_all}"
        if self.done and seconds > 0:
            rate = self.done / seconds
            text += f", {rate:,.1f}/s"
            if self.total is not None and self.done < self.total:
                text += f", {timedelta(seconds=round((self.total - self.done) / rate))} left"
        size = "" if self.total is None else f' value="{self.done}" max="{max(self.total, 1)}"'
        note = f"<br>{html.escape(self._note)}" if self._note else ""
        return f"<div>{html.escape(self._title)} <progress{size}></progress> {text}{note}</div>"


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

    def note(self, text: str) -> None:
        self._get_started().note(text)

    def part(self, title: str, total: int) -> AbstractContextManager[Reporter]:
        return self._get_started().part(title, total)


@contextmanager
def show_progress(title: str, total: int | None = None) -> Iterator[Reporter]:
    """A reporter for `total` items (None: expected later) that shows a bar with rate and time left: on standard error
    where that is a terminal, below the cell in a notebook; silent elsewhere.

    >>> with show_progress("slides") as reporter:           # doctest: +SKIP
    ...     archive.index(["slides"], reporter=reporter)
    """
    start = _start_bars if sys.stderr.isatty() else _start_notebook_bars if _is_in_notebook() else None
    if start is None:
        yield SilentReporter()
        return
    with ExitStack() as stack:
        yield _LateReporter(lambda: start(stack, title, total))


def _is_in_notebook() -> bool:
    """Whether a kernel runs this, which shows what is displayed; other uses of IPython are terminals or scripts."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


def _start_notebook_bars(stack: ExitStack, title: str, total: int | None) -> Reporter:
    return stack.enter_context(_NotebookBar(title, total))


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
