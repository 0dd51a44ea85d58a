"""The settings of a training, checked when they are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from histoseek.errors import ConfigurationError
from histoseek.training.compute import Device, Precision
from histoseek.training.slides.recipes import Size, find_recipe
from histoseek.training.split import Shares

# `histoseek train --help` reads the defaults here: what computes is imported by the checks.
if TYPE_CHECKING:
    from histoseek.encoders.slide.base import Architecture

_ABSENT: Any = None
"""Stands for the model's default until settings are made."""

CLUSTERS = 16
"""Kinds of tiles that are told apart in a slide, each of which has some in every draw."""

ALL_LAYERS = -1
"""Of a text encoder, and its word vectors with them."""

BY_MODEL = (
    *("epochs", "batch", "tiles", "learning_rate", "weight_decay", "dropout", "text_layers"),
    *("prompts", "dimension", "mosaic_size"),
)
"""Settings whose defaults are the model's."""


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How to train; what is not given takes the default of the model (`recipes`), as its publication states it.

    model: family of the network; batch: pairs a step, over all processes; micro_batch: most pairs a forward pass, 0
    for what fits (numbers don't depend on it, but for dropout); tiles: drawn from a slide; warmup: share of the steps
    with a rising learning rate; losses: weights by name, 0 switches off; prompts: most phrases that regions are aligned
    with; text_layers: last ones that are trained, or ALL_LAYERS; sizes: of the network, by name, beside dimension and
    mosaic_size; patience: epochs without a better validation recall before it stops; checkpoint_steps: steps between
    checkpoints inside an epoch; memory_mb: for tile features kept between epochs; split: a table of parts, instead of
    shares drawn with the seed.
    """

    model: str = "pathsearch"
    epochs: int = _ABSENT
    batch: int = _ABSENT
    micro_batch: int = 0
    tiles: int = _ABSENT
    learning_rate: float = _ABSENT
    weight_decay: float = _ABSENT
    warmup: float = 0.05
    clip_norm: float = 1.0
    dropout: float = _ABSENT
    losses: Mapping[str, float] = field(default_factory=dict)
    prompts: int = _ABSENT
    text_layers: int = _ABSENT
    dimension: int = _ABSENT
    mosaic_size: int = _ABSENT
    sizes: Mapping[str, Size] = field(default_factory=dict)
    shares: Shares = field(default_factory=Shares)
    seed: int = 0
    patience: int = 20
    precision: Precision = "auto"
    device: Device = "auto"
    checkpoint_steps: int = 100
    memory_mb: int = 4096
    split: Path | None = None

    def __post_init__(self) -> None:
        self._complete()
        self._check_training()
        self._check_machine()
        self.architecture(1)

    def architecture(self, input_dimension: int) -> Architecture:
        """The slide network for features of this dimension; raises ConfigurationError for sizes that don't fit."""
        from histoseek.encoders.slide.registry import find_family

        sizes = {"input_dimension": input_dimension, "dimension": self.dimension, "mosaic_size": self.mosaic_size}
        return find_family(self.model).design({**sizes, **self.sizes})

    def _complete(self) -> None:
        """Fill in the model's defaults; raises UnknownEncoder, and ConfigurationError for what the model has not."""
        recipe = find_recipe(self.model)
        for name in BY_MODEL:
            if getattr(self, name) is None:
                object.__setattr__(self, name, getattr(recipe, name))
        self._require(not self.prompts or bool(recipe.prompts), "prompts", f"{self.model} has no prompts")
        self._require(self.prompts >= bool(recipe.prompts), "prompts", "must be at least 1")
        object.__setattr__(self, "losses", _merge("loss", self.losses, recipe.losses))
        object.__setattr__(self, "sizes", _merge("size", self.sizes, recipe.sizes))

    def _check_training(self) -> None:
        self._require(self.epochs >= 1, "epochs", "must be at least 1")
        self._require(self.batch >= 2, "batch", "must be at least 2: a pair is told apart from the others in it")
        self._require(self.tiles >= CLUSTERS, "tiles", f"must be at least {CLUSTERS}, one a cluster")
        self._require(self.learning_rate > 0, "learning_rate", "must be positive")
        self._require(self.weight_decay >= 0, "weight_decay", "must not be negative")
        self._require(0 <= self.warmup < 1, "warmup", "must be a share below 1")
        self._require(self.clip_norm > 0, "clip_norm", "must be positive")
        self._require(0 <= self.dropout < 1, "dropout", "must be a share below 1")
        for name, weight in self.losses.items():
            if not 0 <= weight < float("inf"):
                raise ConfigurationError(f"loss {name}={weight:g}", "must not be negative", "0 switches it off")
        self._require(any(self.losses.values()), "losses", "are all switched off")
        self._require(self.text_layers >= ALL_LAYERS, "text_layers", f"must be {ALL_LAYERS} (all) or more")
        self._require(self.seed >= 0, "seed", "must not be negative")
        self._require(self.patience >= 1, "patience", "must be at least 1")

    def _check_machine(self) -> None:
        self._require(self.micro_batch >= 0, "micro_batch", "must not be negative")
        self._require(self.checkpoint_steps >= 1, "checkpoint_steps", "must be at least 1")
        self._require(self.memory_mb >= 0, "memory_mb", "must not be negative")
        self._require(self.precision in ("auto", "fp32", "bf16"), "precision", "must be auto, fp32 or bf16")
        self._require(self.device in ("auto", "cpu", "cuda"), "device", "must be auto, cpu or cuda")
        self._require(
            not (self.device == "cpu" and self.precision == "bf16"), "precision", "bf16 needs a GPU: take fp32"
        )

    def _require(self, holds: bool, name: str, what: str) -> None:
        if not holds:
            raise ConfigurationError(f"{name}={getattr(self, name)}", what, "Change it and start again")


def _merge(kind: str, given: Mapping[str, Size], defaults: Mapping[str, Size]) -> dict[str, Size]:
    """The weights of losses, or the sizes, of a model with those that are given; raises ConfigurationError for names
    that it does not have."""
    unknown = next((name for name in given if name not in defaults), None)
    if unknown is not None:
        raise ConfigurationError(f"{kind} {unknown}", f"this model has no such {kind}", f"It has {', '.join(defaults)}")
    return {**defaults, **{name: _fit(f"{kind} {name}", value, defaults[name]) for name, value in given.items()}}


def _fit(name: str, value: Size, default: Size) -> Size:
    """A weight or a size as its default is: a number, a whole one, or several; raises ConfigurationError."""
    if isinstance(default, tuple):
        return tuple(value) if isinstance(value, tuple | list) else (int(value),)
    if isinstance(value, tuple | list) or (isinstance(default, int) and not float(value).is_integer()):
        kind = "a whole number" if isinstance(default, int) else "a number"
        raise ConfigurationError(f"{name}={value}", f"is not {kind}", "Change it and start again")
    return type(default)(value)
