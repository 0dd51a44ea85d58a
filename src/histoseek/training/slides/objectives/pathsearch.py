"""PathSearch's second loss: mosaic vectors of a slide that are alike (arXiv 2510.23224)."""

from __future__ import annotations

import torch
from torch import Tensor

from histoseek.training.slides.learning.losses import mosaic_similarity
from histoseek.training.slides.learning.model import SlideTextModel
from histoseek.training.slides.learning.objective import EmbeddedPairs, Objective, PairBatch
from histoseek.training.slides.recipes import DIVERSITY


class MosaicDiversity(Objective):
    """Mean cosine between different mosaic vectors of a slide, as one loss: `diversity`."""

    names = (DIVERSITY,)

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weights = (weight,)

    def forward(self, model: SlideTextModel, pairs: PairBatch, embedded: EmbeddedPairs) -> Tensor:
        """The loss, float32 [1], summed over the pairs."""
        slides = embedded.slides
        if not self.weights[0]:
            return slides.mosaics.new_zeros(1, dtype=torch.float32)
        return mosaic_similarity(slides.mosaics, slides.mosaic_mask).sum()[None]
