"""The loop of an adaptation: steps over draws, validation after each epoch, checkpoints on the way."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from time import perf_counter

import numpy as np
import torch
from torch import Tensor, nn

from histoseek.encoders.text.tower import TextTower
from histoseek.errors import EncoderError
from histoseek.progress import Reporter
from histoseek.training.compute import Compute
from histoseek.training.loop import WorkFolder, interrupts_held, learning_rate
from histoseek.training.text.draws import Draw, Drawer
from histoseek.training.text.loss import draws_loss, passages
from histoseek.training.text.progress import (
    AdaptEpoch,
    AdaptIdentity,
    AdaptProgress,
    load_adapt_checkpoint,
    save_adapt_checkpoint,
    write_adapt_log,
)
from histoseek.training.text.settings import AdaptSettings

_PIECE = 16
"""Texts encoded together: short statements are not padded to the length of reports."""

_VALIDATION_EPOCH = 0
"""The epoch whose draws validation uses, the same every time; training draws are those from 1."""


class AdaptTrainer:
    """Trains the last layers of a tower on the draws of the train part; validation chooses the best epoch.

    Every random choice comes from the seed and the place in the training, so a run that was interrupted and resumed
    ends with the same weights as one that was not.
    """

    def __init__(
        self,
        tower: TextTower,
        train: Drawer,
        validation: Drawer,
        settings: AdaptSettings,
        compute: Compute,
        work: WorkFolder,
        identity: AdaptIdentity,
        reporter: Reporter,
    ) -> None:
        self._tower, self._train, self._validation = tower.to(compute.device), train, validation
        self._settings, self._compute, self._work = settings, compute, work
        self._identity, self._reporter = identity, reporter
        self._trained = _set_trained(tower, settings.layers)
        self._optimizer = _optimizer(list(self._trained.values()), settings)
        begun = load_adapt_checkpoint(work.checkpoint, identity, tower, self._optimizer)
        self._clock = perf_counter()
        self.progress = begun or AdaptProgress()

    def run(self) -> AdaptProgress:
        """Train to the end; an interrupt leaves a checkpoint of the last whole step."""
        self._reporter.expect(self._settings.epochs * self._steps)
        self._reporter.advance(self._done)
        try:
            if not self.progress.rows:
                self.progress.rows.append(self._row(None))
            while self.progress.epoch <= self._settings.epochs and not self._stopped:
                self._run_epoch()
        except KeyboardInterrupt:
            self._save()
            raise
        return self.progress

    @property
    def _steps(self) -> int:
        return -(-len(self._train) // self._settings.batch)

    @property
    def _done(self) -> int:
        return (self.progress.epoch - 1) * self._steps + self.progress.step

    @property
    def _stopped(self) -> bool:
        return self.progress.epochs_without_gain >= self._settings.patience

    def _run_epoch(self) -> None:
        order = np.random.default_rng([self._settings.seed, self.progress.epoch]).permutation(len(self._train))
        size = self._settings.batch
        while self.progress.step < self._steps:
            places = order[self.progress.step * size : (self.progress.step + 1) * size]
            self._take_step(_drawn(self._train, places, self.progress.epoch))
        self._close_epoch()

    def _take_step(self, draws: Sequence[Draw]) -> None:
        self._tower.train()
        self._optimizer.zero_grad(set_to_none=True)
        value = 0.0
        if len(draws) > 1:
            with self._compute.seeded(self._settings.seed, self._done, 0), self._compute.autocast():
                loss = self._loss(draws)
            loss.backward()
            value = float(loss.detach())
        if not math.isfinite(value):
            raise EncoderError("adaptation", "the loss is no longer finite", "Lower the learning rate")
        with interrupts_held():
            self._apply(value)
        if self.progress.step % self._settings.checkpoint_steps == 0:
            self._save()
        self._reporter.advance()

    def _apply(self, loss: float) -> None:
        nn.utils.clip_grad_norm_(list(self._trained.values()), self._settings.clip_norm)
        chosen, steps = self._settings, self._settings.epochs * self._steps
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate(self._done, steps, chosen.warmup, chosen.learning_rate)
        self._optimizer.step()
        self.progress.step += 1
        self.progress.loss_sum += loss

    def _loss(self, draws: Sequence[Draw]) -> Tensor:
        """The loss of some draws; equal texts are encoded once, and those of like length together."""
        texts = [passage.text for passage in passages(draws)]
        distinct = sorted(dict.fromkeys(texts), key=len)
        rows = {text: place for place, text in enumerate(distinct)}
        pieces = [distinct[start : start + _PIECE] for start in range(0, len(distinct), _PIECE)]
        vectors = torch.cat([self._tower(self._tower.tokens(piece)) for piece in pieces])
        return draws_loss(draws, vectors[[rows[text] for text in texts]], self._settings.temperature)

    def _close_epoch(self) -> None:
        row = self._row(self.progress.loss_sum / self.progress.step)
        with interrupts_held():
            self.progress.close_epoch(row, self._state())
            self._save()
        with self._work.written():
            write_adapt_log(self.progress.rows, self._work.log)

    def _row(self, train_loss: float | None) -> AdaptEpoch:
        validation = self._validation_loss()
        self._tick()
        return AdaptEpoch(len(self.progress.rows), self._done, train_loss, validation, self.progress.seconds)

    def _validation_loss(self) -> float:
        """Mean over the draws of the validation part, in batches of the same size as in training."""
        self._tower.eval()
        total, count = 0.0, 0
        with torch.inference_mode():
            for draws in self._validation_batches():
                total += float(self._loss(draws)) * len(draws)
                count += len(draws)
        return total / count if count else 0.0

    def _validation_batches(self) -> Iterator[list[Draw]]:
        order = np.random.default_rng(self._settings.seed).permutation(len(self._validation))
        drawn = _drawn(self._validation, order, _VALIDATION_EPOCH)
        for start in range(0, len(drawn), self._settings.batch):
            yield drawn[start : start + self._settings.batch]

    def _state(self) -> dict[str, Tensor]:
        return {name: value.detach().cpu().clone() for name, value in self._trained.items()}

    def _save(self) -> None:
        self._tick()
        with self._work.written():
            save_adapt_checkpoint(self._work.checkpoint, self._identity, self._state(), self._optimizer, self.progress)

    def _tick(self) -> None:
        now = perf_counter()
        self.progress.seconds += now - self._clock
        self._clock = now


def _drawn(drawer: Drawer, places: Sequence[int] | np.ndarray, epoch: int) -> list[Draw]:
    made = (drawer.draw(int(place), epoch) for place in places)
    return [draw for draw in made if draw is not None]


def _set_trained(tower: TextTower, layers: int) -> dict[str, nn.Parameter]:
    """The parameters to train by name; all others are frozen."""
    chosen = {id(parameter) for parameter in tower.last_layers(layers)}
    for parameter in tower.parameters():
        parameter.requires_grad_(id(parameter) in chosen)
    return {name: parameter for name, parameter in tower.named_parameters() if parameter.requires_grad}


def _optimizer(parameters: Sequence[nn.Parameter], settings: AdaptSettings) -> torch.optim.AdamW:
    """AdamW; weights decay, while biases and norms do not."""
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate)
