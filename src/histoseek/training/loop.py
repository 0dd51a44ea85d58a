"""Interrupts that wait until it is safe."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from histoseek.errors import ConfigurationError


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back while something must happen as a whole, then let it through. In the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: held.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before or signal.default_int_handler)
    if held:
        signal.raise_signal(signal.SIGINT)


@dataclass(frozen=True, slots=True)
class WorkFolder:
    """The files that a training writes while it runs."""

    root: Path

    @property
    def checkpoint(self) -> Path:
        """All that is needed to go on."""
        return self.root / "checkpoint.pt"

    @property
    def log(self) -> Path:
        """One row per epoch."""
        return self.root / "log.csv"

    @property
    def plot(self) -> Path:
        """Losses and recalls over the epochs."""
        return self.root / "log.png"

    @contextmanager
    def written(self) -> Iterator[None]:
        """Make the folder if need be; raises ConfigurationError when it, or what is written there, fails."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            yield
        except OSError as error:
            what = f"cannot be written ({error.strerror or type(error).__name__})"
            advice = "Check the folder and the space on its disk; training goes on from the last checkpoint"
            raise ConfigurationError(str(self.root), what, advice) from error


def learning_rate(step: int, steps: int, warmup: float, base: float) -> float:
    """The rate of step 0 <= step < steps: up in a line over the share `warmup` of them, then down by a cosine."""
    rising = round(warmup * steps)
    if step < rising:
        return base * (step + 1) / rising
    return base * (1 + math.cos(math.pi * (step - rising) / (steps - rising))) / 2
