"""The objective of a training, by its model."""

from __future__ import annotations

from histoseek.training.slides.objective import Objective
from histoseek.training.slides.objectives.pathsearch import MosaicDiversity
from histoseek.training.slides.settings import TrainingSettings


def build_objective(settings: TrainingSettings) -> Objective:
    """The objective that settings name, its weights drawn at random where it has any."""
    return MosaicDiversity(settings.losses["diversity"])
