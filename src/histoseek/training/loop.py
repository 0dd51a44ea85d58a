"""The training loop: epochs of steps, validation after each, the best weights, checkpoints on the way."""

from __future__ import annotations

import math
import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn

from histoseek.errors import ConfigurationError, EncoderError
from histoseek.progress import Reporter
from histoseek.training.checkpoint import Checkpoint, Identity, load_checkpoint, save_checkpoint
from histoseek.training.progress import E, Progress, write_log

Batch = TypeVar("Batch")

_PLOT_SECONDS = 10.0
"""The plot is drawn again at most that often, until the end."""


class LoopSettings(Protocol):
    """What the loop needs of a training's settings."""

    @property
    def epochs(self) -> int:
        """Most epochs."""

    @property
    def learning_rate(self) -> float:
        """The highest."""

    @property
    def weight_decay(self) -> float:
        """That of AdamW."""

    @property
    def warmup(self) -> float:
        """Share of the steps with a rising learning rate."""

    @property
    def clip_norm(self) -> float:
        """Longest gradient."""

    @property
    def patience(self) -> int:
        """Epochs without gain before it stops."""

    @property
    def checkpoint_steps(self) -> int:
        """Steps between checkpoints inside an epoch."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When an epoch is measured: after `step` of all steps, the last at `learning_rate`, with the epoch's mean training
    losses; before training all are 0, and there are no losses."""

    epoch: int
    step: int
    learning_rate: float
    losses: tuple[float, ...]
    seconds: float


class TrainingTask(ABC, Generic[Batch, E]):
    """What is trained on what; the loop does the rest. Every random choice of a task depends on its seed and on the
    place in the training only, so that a resumed training ends as an uninterrupted one."""

    row_type: type[E]
    measures_start = False
    """Whether the weights that training begins with are measured as epoch 0."""

    @property
    @abstractmethod
    def steps(self) -> int:
        """Steps of an epoch."""

    @abstractmethod
    def parameters(self) -> list[nn.Parameter]:
        """All parameters that are trained, in a fixed order."""

    @abstractmethod
    def state(self) -> dict[str, Tensor]:
        """Copies, on the CPU, of all tensors that training changes."""

    @abstractmethod
    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Put back what `state` gave."""

    @abstractmethod
    def batches(self, epoch: int, begin: int) -> Iterator[Batch]:
        """The batches of an epoch, from step `begin` of it on."""

    @abstractmethod
    def backward(self, batch: Batch, step: int) -> tuple[float, ...]:
        """Leave the gradient of a batch's loss in the parameters and give its losses; `step` counts from the start."""

    @abstractmethod
    def measure(self, moment: Moment) -> E:
        """The row of an epoch, with the validation part's scores."""

    def resume(self, progress: Progress[E]) -> None:
        """Take up the training at a progress, which the loop keeps up to date from then on."""

    def finish_step(self) -> None:
        """Do what follows each step of the optimizer."""

    def plot(self, progress: Progress[E], path: Path) -> None:
        """Draw the course of the training."""


