"""Nystrom attention (Xiong et al., arXiv 2102.03902) of one slide, arranged to be cheap.

The result is softmax(q K') pinv(softmax(Q' K')) (softmax(Q' k) v) with landmarks Q' and K', means of queries and keys.
Against the plain order of work: landmarks come from means of tokens instead of projected tokens; products are taken
from the right, so that nothing of size tokens x landmarks is multiplied by the inverse; and the inverse's iterations
need two products instead of four. Heads stay in the columns of token rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from histoseek.encoders.slide.products import linear, per_head

_ITERATIONS = 6


@dataclass(frozen=True, slots=True)
class Projections:
    """Weights [D, D] of a layer's queries, keys and values, and its number of heads."""

    query: Tensor
    key: Tensor
    value: Tensor
    heads: int


@dataclass(frozen=True, slots=True)
class Mixing:
    """What a token's normed row needs to attend to a whole slide."""

    query: Tensor
    landmarks: Tensor
    summary: Tensor
    heads: int

    def __call__(self, rows: Tensor) -> Tensor:
        """Attention of rows [R, D]: [R, D]."""
        attention = _softmax(per_head(linear(rows, self.query), self.landmarks, self.heads), self.heads)
        return per_head(attention, self.summary, self.heads)


def prepare_mixing(rows: Tensor, means: Tensor, values: Tensor, projections: Projections) -> Mixing:
    """Prepare attention to normed rows [N, D] and their values [N, D], with m landmarks from their means [m, D]."""
    heads = projections.heads
    query = projections.query * (len(projections.query) // heads) ** -0.5
    query_marks = linear(means, query)
    key_marks = _by_head(linear(means, projections.key), heads).flatten(0, 1)
    keys = linear(rows, projections.key)
    query_heads, key_heads, value_heads = (_by_head(each, heads)[None] for each in (query_marks, keys, values))
    landmark_values = F.scaled_dot_product_attention(query_heads, key_heads, value_heads, scale=1.0)
    landmark_values = landmark_values[0].transpose(0, 1).flatten(1)
    between = _softmax(per_head(query_marks, key_marks, heads), heads)
    return Mixing(query, key_marks, pseudo_inverse_times(between, landmark_values, heads).T, heads)


def pseudo_inverse_times(matrices: Tensor, values: Tensor, heads: int) -> Tensor:
    """pinv(A) v for each head; matrices [m, heads * m] and values [m, heads * d], heads in the columns.

    The library's iteration is z' = z p(x z) with p(y) = (13 - y (15 - y (7 - y))) / 4, started from x' / c. With
    y = x z it follows y' = y p(y), so the sequence of y alone is needed: two products a step, and each p(y) is applied
    to the few columns of v.
    """
    stacked = _by_head(matrices, heads)
    scale = stacked.sum(dim=2).max() * stacked.sum(dim=1).max()
    y = per_head(matrices, stacked.flatten(0, 1), heads) / scale
    steps = [y]
    for _ in range(_ITERATIONS - 1):
        squared = per_head(y, y.T, heads)
        y = 0.25 * (13 * y - 15 * squared + per_head(squared, (7 * y - squared).T, heads))
        steps.append(y)
    for y in reversed(steps):
        inner = 7 * values - per_head(y, values.T, heads)
        inner = 15 * values - per_head(y, inner.T, heads)
        values = 0.25 * (13 * values - per_head(y, inner.T, heads))
    transposed = stacked.permute(2, 0, 1).flatten(1)
    return per_head(transposed, values.T, heads) / scale


def segment_means(rows: Tensor, segments: int) -> Tensor:
    """Means [segments, D] of runs of rows [N, D] whose lengths differ by one at most, the longer ones first."""
    length, longer = divmod(len(rows), segments)
    split = longer * (length + 1)
    means = [rows[:split].unflatten(0, (longer, length + 1)).mean(dim=1)] if longer else []
    return torch.cat([*means, rows[split:].unflatten(0, (segments - longer, length)).mean(dim=1)])


def _softmax(scores: Tensor, heads: int) -> Tensor:
    return scores.unflatten(1, (heads, -1)).softmax(dim=-1).flatten(1)


def _by_head(rows: Tensor, heads: int) -> Tensor:
    """Rows [R, heads * d] as [heads, R, d]."""
    return rows.unflatten(1, (heads, -1)).transpose(0, 1)
