"""The slide encoder of FGCR's reference: what state dicts of its class expect, its limits and faults included.

Tiles and anchors attend to each other, each softmax multiplied by the anchors' soft region masks (so that its weights
no longer add up to one), and a class token attends to the anchors. All three share one projection and one norm, and
the norm's output takes the stream's place. Anchors lie in another space than the class embedding: the reference aligns
them with prompts, and the class embedding, behind its prompt classifier, with reports.
"""

from __future__ import annotations

from dataclasses import dataclass

from histoseek.errors import MissingExtra

try:
    import torch
except ImportError as error:
    raise MissingExtra("torch", "train") from error
import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from histoseek.encoders.bag import Bag
from histoseek.encoders.slide.base import SlideEmbedding
from histoseek.encoders.slide.batches import SlideVectors, cells_of, embedding_of
from histoseek.encoders.slide.fgcr.architecture import FgcrArchitecture
from histoseek.encoders.slide.fgcr.attention import Attention, PreNorm
from histoseek.encoders.slide.fgcr.reference_anchors import ReferenceAnchors, place_reference_anchors
from histoseek.encoders.slide.fgcr.reference_layout import MOST_TILES
from histoseek.encoders.slide.regions import SlideRegion
from histoseek.encoders.slide.trained import TrainedEncoder, require_places


@dataclass(frozen=True, slots=True)
class ReferenceVectors:
    """What the reference makes of a slide of N tiles and K anchors.

    class_embedding: [D], behind the tanh; anchors: [K, D]; tile_weights: [K, N], by which the last layer's anchors take
    from tiles, mask included, mean over the heads; shares: [K], by which its class token takes from anchors.
    """

    class_embedding: Tensor
    anchors: Tensor
    tile_weights: Tensor
    shares: Tensor


@dataclass(frozen=True, slots=True)
class _Flows:
    """What attention adds to tiles [N, D], anchors [K, D] and class token [1, D], and the weights of the last two."""

    to_tiles: Tensor
    to_anchors: Tensor
    to_class: Tensor
    tile_weights: Tensor
    shares: Tensor


class MaskedAttention(Attention):
    """Attention of tiles to anchors, of anchors to tiles, and of the class token to anchors."""

    def forward(self, tiles: Tensor, anchors: Tensor, class_token: Tensor, masks: Tensor) -> _Flows:
        """tiles: [N, D]; anchors: [K, D]; class_token: [1, D]; masks: [K, N]."""
        rows = (tiles, anchors, class_token)
        tile_query, anchor_query, class_query = (self.queries(each).transpose(0, 1) for each in rows)
        tile_key, tile_value = (each.transpose(0, 1) for each in self.keys_and_values(tiles))
        anchor_key, anchor_value = (each.transpose(0, 1) for each in self.keys_and_values(anchors))
        anchors_of_tiles = (tile_query @ anchor_key.mT).softmax(dim=-1) * masks.T
        tiles_of_anchors = (anchor_query @ tile_key.mT).softmax(dim=-1) * masks
        anchors_of_class = (class_query @ anchor_key.mT).softmax(dim=-1)
        return _Flows(
            self.join((anchors_of_tiles @ anchor_value).transpose(0, 1)),
            self.join((tiles_of_anchors @ tile_value).transpose(0, 1)),
            self.join((anchors_of_class @ anchor_value).transpose(0, 1)),
            tiles_of_anchors.mean(dim=0),
            anchors_of_class.mean(dim=0)[0],
        )


class ReferenceNetwork(nn.Module):
    """The slide encoder's parameters under the names of the reference's state dict."""

    def __init__(self, sizes: FgcrArchitecture) -> None:
        super().__init__()
        self.architecture = sizes
        self.to_patch_embedding = nn.Linear(sizes.input_dimension, sizes.dimension)
        self.img_cls_token = nn.Parameter(torch.randn(1, 1, sizes.dimension))
        self.kernel_token = nn.Parameter(torch.randn(1, 1, sizes.dimension))
        self.kt = nn.Module()
        self.kt.layers = nn.ModuleList(_make_layer(sizes) for _ in range(sizes.depth))

    def forward(self, features: Tensor, masks: Tensor) -> ReferenceVectors:
        """features: [N, D_in]; masks: [K, N], soft region masks of its anchors, at least one."""
        tiles = self.to_patch_embedding(features)
        anchors, class_token = self.kernel_token[0].expand(len(masks), -1), self.img_cls_token[0]
        for norm, attention, feed_forward in self.kt.layers:
            tiles, anchors, class_token = norm(tiles), norm(anchors), norm(class_token)
            flows: _Flows = attention(tiles, anchors, class_token, masks)
            tiles = feed_forward(tiles + flows.to_tiles)
            anchors = feed_forward(anchors + flows.to_anchors)
            class_token = feed_forward(class_token + flows.to_class)
        return ReferenceVectors(class_token[0].tanh(), anchors, flows.tile_weights, flows.shares)


def _make_layer(sizes: FgcrArchitecture) -> nn.ModuleList:
    attention = MaskedAttention(sizes.dimension, sizes.heads, sizes.head_dimension)
    return nn.ModuleList([nn.LayerNorm(sizes.dimension), attention, PreNorm(sizes.dimension, sizes.mlp_dimension)])


class ReferenceEncoder(TrainedEncoder):
    """The reference as a slide encoder; of a slide's tiles it reads the first MOST_TILES, row by row.

    Global vectors are class embeddings as the prompt classifier's norm leaves them before its gain and bias: centred
    over their values and of length one. From there the classifier is one affine map, which the weights' alignment has.
    """

    def __init__(self, name: str, network: ReferenceNetwork) -> None:
        super().__init__(name, network.architecture, network, needs_places=True)
        self._network = network

    def list_regions(self, bag: Bag) -> tuple[SlideRegion, ...]:
        """The clusters of tiles that the anchors lie in, in their order, without those of which the reference keeps no
        anchor; raises EncoderError for tiles without places."""
        require_places(bag, self.name)
        order, read, placed = self._place(bag)
        return tuple(
            SlideRegion(order[members], read.coords[members], bag.tile_size_level0, int(scale))
            for members, scale in zip(placed.members, placed.scales, strict=True)
        )

    def _embed(self, bag: Bag) -> SlideEmbedding:
        _, read, placed = self._place(bag)
        features, masks = (torch.from_numpy(each).to(self._device) for each in (read.features, placed.masks))
        vectors: ReferenceVectors = self._network(features, masks)
        standard = F.layer_norm(vectors.class_embedding, vectors.class_embedding.shape)
        weights = vectors.tile_weights / vectors.tile_weights.sum(dim=1, keepdim=True)
        made = SlideVectors(
            F.normalize(standard, dim=0)[None],
            F.normalize(vectors.anchors, dim=1)[None],
            weights[None],
            vectors.shares[None],
        )
        return embedding_of(read, made)

    def _place(self, bag: Bag) -> tuple[NDArray[np.int64], Bag, ReferenceAnchors]:
        """The places in the bag of the tiles that are read, row by row from the top, those tiles, and their anchors."""
        order = np.lexsort((bag.coords[:, 0], bag.coords[:, 1]))[:MOST_TILES]
        read = bag.take(order)
        return order, read, place_reference_anchors(cells_of(read), self._network.architecture)
