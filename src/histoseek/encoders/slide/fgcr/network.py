"""Our own form of FGCR's slide encoder (doi 10.1016/j.media.2024.103163): anchors at several scales read the tiles
around them, tiles and a class token read the anchors; class token and anchors go through one head into one space."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from histoseek.encoders.slide.batches import BagBatch, SlideVectors
from histoseek.encoders.slide.fgcr.architecture import FgcrArchitecture
from histoseek.encoders.slide.fgcr.attention import AnchorReading, AttentionLayer
from histoseek.encoders.slide.fgcr.blocks import BatchLayout, TileBlocks, lay_out
from histoseek.encoders.slide.products import linear

_TOKEN_STD = 0.02
"""Small beside what anchors read, so that they differ from the start."""


class KernelTransformer(nn.Module):
    """The layers, under the names of the reference."""

    def __init__(self, architecture: FgcrArchitecture) -> None:
        super().__init__()
        sizes = architecture.heads, architecture.head_dimension, architecture.mlp_dimension
        self.layers = nn.ModuleList(AttentionLayer(architecture.dimension, *sizes) for _ in range(architecture.depth))


class AnchoredNetwork(nn.Module):
    """FGCR's slide encoder over any number of tiles, each bag as if it were alone and whatever the order of its tiles.

    In each layer anchors read the tiles that they see, then class token and tiles read the anchors.
    """

    def __init__(self, architecture: FgcrArchitecture) -> None:
        super().__init__()
        dimension = architecture.dimension
        self.architecture = architecture
        self.to_patch_embedding = nn.Linear(architecture.input_dimension, dimension)
        self.img_cls_token = nn.Parameter(_TOKEN_STD * torch.randn(1, 1, dimension))
        self.kernel_token = nn.Parameter(_TOKEN_STD * torch.randn(1, len(architecture.scales), dimension))
        self.kt = KernelTransformer(architecture)
        self.head = nn.Sequential(nn.LayerNorm(dimension), nn.Linear(dimension, dimension))

    def forward(self, bags: BagBatch) -> SlideVectors:
        """Vectors of a batch of bags: global ones of the class token, mosaics of the anchors. The tile weights, which
        the anchors had in the last layer, carry no gradient."""
        layout = lay_out(bags, self.architecture)
        tiles = [self._embed(bags.features, blocks) for blocks in layout.blocks]
        anchors = self.kernel_token[0, layout.scales]
        token = self.img_cls_token.expand(len(bags.mask), -1, -1)
        everywhere = torch.zeros_like(layout.is_anchor, dtype=torch.float32).masked_fill(~layout.is_anchor, -torch.inf)
        *inner, last = self.kt.layers
        for layer in inner:
            anchors = layer.read_tiles(anchors, tiles, layout.blocks).anchors
            token, _ = layer.read_anchors(token, anchors, layout.anchors, everywhere[:, None])
            tiles = [
                layer.read_anchors(rows, anchors, blocks.anchors, blocks.log_mask)[0]
                for rows, blocks in zip(tiles, layout.blocks, strict=True)
            ]
        reading = last.read_tiles(anchors, tiles, layout.blocks)
        token, weights = last.read_anchors(token, reading.anchors, layout.anchors, everywhere[:, None])
        return SlideVectors(
            global_vectors=F.normalize(self.head(token[:, 0]), dim=-1),
            mosaics=F.normalize(self.head(reading.anchors), dim=-1)[layout.anchors] * layout.is_anchor[..., None],
            tile_weights=_weigh_tiles(last, reading, tiles, layout, bags.mask.shape[1]),
            shares=weights[:, :, 0].mean(dim=1),
            mosaic_mask=layout.is_anchor,
        )

    def _embed(self, features: Tensor, blocks: TileBlocks) -> Tensor:
        """Tiles [G, T, D] of the blocks; places without a tile hold numbers that nobody reads."""
        chosen = features[blocks.bags[:, None], blocks.places].masked_fill(~blocks.is_tile[..., None], 0)
        layer = self.to_patch_embedding
        return linear(chosen.flatten(0, 1), layer.weight, layer.bias).unflatten(0, blocks.places.shape)


@torch.no_grad()
def _weigh_tiles(
    layer: AttentionLayer, reading: AnchorReading, tiles: list[Tensor], layout: BatchLayout, width: int
) -> Tensor:
    """The weights [B, M, width] of the tiles of each anchor, 0 on padding."""
    bags, most = layout.anchors.shape
    weights = reading.log_sums.new_zeros(bags * most * width)
    for rows, blocks in zip(tiles, layout.blocks, strict=True):
        anchors = blocks.bags[:, None, None] * most + layout.slots[blocks.anchors][..., None]
        places = anchors * width + blocks.places[:, None]
        weights.index_add_(0, places.flatten(), layer.weigh_tiles(reading, rows, blocks).flatten())
    return weights.view(bags, most, width)
