"""Progress of long work: a rich bar with rate and time left on a terminal, silence elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn, TaskID


class Reporter(Protocol):
    """What long work tells about itself."""

    def advance(self, items: int = 1) -> None:
        """Some more items are done."""

    def describe(self, text: str) -> None:
        """What is being worked on now."""


class SilentReporter:
    """Says nothing: for libraries, tests and pipes."""

    def advance(self, items: int = 1) -> None:
        """Ignore it."""

    def describe(self, text: str) -> None:
        """Ignore it."""


class _BarReporter:
    def __init__(self, bar: Progress, task: TaskID) -> None:
        self._bar = bar
        self._task = task

    def advance(self, items: int = 1) -> None:
        self._bar.advance(self._task, items)

    def describe(self, text: str) -> None:
        self._bar.update(self._task, description=text)


@contextmanager
def terminal_progress(title: str, total: int, unit: str, quiet: bool = False) -> Iterator[Reporter]:
    """A bar on standard error for `total` items, or silence when it is no terminal."""
    if quiet or not sys.stderr.isatty():
        yield SilentReporter()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _rate_column(unit),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        yield _BarReporter(bar, bar.add_task(title, total=total))


def _rate_column(unit: str) -> ProgressColumn:
    from rich.progress import ProgressColumn, Task
    from rich.text import Text

    class RateColumn(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:.1f} {unit}/s")

    return RateColumn()
