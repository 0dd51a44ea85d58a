"""Transformers over tiles that attend less to far ones: a linear bias by the distance on the grid (ALiBi in 2D)."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

_BIASES_AT_ONCE = 2**24
"""Numbers of a bias that are made at once: 64 MB."""


def find_slopes(heads: int) -> Tensor:
    """How much a head's scores fall with a unit of distance, float32 [heads], as in ALiBi (Press et al., 2108.12409).

    For a power of two 2^(-8/h), and its powers; else those of the power of two below, then every other one of the power
    above.
    """
    below = 2 ** math.floor(math.log2(heads))
    slopes = [2.0 ** (-8 * (i + 1) / below) for i in range(below)]
    above = [2.0 ** (-8 * (i + 1) / (2 * below)) for i in range(0, 2 * below, 2)]
    return torch.tensor([*slopes, *above[: heads - below]])


def attend(query: Tensor, key: Tensor, value: Tensor, bias: Callable[[Tensor], Tensor]) -> Tensor:
    """Attention of all heads [H, N, d], some queries at a time; bias: of the queries at some places, [H, n, N]."""
    heads, count, _ = query.shape
    at_once = max(1, _BIASES_AT_ONCE // (heads * count))
    parts = [
        F.scaled_dot_product_attention(query[:, places], key, value, attn_mask=bias(places))
        for places in torch.arange(count, device=query.device).split(at_once)
    ]
    return torch.cat(parts, dim=1)


def make_distance_bias(places: Tensor, slopes: Tensor, free: int) -> Callable[[Tensor], Tensor]:
    """The bias of tokens of which the first `free` have no place; places [N - free, 2] in units of distance; slopes:
    [H], what is taken from a score for each unit."""

    def bias(queries: Tensor) -> Tensor:
        full = places.new_zeros(len(slopes), len(queries), free + len(places))
        placed = queries >= free
        distances = torch.cdist(places[queries[placed] - free], places, compute_mode="donot_use_mm_for_euclid_dist")
        full[:, placed, free:] = -slopes[:, None, None] * distances
        return full

    return bias


def split_heads(rows: Tensor, heads: int) -> Tensor:
    """Rows [N, H * d] as [H, N, d]."""
    return rows.unflatten(1, (heads, -1)).transpose(0, 1)


def join_heads(rows: Tensor) -> Tensor:
    """[H, N, d] as rows [N, H * d]."""
    return rows.transpose(0, 1).flatten(1)


def fill_grid(features: Tensor, cells: Tensor) -> tuple[Tensor, Tensor]:
    """The occupied cells [C, 2], in order, and the sum of the features of the tiles in each, [C, D]."""
    occupied, which = cells.unique(dim=0, return_inverse=True)
    sums = features.new_zeros(len(occupied), features.shape[1]).index_add_(0, which, features)
    return occupied, sums
