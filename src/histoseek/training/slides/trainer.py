"""The training loop: epochs of steps, validation, the best weights, checkpoints on the way."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import torch
from torch import nn

from histoseek.progress import Reporter
from histoseek.training.compute import Compute
from histoseek.training.loop import WorkFolder, interrupts_held, learning_rate
from histoseek.training.slides.checkpoint import Identity, load_checkpoint, save_checkpoint
from histoseek.training.slides.distributed import World
from histoseek.training.slides.evaluation import Evaluator, pair_codes
from histoseek.training.slides.history import EpochRow, Progress, agreed_row, epoch_row
from histoseek.training.slides.loader import BagLoader
from histoseek.training.slides.log import write_log, write_plot
from histoseek.training.slides.losses import MOST_LOGIT_SCALE
from histoseek.training.slides.model import SlideTextModel
from histoseek.training.slides.settings import TrainingSettings
from histoseek.training.slides.step import Batch, ContrastiveStep, StepLoss
from histoseek.training.split import Split

_PLOT_SECONDS = 10.0
"""The plot is drawn again at most that often, until the end."""

_CPU_BYTES = 4 * 2**30
"""What the activations of a micro-batch may take on a CPU, unless the settings say otherwise."""

_FLOATS_PER_TILE = 50
"""Activations of a training pass, a tile and dimension: 24 slides of 512 tiles took 1.65 GiB, which is 47."""


class Trainer:
    """Trains a model on the train part, chooses the best epoch by the validation part; never sees the test part.

    Every random choice comes from the seed and the place in the training, so a run that was interrupted and resumed
    ends with the same weights as one that was not.
    """

    def __init__(
        self,
        model: SlideTextModel,
        loader: BagLoader,
        split: Split,
        settings: TrainingSettings,
        world: World,
        compute: Compute,
        work: WorkFolder,
        identity: Identity,
        reporter: Reporter,
    ) -> None:
        self._model, self._loader, self._settings = model, loader, settings
        self._train, self._validation = split.train, split.validation
        self._world, self._work, self._identity, self._reporter = world, work, identity, reporter
        self._codes = pair_codes(split.train)
        self._evaluator = Evaluator(loader, world, compute, settings.seed)
        self._optimizer = _optimizer(model, settings)
        micro_batch = first_micro_batch(settings, world)
        begun = load_checkpoint(work.checkpoint, identity, model, self._optimizer)
        self.progress = begun or Progress(micro_batch)
        self.progress.micro_batch = micro_batch = min(micro_batch, self.progress.micro_batch)
        self._step = ContrastiveStep(model, world, compute, settings.diversity, settings.seed, micro_batch)
        self._clock = perf_counter()
        self._plotted = -_PLOT_SECONDS

    def run(self) -> Progress:
        """Train to the end; an interrupt leaves a checkpoint of the last whole step."""
        self._reporter.expect(self._settings.epochs * self._steps)
        self._reporter.advance(self._done)
        try:
            while self.progress.epoch <= self._settings.epochs and not self._stopped:
                self._run_epoch()
        except KeyboardInterrupt:
            self._save()
            raise
        if self._world.first:
            self._plot()
        return self.progress

    @property
    def _steps(self) -> int:
        """Steps of an epoch; pairs that do not fill a last batch wait for another epoch's order."""
        return len(self._train) // self._settings.batch

    @property
    def _done(self) -> int:
        return (self.progress.epoch - 1) * self._steps + self.progress.step

    @property
    def _stopped(self) -> bool:
        return self.progress.epochs_without_gain >= self._settings.patience and bool(self.progress.rows)

    def _run_epoch(self) -> None:
        order = np.random.default_rng([self._settings.seed, self.progress.epoch]).permutation(len(self._train))
        size = self._settings.batch
        batches = [order[at * size : (at + 1) * size] for at in range(self.progress.step, self._steps)]
        own = [[self._train[i] for i in rows[self._world.share(size)]] for rows in batches]
        for rows, pairs, bags in zip(batches, own, self._loader.batches(own, self.progress.epoch), strict=True):
            codes = (code[torch.from_numpy(rows)] for code in self._codes)
            self._take_step(Batch(bags, tuple(pair.report for pair in pairs), *codes))
        self._close_epoch()

    def _take_step(self, batch: Batch) -> None:
        loss = self._step.gradients(batch, self._done)
        self._note_micro_batch()
        with interrupts_held():
            self._apply(loss)
        if self.progress.step % self._settings.checkpoint_steps == 0:
            self._save()
        self._reporter.advance()

    def _apply(self, loss: StepLoss) -> None:
        parameters = self._model.trained_parameters()
        nn.utils.clip_grad_norm_(parameters, self._settings.clip_norm)
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate(self._done)
        self._optimizer.step()
        with torch.no_grad():
            self._model.logit_scale.clamp_(max=MOST_LOGIT_SCALE)
        self._step.update_statistics()
        self.progress.step += 1
        self.progress.contrastive_sum += loss.contrastive
        self.progress.diversity_sum += loss.diversity

    def _rate(self, step: int) -> float:
        return learning_rate(
            step, self._settings.epochs * self._steps, self._settings.warmup, self._settings.learning_rate
        )

    def _note_micro_batch(self) -> None:
        if self._step.micro_batch != self.progress.micro_batch:
            self.progress.micro_batch = self._step.micro_batch
            self.progress.notes.append(
                f"memory ran out in step {self._done + 1}: from there on, micro-batches of {self._step.micro_batch}"
            )

    def _close_epoch(self) -> None:
        row = self._validated()
        with interrupts_held():
            if self.progress.better(row):
                self.progress.best_epoch, self.progress.best_weights = row.epoch, self._model.trained_state()
            self.progress.close_epoch(row)
            self._save()
        if self._world.first:
            self._log()

    def _validated(self) -> EpochRow:
        score = self._evaluator.score(self._model, self._validation, self.progress.micro_batch)
        self._tick()
        scale = float(self._model.logit_scale.detach().exp())
        row = epoch_row(self.progress, self._done, self._rate(self._done - 1), scale, score)
        return agreed_row(row, self._world)

    def _log(self) -> None:
        with self._work.written():
            write_log(self.progress.rows, self._work.log)
        if perf_counter() - self._plotted >= _PLOT_SECONDS:
            self._plot()

    def _plot(self) -> None:
        with self._work.written():
            write_plot(self.progress.rows, self.progress.best_epoch, self._work.plot)
        self._plotted = perf_counter()

    def _save(self) -> None:
        self._tick()
        if self._world.first:
            with self._work.written():
                save_checkpoint(self._work.checkpoint, self._identity, self._model, self._optimizer, self.progress)

    def _tick(self) -> None:
        now = perf_counter()
        self.progress.seconds += now - self._clock
        self._clock = now


def first_micro_batch(settings: TrainingSettings, world: World) -> int:
    """The micro-batch to begin with: as set, else a process's whole share of the batch, on a CPU what is safe there.

    A GPU says when memory runs out; on a CPU the system ends the process without a word.
    """
    share = -(-settings.batch // world.size)
    slide_bytes = _FLOATS_PER_TILE * 4 * settings.dimension * settings.tiles
    safe = max(1, _CPU_BYTES // slide_bytes) if world.device.type == "cpu" else share
    return min(settings.micro_batch or safe, share)


def _optimizer(model: SlideTextModel, settings: TrainingSettings) -> torch.optim.AdamW:
    """AdamW; weights decay, while biases, norms and the temperature do not."""
    parameters = model.trained_parameters()
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate)
