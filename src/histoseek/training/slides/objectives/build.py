"""The objective of a training, by its model."""

from __future__ import annotations

import torch

from histoseek.encoders.slide.fgcr.architecture import NAME as FGCR
from histoseek.training.slides.data.targets import ReportTargets
from histoseek.training.slides.learning.model import SlideTextModel
from histoseek.training.slides.learning.objective import Objective
from histoseek.training.slides.objectives.fgcr import FgcrObjective
from histoseek.training.slides.objectives.pathsearch import MosaicDiversity
from histoseek.training.slides.recipes import DIVERSITY
from histoseek.training.slides.settings import TrainingSettings


def build_objective(model: SlideTextModel, settings: TrainingSettings, targets: ReportTargets) -> Objective:
    """The objective of a model as settings weigh it; make it where randomness is seeded."""
    if settings.model == FGCR:
        prompts = [prompt.text for prompt in targets.prompts]
        return FgcrObjective(model, prompts, torch.from_numpy(targets.balance), settings.losses)
    return MosaicDiversity(settings.losses[DIVERSITY])
