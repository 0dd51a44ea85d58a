"""Encoders that were trained before, judged on the held-out patients of a new training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from histoseek.encoders.slide.registry import find_family
from histoseek.encoders.text.trained import load_trained_tower
from histoseek.encoders.weights import TEXT_MODEL, UNKNOWN_ENCODER, FeatureSpace, TextPart, TrainingFacts, Weights
from histoseek.errors import ConfigurationError
from histoseek.training.compute import Compute
from histoseek.training.slides.data.loader import BagLoader
from histoseek.training.slides.data.targets import ReportTargets
from histoseek.training.slides.evaluation.baselines import Baseline, Floats
from histoseek.training.slides.evaluation.evaluator import Evaluator
from histoseek.training.slides.learning.distributed import World
from histoseek.training.slides.learning.learner import Learner
from histoseek.training.slides.learning.model import SlideTextModel
from histoseek.training.slides.learning.objective import EmbeddedPairs, Objective, PairBatch
from histoseek.training.split import Split


@dataclass(frozen=True, slots=True, eq=False)
class Beside:
    """What a training is judged beside, on its test part: the pooled encoder with an archive's centre (None: that of
    the train part), and trained weights; features: those that it takes."""

    features: FeatureSpace
    centre: Floats | None = None
    weights: tuple[Weights, ...] = ()


NOTHING_BESIDE = Beside(FeatureSpace(UNKNOWN_ENCODER))
"""The pooled encoder alone."""


class _NoObjective(Objective):
    """Of a model that learns nothing more."""

    names = ()
    weights = ()

    def forward(self, model: SlideTextModel, pairs: PairBatch, embedded: EmbeddedPairs) -> Tensor:
        """No losses, float32 [0]."""
        return embedded.texts.new_zeros(0)


def require_comparable(weights: Weights, split: Split, features: FeatureSpace, dimension: int) -> None:
    """Raise ConfigurationError, before hours are spent, unless weights of an own training fit the features, of this
    dimension, and were made without the patients of the test part."""
    card, where = weights.card, f"--compare-with {weights.card.name}"
    if card.training is None or card.text is None or card.mode != find_family(card.family).modes[-1]:
        what = "was not trained by histoseek, so it is not known on which patients"
        raise ConfigurationError(where, what, "Compare it in an archive: histoseek evaluate")
    made_by = {card.features.tile_encoder, features.tile_encoder} - {UNKNOWN_ENCODER}
    if len(made_by) > 1 or card.architecture.input_dimension != dimension:
        theirs = f"{card.features.tile_encoder}, dimension {card.architecture.input_dimension}"
        what = f"takes features of {theirs}; these are of {features.tile_encoder}, dimension {dimension}"
        raise ConfigurationError(where, what, "Train both on the same features")
    parts = card.training.parts.find_parts((pair.patient_id, pair.slide_id) for pair in split.test)
    seen = sum(part in ("train", "validation") for part in parts)
    if seen:
        what = f"has seen the patients of {seen} of the {len(parts)} slides of the test part"
        raise ConfigurationError(where, what, "Train both with the same --split, or the same --seed on the same pairs")


def judge_weights(weights: Weights, split: Split, world: World, compute: Compute, seed: int, chunk: int) -> Baseline:
    """Recalls of weights on the test part, from as many tiles of a slide as they were trained with.

    seed: of the intervals; chunk: pairs at a time. Raises what loading its text encoder raises.
    """
    card = weights.card
    text, facts = cast("TextPart", card.text), cast("TrainingFacts", card.training)
    model = SlideTextModel(card.architecture, load_trained_tower(weights, text.encoder), 0, 0.0)
    tensors = {name: value for name, value in weights.tensors.items() if not name.startswith(TEXT_MODEL)}
    model.load_trained_state({name: torch.from_numpy(value.copy()) for name, value in tensors.items()})
    learner = Learner(model.to(compute.device), _NoObjective(), 1.0)
    tiles = int(cast("int", facts.settings["tiles"]))
    with BagLoader(tiles, card.seed or 0, 0, 1) as loader:
        score = Evaluator(loader, ReportTargets(), world, compute, seed).score(learner, split.test, chunk)
    return Baseline(f"{card.family} {card.name}", score.recalls)
