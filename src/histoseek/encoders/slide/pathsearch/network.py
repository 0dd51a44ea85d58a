"""The trainable slide encoder of PathSearch (arXiv 2510.23224): attention between tiles, then an attentive mosaic.

Two ways through the same parameters: `reference` computes what published weights expect, padding and all; `forward`
leaves all padding out and sees tiles where they lie on the slide.
"""

from __future__ import annotations

import math

from histoseek.errors import MissingExtra

try:
    import torch
except ImportError as error:
    raise MissingExtra("torch", "train") from error
from torch import Tensor, nn
from torch.nn import functional as F

from histoseek.encoders.slide.batches import BagBatch, SlideVectors
from histoseek.encoders.slide.pathsearch.architecture import PathSearchArchitecture
from histoseek.encoders.slide.pathsearch.attention import AttentionLayer
from histoseek.encoders.slide.pathsearch.gated import GatedAttention, GatedScores
from histoseek.encoders.slide.pathsearch.packing import pack
from histoseek.encoders.slide.pathsearch.positions import PositionalBlock
from histoseek.encoders.slide.pathsearch.products import linear

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
