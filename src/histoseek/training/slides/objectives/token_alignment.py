"""Regions of a slide and words of its report recognise what they attend to in each other."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

ATTENTION_SHARPNESS = 9.0
"""Factor of cosines in the attention at the start (SCAN, Lee et al. 2018, arXiv 1803.08024)."""

TEMPERATURE = 0.1
"""Of the contrast inside a pair."""


class TokenAlignmentLoss(nn.Module):
    """Cross-attention token alignment (FGCR; MGCA, Wang et al. 2022, arXiv 2210.06044): InfoNCE inside a pair.

    One attention serves both directions: the affinity of a region and a word is the product of their projections by
    one learned matrix, which starts as the identity. Softmax over words gives each region its words, softmax over
    regions each word its regions. These are means of the vectors themselves, not of projected values: what is
    aligned is the space that is stored.
    """

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.projection = nn.Parameter(torch.eye(dimension))

    def forward(self, anchors: Tensor, anchor_mask: Tensor, words: Tensor, word_mask: Tensor, ids: Tensor) -> Tensor:
        """The loss summed over b pairs, for each the mean of four cross-entropies: region to its words and back, word
        to its regions and back.

        anchors: [b, M, D] and words: [b, L, D], of length one, where their masks, bool [b, M] and [b, L], are true;
        ids: [b, L], words of one id are not held apart. A pair without words or regions adds nothing.
        """
        affinity = ATTENTION_SHARPNESS * (anchors @ self.projection.T) @ (words @ self.projection.T).transpose(1, 2)
        words_seen = _attend(affinity, words, word_mask)
        regions_named = _attend(affinity.transpose(1, 2), anchors, anchor_mask)
        numbers = torch.arange(anchors.shape[1], device=anchors.device).expand(len(anchors), -1)
        by_regions = _contrast(anchors, words_seen, anchor_mask, numbers)
        by_words = _contrast(words, regions_named, word_mask, ids)
        present = anchor_mask.any(1) & word_mask.any(1)
        return ((by_regions + by_words) / 2 * present).sum()


def _attend(affinity: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    """The direction of the values' mean, [b, Q, D], by the softmax of affinity [b, Q, V] over values [b, V, D]."""
    # The lowest number, not -inf: rows without any value stay finite, and are left out later.
    hidden = affinity.masked_fill(~mask.unsqueeze(1), torch.finfo(affinity.dtype).min)
    return functional.normalize(hidden.softmax(-1) @ values, dim=-1)


def _contrast(vectors: Tensor, counterparts: Tensor, mask: Tensor, kinds: Tensor) -> Tensor:
    """Mean over items and both directions of InfoNCE inside each pair, [b], for vectors [b, K, D] and as many
    counterparts; mask: bool [b, K]; kinds: int64 [b, K], items of one kind are not each other's negatives."""
    logits = vectors @ counterparts.transpose(1, 2) / TEMPERATURE
    right = logits.diagonal(dim1=1, dim2=2)
    itself = torch.eye(logits.shape[1], dtype=torch.bool, device=logits.device)
    unfit = (kinds[:, :, None] == kinds[:, None]) & ~itself
    lowest = torch.finfo(logits.dtype).min
    forth = logits.masked_fill(unfit | ~mask.unsqueeze(1), lowest).logsumexp(2)
    back = logits.masked_fill(unfit | ~mask.unsqueeze(2), lowest).logsumexp(1)
    return (((forth + back) / 2 - right) * mask).sum(1) / mask.sum(1).clamp(min=1)
