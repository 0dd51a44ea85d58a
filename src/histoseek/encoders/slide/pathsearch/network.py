"""The trainable slide encoder of PathSearch (arXiv 2510.23224): attention between tiles, then an attentive mosaic.

Two ways through the same parameters: `reference` computes what published weights expect, padding and all; `forward`
leaves all padding out and sees tiles where they lie on the slide.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from histoseek.errors import MissingExtra

try:
    import torch
except ImportError as error:
    raise MissingExtra("torch", "train") from error
from torch import Tensor, nn
from torch.nn import functional as F

from histoseek.encoders.slide.batches import BagBatch, SlideVectors, require_tiles
from histoseek.encoders.slide.pathsearch.architecture import PathSearchArchitecture
from histoseek.encoders.slide.pathsearch.attention import AttentionLayer
from histoseek.encoders.slide.pathsearch.positions import REACH, PositionalBlock
from histoseek.encoders.slide.products import by_rows, linear

START_GATE_STD = 5.0
"""Spread that the mosaic's attention weights start with; torch's own 0.05 lets every head see every tile alike."""


class DimensionReduction(nn.Module):
    """ReLU(BatchNorm(fc1(x))) over rows."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dimension, dimension, bias=False)
        self.norm_act = nn.Sequential(nn.Identity(), nn.BatchNorm1d(dimension), nn.ReLU())

    def forward(self, rows: Tensor) -> Tensor:
        """Rows [R, D] to rows [R, D]; outside training the normalisation is folded into the weights."""
        norm = self.norm_act[1]
        if norm.training:
            out: Tensor = self.norm_act(linear(rows, self.fc1.weight))
            return out
        scale = norm.weight * (norm.running_var + norm.eps).rsqrt()
        return linear(rows, self.fc1.weight * scale[:, None], norm.bias - norm.running_mean * scale).relu_()


class AttentivePooling(nn.Module):
    """The mosaic: M gated attentions over the tiles, and one over the M vectors they give."""

    def __init__(self, architecture: PathSearchArchitecture) -> None:
        super().__init__()
        dimension, hidden = architecture.dimension, architecture.gate_dimension
        self.dim_reduction = DimensionReduction(dimension)
        self.attention = nn.ModuleList(GatedAttention(dimension, hidden) for _ in range(architecture.mosaic_size))
        self.attention_2 = GatedAttention(dimension, hidden)


class PathSearchNetwork(nn.Module):
    """The slide encoder's parameters, named as in the published checkpoint, and both ways through them."""

    def __init__(self, architecture: PathSearchArchitecture) -> None:
        super().__init__()
        dimension = architecture.dimension
        self.architecture = architecture
        self.proj = nn.Sequential(nn.Linear(architecture.input_dimension, dimension), nn.ReLU())
        self.cls_token = nn.Parameter(torch.randn(1, 1, dimension))
        self.trans_layer1 = AttentionLayer(dimension, architecture.heads)
        self.pos_layer = PositionalBlock(dimension)
        self.trans_layer2 = AttentionLayer(dimension, architecture.heads)
        self.abmil = AttentivePooling(architecture)

    def forward(self, bags: BagBatch) -> SlideVectors:
        """Vectors of a batch of bags, each as if it were alone and whatever the order of its tiles."""
        packed = pack(bags.features, bags.cells, bags.mask)
        rows = self.trans_layer1.masked(self._project(packed.features), packed.lengths)
        rows = self.pos_layer.on_cells(rows, packed.cells)
        rows = self.trans_layer2.masked(rows, packed.lengths)
        return self._pool(rows, packed.lengths, packed.places, bags.mask.shape[1])

    def reference(self, features: Tensor) -> SlideVectors:
        """Vectors of one bag [N, D_in], in the order given, as published weights expect it; B is 1."""
        count = len(features)
        side = math.ceil(math.sqrt(count))
        rows = self._project(features)
        tokens = torch.cat([self.cls_token[0], rows, rows[: side * side - count]])
        tokens = self.trans_layer1.reference(tokens, slice(None))
        tokens = torch.cat([tokens[:1], self.pos_layer.on_square(tokens[1:], side)])
        rows = self.trans_layer2.reference(tokens, slice(1, count + 1))
        return self._pool(rows, (count,), torch.arange(count, device=rows.device), count)

    def _project(self, features: Tensor) -> Tensor:
        layer = self.proj[0]
        return linear(features, layer.weight, layer.bias).relu_()

    def _pool(self, rows: Tensor, lengths: tuple[int, ...], places: Tensor, width: int) -> SlideVectors:
        """Pool rows of bags of these lengths; places: where each row stands in its bag, padded to this width."""
        hidden = self.abmil.dim_reduction(rows)
        scores = GatedScores(self.abmil.attention).of(hidden).split(lengths)
        weights = [each.softmax(dim=0).T for each in scores]
        mosaics = torch.stack([each @ bag for each, bag in zip(weights, hidden.split(lengths), strict=True)])
        shares = GatedScores([self.abmil.attention_2]).of(mosaics.flatten(0, 1)).view(mosaics.shape[:2]).softmax(dim=1)
        spread = [
            each.new_zeros(len(each), width).index_copy(1, inside, each)
            for each, inside in zip(weights, places.split(lengths), strict=True)
        ]
        return SlideVectors(
            global_vectors=F.normalize((shares[:, None] @ mosaics)[:, 0], dim=-1),
            mosaics=F.normalize(mosaics, dim=-1),
            tile_weights=torch.stack(spread),
            shares=shares,
        )


