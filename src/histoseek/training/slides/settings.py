"""The settings of a training, checked when they are made."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from histoseek.errors import ConfigurationError
from histoseek.training.compute import Device, Precision
from histoseek.training.split import Shares

# `histoseek train --help` reads the defaults here: what computes is imported by the checks.
if TYPE_CHECKING:
    from histoseek.encoders.slide.base import Architecture


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How to train; the defaults are those of PathSearch (arXiv 2510.23224) where it states any.

    slide_encoder: family of the network; batch: pairs a step, over all processes; micro_batch: most pairs a forward
    pass, 0 for what fits (numbers don't depend on it, but for dropout); tiles: drawn from a slide; warmup: share of the
    steps with a rising learning rate; diversity: weight of the mosaic diversity loss; patience: epochs without a better
    validation recall before it stops; checkpoint_steps: steps between checkpoints inside an epoch; memory_mb: for tile
    features kept between epochs; split: a table of parts, instead of shares drawn with the seed.
    """

    slide_encoder: str = "pathsearch"
    epochs: int = 200
    batch: int = 256
    micro_batch: int = 0
    tiles: int = 512
    learning_rate: float = 8e-5
    weight_decay: float = 0.05
    warmup: float = 0.05
    clip_norm: float = 1.0
    dropout: float = 0.1
    diversity: float = 1.0
    text_layers: int = 3
    dimension: int = 768
    mosaic_size: int = 16
    heads: int = 8
    gate_dimension: int = 128
    shares: Shares = field(default_factory=Shares)
    seed: int = 0
    patience: int = 20
    precision: Precision = "auto"
    device: Device = "auto"
    checkpoint_steps: int = 100
    memory_mb: int = 4096
    split: Path | None = None

    def __post_init__(self) -> None:
        from histoseek.training.slides.sampling import CLUSTERS

        self._require(self.epochs >= 1, "epochs", "must be at least 1")
        self._require(self.batch >= 2, "batch", "must be at least 2: a pair is told apart from the others in it")
        self._require(self.micro_batch >= 0, "micro_batch", "must not be negative")
        self._require(self.tiles >= CLUSTERS, "tiles", f"must be at least {CLUSTERS}, one a cluster")
        self._require(self.learning_rate > 0, "learning_rate", "must be positive")
        self._require(self.weight_decay >= 0, "weight_decay", "must not be negative")
        self._require(0 <= self.warmup < 1, "warmup", "must be a share below 1")
        self._require(self.clip_norm > 0, "clip_norm", "must be positive")
        self._require(0 <= self.dropout < 1, "dropout", "must be a share below 1")
        self._require(self.diversity >= 0, "diversity", "must not be negative")
        self._require(self.text_layers >= 0, "text_layers", "must not be negative")
        self._require(self.seed >= 0, "seed", "must not be negative")
        self._require(self.patience >= 1, "patience", "must be at least 1")
        self._require(self.checkpoint_steps >= 1, "checkpoint_steps", "must be at least 1")
        self._require(self.memory_mb >= 0, "memory_mb", "must not be negative")
        self._require(self.precision in ("auto", "fp32", "bf16"), "precision", "must be auto, fp32 or bf16")
        self._require(self.device in ("auto", "cpu", "cuda"), "device", "must be auto, cpu or cuda")
        self._require(
            not (self.device == "cpu" and self.precision == "bf16"), "precision", "bf16 needs a GPU: take fp32"
        )
        self.architecture(1)

    def architecture(self, input_dimension: int) -> Architecture:
        """The slide network for features of this dimension; raises ConfigurationError for sizes that don't fit, and
        UnknownEncoder."""
        from histoseek.encoders.slide.registry import find_family

        sizes = {name: getattr(self, name) for name in ("dimension", "mosaic_size", "heads", "gate_dimension")}
        return find_family(self.slide_encoder).design({"input_dimension": input_dimension, **sizes})

    def _require(self, holds: bool, name: str, what: str) -> None:
        if not holds:
            raise ConfigurationError(f"{name}={getattr(self, name)}", what, "Change it and start again")
