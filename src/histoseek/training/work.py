"""The folder that a training works in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from histoseek.errors import ConfigurationError


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
