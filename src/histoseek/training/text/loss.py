"""The loss of an adaptation: each passage against those that it agrees with and those that it opposes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from histoseek.training.text.draws import Draw
from histoseek.training.text.facts import Passage, opposes


def find_negatives(anchors: Sequence[Passage], candidates: Sequence[Passage]) -> Tensor:
    """Which candidates may be held apart from which anchors, bool [anchors, candidates]."""
    return torch.tensor([[opposes(anchor, other) for other in candidates] for anchor in anchors], dtype=torch.bool)


def masked_info_nce(anchors: Tensor, candidates: Tensor, negatives: Tensor, temperature: float) -> Tensor:
    """InfoNCE (van den Oord et al. 2018) of B anchors [B, D] and C >= B candidates [C, D], all of length one.

    The right answer of anchor i is candidate i; of the others only those with negatives[i, j], bool [B, C], are in
    its denominator. An anchor without negatives adds nothing.
    """
    diagonal = torch.eye(*negatives.shape, dtype=torch.bool, device=negatives.device)
    logits = (anchors.float() @ candidates.float().T / temperature).masked_fill(~(negatives | diagonal), -torch.inf)
    return functional.cross_entropy(logits, torch.arange(len(logits), device=logits.device))


def draws_loss(draws: Sequence[Draw], vectors: Tensor, temperature: float) -> Tensor:
    """Both directions' mean for B draws; vectors [2 B + N, D] of their `passages`, of length one."""
    count = len(draws)
    anchors, positives, others = vectors[:count], vectors[count : 2 * count], vectors[count:]
    passages = list_passages(draws)
    negatives = find_negatives(passages[:count], passages[count:]).to(vectors.device)
    back = find_negatives(passages[count : 2 * count], passages[:count]).to(vectors.device)
    forth = masked_info_nce(anchors, others, negatives, temperature)
    return (forth + masked_info_nce(positives, anchors, back, temperature)) / 2


def list_passages(draws: Sequence[Draw]) -> list[Passage]:
    """All anchors, then all positives, then all negatives."""
    return [
        *(draw.anchor for draw in draws),
        *(draw.positive for draw in draws),
        *(negative for draw in draws for negative in draw.negatives),
    ]
