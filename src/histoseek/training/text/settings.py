"""The settings of an adaptation, checked when they are made."""

from __future__ import annotations

from dataclasses import dataclass

from histoseek.errors import ConfigurationError
from histoseek.training.compute import Device


@dataclass(frozen=True, slots=True)
class AdaptSettings:
    """How to adapt a text encoder.

    batch: draws a step; layers: last layers that are trained; warmup: share of the steps with a rising rate;
    temperature: of the loss; statements: short statements a report in an epoch; blend: share of the adapted weights
    in the result, the rest are those before (weights are averaged, Wortsman et al. 2022, arXiv 2109.01903);
    validation: share of the cases held out; patience: epochs without a lower validation loss before it stops;
    checkpoint_steps: steps between checkpoints inside an epoch.
    """

    epochs: int = 5
    batch: int = 32
    layers: int = 6
    learning_rate: float = 5e-5
    weight_decay: float = 0.01
    warmup: float = 0.1
    clip_norm: float = 1.0
    temperature: float = 0.05
    statements: float = 1.0
    blend: float = 0.5
    validation: float = 0.15
    patience: int = 2
    seed: int = 0
    device: Device = "auto"
    checkpoint_steps: int = 20

    def __post_init__(self) -> None:
        self._require(self.epochs >= 1, "epochs", "must be at least 1")
        self._require(self.batch >= 2, "batch", "must be at least 2: a pair is told apart from the others in it")
        self._require(self.layers >= 1, "layers", "must be at least 1")
        self._require(self.learning_rate > 0, "learning_rate", "must be positive")
        self._require(self.weight_decay >= 0, "weight_decay", "must not be negative")
        self._require(0 <= self.warmup < 1, "warmup", "must be a share below 1")
        self._require(self.clip_norm > 0, "clip_norm", "must be positive")
        self._require(self.temperature > 0, "temperature", "must be positive")
        self._require(self.statements >= 0, "statements", "must not be negative")
        self._require(0 < self.blend <= 1, "blend", "must be a share above 0, at most 1")
        self._require(0 < self.validation < 1, "validation", "must be a share between 0 and 1")
        self._require(self.patience >= 1, "patience", "must be at least 1")
        self._require(self.seed >= 0, "seed", "must not be negative")
        self._require(self.device in ("auto", "cpu", "cuda"), "device", "must be auto, cpu or cuda")
        self._require(self.checkpoint_steps >= 1, "checkpoint_steps", "must be at least 1")

    def _require(self, holds: bool, name: str, what: str) -> None:
        if not holds:
            raise ConfigurationError(f"{name}={getattr(self, name)}", what, "Change it and start again")
