"""The two losses: slides against reports, and mosaic vectors against each other."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

START_LOGIT_SCALE = math.log(1 / 0.07)
"""Where the learned log temperature starts (CLIP, Radford et al. 2021)."""

MOST_LOGIT_SCALE = math.log(100)
"""Where it is stopped."""


def contrastive_loss(slides: Tensor, texts: Tensor, logit_scale: Tensor, alike: Tensor) -> Tensor:
    """Symmetric InfoNCE of B pairs: slides and texts [B, D] of length one, the mean over pairs and both directions.

    alike: bool [B, B], true for pairs of one case or with the same text. These are not each other's negatives: they
    are left out of the denominators, and each pair's own report stays its only right answer.
    """
    logits = logit_scale.exp() * slides.float() @ texts.float().T
    diagonal = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    logits = logits.masked_fill(alike & ~diagonal, -torch.inf)
    right = torch.arange(len(logits), device=logits.device)
    return (functional.cross_entropy(logits, right) + functional.cross_entropy(logits.T, right)) / 2


def alike_pairs(cases: Tensor, texts: Tensor) -> Tensor:
    """Which of B pairs are of one case or have the same text, bool [B, B], from their codes, int64 [B] each."""
    return (cases[:, None] == cases) | (texts[:, None] == texts)


def mosaic_similarity(mosaics: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean cosine between different mosaic vectors of a slide, [B], for mosaics [B, M, D] of unit vectors.

    mask: bool [B, M], true where there is one; without it all slides have M. From |sum of the vectors|^2 = M + sum of
    the cosines of all ordered pairs; zero for a single vector.
    """
    rows = mosaics.float()
    if mask is None:
        mask = rows.new_ones(rows.shape[:2], dtype=torch.bool)
    count = mask.sum(1)
    total = (rows * mask.unsqueeze(-1)).sum(1).square().sum(-1)
    cosines = (total - count) / (count * (count - 1)).clamp(min=1)
    return cosines.where(count > 1, 0.0)