def new_network(architecture: PathSearchArchitecture) -> PathSearchNetwork:
    """A network with random weights, the heads of its mosaic started on different tiles.

    From nearly equal weights they part only in very long trainings. Measured on real tiles (docs/decisions/0011): mean
    cosine between mosaic vectors after four epochs 0.52, not 1.00.
    """
    network = PathSearchNetwork(architecture)
    for head in network.abmil.attention:
        nn.init.normal_(head.attention_weights.weight, std=START_GATE_STD)
    return network


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


@dataclass(frozen=True, slots=True)
class Packed:
    """The tiles of a batch, bag after bag, each bag in raster order of its cells.

    features: [R, D_in]; cells: int64 [R, 2], bags one below the other and out of each other's reach; lengths:
    tiles of each bag; places: int64 [R], the position of each row in its padded bag.
    """

    features: Tensor
    cells: Tensor
    lengths: tuple[int, ...]
    places: Tensor


def pack(features: Tensor, cells: Tensor, mask: Tensor) -> Packed:
    """Pack features [B, N, D_in] at cells [B, N, 2] where mask [B, N] is true; raises InputError on an empty bag."""
    require_tiles(mask)
    chosen = [_raster_order(features[b], cells[b], mask[b].nonzero()[:, 0]) for b in range(len(mask))]
    return Packed(
        features=torch.cat([features[b, places] for b, places in enumerate(chosen)]),
        cells=_stack([cells[b, places] for b, places in enumerate(chosen)]),
        lengths=tuple(len(places) for places in chosen),
        places=torch.cat(chosen),
    )


def _raster_order(features: Tensor, cells: Tensor, places: Tensor) -> Tensor:
    """The places ordered by row, then column; tiles of one cell by their features, not by their order in the bag."""
    inside = cells[places] - cells[places].amin(dim=0)
    keys = inside[:, 1] * (inside[:, 0].amax() + 1) + inside[:, 0]
    if len(keys.unique()) < len(keys):
        ramp = torch.linspace(1, 2, features.shape[1], dtype=torch.float64, device=features.device).sqrt()
        by_content = (features[places].double() * ramp).sum(dim=1).argsort(stable=True)
        places, keys = places[by_content], keys[by_content]
    return places[keys.argsort(stable=True)]


def _stack(cells: list[Tensor]) -> Tensor:
    shifted, below = [], 0
    for each in cells:
        inside = each - each.amin(dim=0)
        inside[:, 1] += below
        below = int(inside[:, 1].amax()) + 1 + REACH
        shifted.append(inside)
    return torch.cat(shifted)
