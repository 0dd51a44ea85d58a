"""Gated attention over tiles, many heads in one product (attention-based MIL, Ilse et al., arXiv 1802.04712)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from histoseek.encoders.slide.pathsearch.products import by_rows, linear


class GatedAttention(nn.Module):
    """The parameters of one gated attention: score(h) = w . (tanh(V h) * sigmoid(U h)) + b."""

    def __init__(self, dimension: int, hidden: int) -> None:
        super().__init__()
        self.attention_V = nn.Sequential(nn.Linear(dimension, hidden), nn.Tanh())
        self.attention_U = nn.Sequential(nn.Linear(dimension, hidden), nn.Sigmoid())
        self.attention_weights = nn.Linear(hidden, 1)


class GatedScores:
    """The scores of several gated attentions at once, from their stacked parameters."""

    def __init__(self, gates: Iterable[GatedAttention]) -> None:
        gates = tuple(gates)
        tanh = [gate.attention_V[0] for gate in gates]
        sigmoid = [gate.attention_U[0] for gate in gates]
        # tanh(x) = 2 sigmoid(2x) - 1: one activation for both halves, and ten times cheaper than tanh on a CPU.
        self._weight = torch.cat([*(2 * layer.weight for layer in tanh), *(layer.weight for layer in sigmoid)])
        self._bias = torch.cat([*(2 * layer.bias for layer in tanh), *(layer.bias for layer in sigmoid)])
        self._scale = torch.block_diag(*(gate.attention_weights.weight for gate in gates))
        self._shift = torch.cat([gate.attention_weights.bias for gate in gates])

    def of(self, rows: Tensor) -> Tensor:
        """Scores [R, gates] of rows [R, D], before any softmax."""
        return by_rows(self._scores, rows)

    def _scores(self, rows: Tensor) -> Tensor:
        doubled, gate = linear(rows, self._weight, self._bias).sigmoid_().chunk(2, dim=1)
        minus_gated = torch.addcmul(gate, doubled, gate, value=-2)
        return linear(minus_gated, -self._scale, self._shift)
