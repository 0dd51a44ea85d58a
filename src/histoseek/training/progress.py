"""Where a training stands, and its log."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from torch import Tensor

from histoseek.files import write_atomic


class Epoch(Protocol):
    """What a training notes of an epoch: a frozen dataclass of its own."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def epoch(self) -> int:
        """Its number, from 1; 0 for what is measured before training."""

    @property
    def seconds(self) -> float:
        """Since the start."""

    @property
    def summary(self) -> str:
        """How it went, in a line."""

    def better_than(self, other: Self) -> bool:
        """Whether its weights are to be preferred to those of another epoch."""


E = TypeVar("E", bound=Epoch)


@dataclass(slots=True)
class Progress(Generic[E]):
    """Where a training stands: in `epoch` (from 1), after `step` of its steps, whose losses add up in `loss_sums`.

    micro_batch: most rows of a pass, 0 where batches are not cut; best_weights: the trained tensors of the best epoch
    so far, none while that is the start; notes: what the user should know in the end.
    """

    micro_batch: int = 0
    epoch: int = 1
    step: int = 0
    loss_sums: list[float] = field(default_factory=list)
    seconds: float = 0.0
    rows: list[E] = field(default_factory=list)
    best_epoch: int = 0
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add_step(self, losses: Sequence[float]) -> None:
        """Count a step and its losses."""
        self.step += 1
        self.loss_sums = [
            total + loss for total, loss in zip(self.loss_sums or [0.0] * len(losses), losses, strict=True)
        ]

    @property
    def mean_losses(self) -> tuple[float, ...]:
        """Mean losses of the steps of this epoch so far."""
        return tuple(total / self.step for total in self.loss_sums)

    def better(self, row: E) -> bool:
        """Whether a new epoch beats the best so far."""
        best = next((other for other in self.rows if other.epoch == self.best_epoch), None)
        return best is None or row.better_than(best)

    def close_epoch(self, row: E) -> None:
        """Go on to the next epoch."""
        self.rows.append(row)
        self.epoch, self.step, self.loss_sums = self.epoch + 1, 0, []

    @property
    def epochs_without_gain(self) -> int:
        """Epochs since the best one."""
        return self.epoch - 1 - self.best_epoch


def write_log(rows: Sequence[Epoch], path: Path) -> None:
    """Write all epochs so far as CSV, at least one; values by name get a column each, `FIELD_NAME`."""
    lines = [_flatten(asdict(row)) for row in rows]
    text = io.StringIO()
    table = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    table.writeheader()
    table.writerows({name: _cell(value) for name, value in line.items()} for line in lines)
    write_atomic(path, text.getvalue().encode())


def _flatten(row: Mapping[str, Any]) -> dict[str, float | None]:
    flat: dict[str, float | None] = {}
    for name, value in row.items():
        flat |= {f"{name}_{key}": each for key, each in value.items()} if isinstance(value, dict) else {name: value}
    return flat


def _cell(value: float | None) -> float | str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else value
