"""Losses of what reports say of prompts: by the regions of a slide, and by slide and report as wholes."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from histoseek.reports.facts.prompts import SILENT, STATED, UNKNOWN

START_SCALE = 10.0
"""Where the learned factor of cosines starts (SigLIP, Zhai et al. 2023, arXiv 2303.15343)."""


class AnchorPromptLoss(nn.Module):
    """Whether any region of a slide shows a prompt, learnt from what the report says of it.

    Multiple instance learning: logits scale * cosine + bias of each region (SigLIP; the bias starts at 0, not at -10,
    since labels are balanced), pooled by `log_mean_exp`, then binary cross-entropy. Scale and bias serve the training
    alone: scores in an archive are cosines, and calibrated there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(START_SCALE)))
        self.bias = nn.Parameter(torch.tensor(0.0))

    def forward(self, anchors: Tensor, mask: Tensor, prompts: Tensor, targets: Tensor, balance: Tensor) -> Tensor:
        """The loss summed over b slides: anchors [b, M, D] and prompts [P, D] of length one; mask: bool [b, M], true
        for at least one anchor of each slide; targets: [b, P]; balance: [2, P]."""
        logits = self.log_scale.exp() * anchors @ prompts.T + self.bias
        return prompt_entropy(log_mean_exp(logits, mask), targets, balance)


class PromptClassLoss(nn.Module):
    """What a report states, read from the slide's vector and from the report's by one linear layer for both."""

    def __init__(self, dimension: int, prompts: int) -> None:
        super().__init__()
        self.head = nn.Linear(dimension, prompts)

    def forward(self, slides: Tensor, texts: Tensor, targets: Tensor, balance: Tensor) -> Tensor:
        """The mean of both, summed over b pairs: slides and texts [b, D] of length one; targets: [b, P]; balance: [2,
        P]."""
        # Values of a unit vector are small: in this scale they have variance 1, as linear layers are initialised for.
        scale = math.sqrt(slides.shape[1])
        losses = [prompt_entropy(self.head(scale * side), targets, balance) for side in (slides, texts)]
        return torch.stack(losses).mean()


def log_mean_exp(logits: Tensor, mask: Tensor) -> Tensor:
    """Pool logits [b, M, P] over regions, mask bool [b, M], to [b, P]: log(mean(exp(z))), between mean and maximum.

    Log-sum-exp pooling (Pinheiro and Collobert 2015, arXiv 1411.6228) with their r = 1; sharper and flatter found
    fewer regions (docs/decisions/0082). Unlike a noisy-or, M regions that look the same are worth what one is.
    """
    return logits.masked_fill(~mask.unsqueeze(-1), -torch.inf).logsumexp(1) - mask.sum(1, keepdim=True).log()


def prompt_entropy(logits: Tensor, targets: Tensor, balance: Tensor) -> Tensor:
    """Binary cross-entropy of logits [b, P] against targets [b, P]: weighted by balance [2, P], the mean over prompts,
    in which UNKNOWN counts as 0, summed over the pairs."""
    stated = targets == STATED
    weights = balance[STATED].where(stated, balance[SILENT]) * (targets != UNKNOWN)
    total = functional.binary_cross_entropy_with_logits(logits, stated.to(logits.dtype), weights, reduction="sum")
    return total / targets.shape[1]