class TrainingLoop(Generic[Batch, E]):
    """Trains a task to its end, or until an interrupt, which leaves a checkpoint of the last whole step.

    writes: whether this is the process that writes files.
    """

    def __init__(
        self,
        task: TrainingTask[Batch, E],
        settings: LoopSettings,
        work: WorkFolder,
        identity: Identity,
        reporter: Reporter,
        *,
        writes: bool = True,
    ) -> None:
        self._task, self._settings, self._work, self._identity = task, settings, work, identity
        self._reporter, self._writes = reporter, writes
        self._optimizer = build_optimizer(task.parameters(), settings)
        self.progress = self._resume()
        task.resume(self.progress)
        self._clock = perf_counter()
        self._plotted = -_PLOT_SECONDS

    def run(self) -> Progress[E]:
        """Train to the end; goes on from the checkpoint that was there."""
        self._reporter.expect(self._settings.epochs * self._task.steps)
        self._reporter.advance(self._done)
        try:
            if self._task.measures_start and not self.progress.rows:
                self.progress.rows.append(self._measure(Moment(0, 0, 0.0, (), self.progress.seconds)))
            while self.progress.epoch <= self._settings.epochs and not self._is_exhausted:
                self._run_epoch()
        except KeyboardInterrupt:
            self._save()
            raise
        self._plot()
        return self.progress

    def _resume(self) -> Progress[E]:
        begun = load_checkpoint(self._work.checkpoint, self._identity, self._task.row_type)
        if begun is None:
            return Progress()
        self._task.load_state(begun.tensors)
        self._optimizer.load_state_dict(dict(begun.optimizer))
        return begun.progress

    @property
    def _done(self) -> int:
        return (self.progress.epoch - 1) * self._task.steps + self.progress.step

    @property
    def _is_exhausted(self) -> bool:
        return self.progress.epochs_without_gain >= self._settings.patience

    def _run_epoch(self) -> None:
        for batch in self._task.batches(self.progress.epoch, self.progress.step):
            losses = self._task.backward(batch, self._done)
            with hold_interrupts():
                self._apply(losses)
            if self.progress.step % self._settings.checkpoint_steps == 0:
                self._save()
            self._reporter.advance()
        self._close_epoch()

    def _apply(self, losses: Sequence[float]) -> None:
        nn.utils.clip_grad_norm_(self._task.parameters(), self._settings.clip_norm)
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate(self._done)
        self._optimizer.step()
        self._task.finish_step()
        self.progress.add_step(losses)

    def _rate(self, step: int) -> float:
        settings = self._settings
        return learning_rate(step, settings.epochs * self._task.steps, settings.warmup, settings.learning_rate)

    def _close_epoch(self) -> None:
        progress, done = self.progress, self._done
        moment = Moment(progress.epoch, done, self._rate(done - 1), progress.mean_losses, progress.seconds)
        row = self._measure(moment)
        self._reporter.note(row.summary)
        with hold_interrupts():
            if progress.better(row):
                progress.best_epoch, progress.best_weights = row.epoch, self._task.state()
            progress.close_epoch(row)
            self._save()
        if self._writes:
            with self._work.guard_writes():
                write_log(progress.rows, self._work.log)
        if perf_counter() - self._plotted >= _PLOT_SECONDS:
            self._plot()

    def _measure(self, moment: Moment) -> E:
        row = self._task.measure(moment)
        self._tick()
        return replace(row, seconds=self.progress.seconds)

    def _plot(self) -> None:
        if self._writes:
            with self._work.guard_writes():
                self._task.plot(self.progress, self._work.plot)
        self._plotted = perf_counter()

    def _save(self) -> None:
        self._tick()
        if self._writes:
            checkpoint = Checkpoint(self._identity, self._task.state(), self._optimizer.state_dict(), self.progress)
            with self._work.guard_writes():
                save_checkpoint(checkpoint, self._work.checkpoint)

    def _tick(self) -> None:
        now = perf_counter()
        self.progress.seconds += now - self._clock
        self._clock = now


@contextmanager
def hold_interrupts() -> Iterator[None]:
    """Hold Ctrl-C back while something must happen as a whole, then let it through. In the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: signals.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before or signal.default_int_handler)
    if signals:
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
    def guard_writes(self) -> Iterator[None]:
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


def build_optimizer(parameters: Sequence[nn.Parameter], settings: LoopSettings) -> torch.optim.AdamW:
    """AdamW; weights decay, while biases, norms and a temperature do not."""
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate)


def require_finite(losses: Sequence[float]) -> None:
    """Raise EncoderError when a loss is NaN or infinite."""
    if not all(math.isfinite(loss) for loss in losses):
        raise EncoderError("training", "the loss is no longer finite", "Lower the learning rate, or take fp32")
