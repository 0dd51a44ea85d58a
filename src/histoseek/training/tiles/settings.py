"""The settings of an adaptation of a tile encoder, checked when they are made."""

from __future__ import annotations

from dataclasses import dataclass

from histoseek.errors import ConfigurationError
from histoseek.training.compute import Device
from histoseek.training.split import Shares

BLENDS = (0.25, 0.5, 0.75, 1.0)
"""Shares of the adapted weights that are tried on the validation patients (Wortsman et al. 2022, arXiv 2109.01903)."""


@dataclass(frozen=True, slots=True)
class TileAdaptSettings:
    """How to adapt a tile encoder.

    blocks: last blocks that are trained, with what follows them; batch: tiles a step, balanced over the labels;
    warmup: share of the steps with a rising rate; temperature: of the loss; tiles: most of a slide, drawn once; views:
    of each tile, the first as it is, the others turned, mirrored and a little otherwise stained; validation, test:
    shares of each label's patients held out; patience: epochs without a higher MAP@5 of the validation patients before
    it stops; checkpoint_steps: steps between checkpoints inside an epoch.
    """

    epochs: int = 8
    blocks: int = 2
    batch: int = 48
    learning_rate: float = 3e-4
    weight_decay: float = 0.01
    warmup: float = 0.1
    clip_norm: float = 1.0
    temperature: float = 0.1
    tiles: int = 16
    views: int = 4
    validation: float = 0.15
    test: float = 0.2
    patience: int = 3
    seed: int = 0
    device: Device = "auto"
    checkpoint_steps: int = 20

    def __post_init__(self) -> None:
        self._require(self.epochs >= 1, "epochs", "must be at least 1")
        self._require(self.blocks >= 1, "blocks", "must be at least 1")
        self._require(self.batch >= 8, "batch", "must be at least 8: two tiles of each of several labels")
        self._require(self.learning_rate > 0, "learning_rate", "must be positive")
        self._require(self.weight_decay >= 0, "weight_decay", "must not be negative")
        self._require(0 <= self.warmup < 1, "warmup", "must be a share below 1")
        self._require(self.clip_norm > 0, "clip_norm", "must be positive")
        self._require(self.temperature > 0, "temperature", "must be positive")
        self._require(self.tiles >= 1, "tiles", "must be at least 1")
        self._require(self.views >= 1, "views", "must be at least 1")
        self._require(self.patience >= 1, "patience", "must be at least 1")
        self._require(self.seed >= 0, "seed", "must not be negative")
        self._require(self.device in ("auto", "cpu", "cuda"), "device", "must be auto, cpu or cuda")
        self._require(self.checkpoint_steps >= 1, "checkpoint_steps", "must be at least 1")
        _ = self.shares

    @property
    def shares(self) -> Shares:
        """Of each label's patients."""
        return Shares(1 - self.validation - self.test, self.validation, self.test)

    def _require(self, holds: bool, name: str, what: str) -> None:
        if not holds:
            raise ConfigurationError(f"{name}={getattr(self, name)}", what, "Change it and start again")
