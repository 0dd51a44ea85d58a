"""What slide networks take and give: bags of a batch as tensors, and the vectors made of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from histoseek.errors import InputError, MissingExtra

try:
    import torch
except ImportError as error:
    raise MissingExtra("torch", "train") from error
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from histoseek.encoders.bag import Bag
from histoseek.encoders.slide.base import TILES_KEPT, MosaicPart, SlideEmbedding, prefer_witnesses


@dataclass(frozen=True, slots=True)
class BagBatch:
    """Bags padded to one length.

    features: float32 [B, N, D_in]; cells: int64 [B, N, 2], column and row on the tile grid; mask: bool [B, N], True
    where there is a tile.
    """

    features: Tensor
    cells: Tensor
    mask: Tensor


@dataclass(frozen=True, slots=True)
class SlideVectors:
    """What the network makes of a batch; all vectors of length one.

    global_vectors: [B, D]; mosaics: [B, M, D]; tile_weights: [B, M, N], one in sum over the tiles, 0 on padding;
    shares: [B, M], the weights of the mosaic vectors in the global one; mosaic_mask: bool [B, M], True where there is
    a mosaic vector, None where all slides have M. What is masked is 0.
    """

    global_vectors: Tensor
    mosaics: Tensor
    tile_weights: Tensor
    shares: Tensor
    mosaic_mask: Tensor | None = None


def batch_of_one(bag: Bag, device: torch.device) -> BagBatch:
    """A bag as a batch by itself."""
    features, cells = (torch.from_numpy(each)[None].to(device) for each in (bag.features, cells_of(bag)))
    return BagBatch(features, cells, torch.ones(1, len(bag), dtype=torch.bool, device=device))


def require_tiles(mask: Tensor) -> None:
    """Raise InputError where a bag of a batch has no tile; mask: bool [B, N]."""
    if not mask.any(dim=1).all():
        raise InputError("batch of bags", "a bag without tiles", "Leave the slide out")


def cells_of(bag: Bag) -> NDArray[np.int64]:
    """Column and row of each tile on the slide's tile grid, int64 [N, 2], starting at zero.

    Bags whose tiles have no known place are laid out row by row on a square, in their order.
    """
    if not bag.has_places:
        order = np.arange(len(bag))
        side = math.ceil(math.sqrt(len(bag)))
        return np.stack([order % side, order // side], axis=1)
    coords = bag.coords.astype(np.int64)
    return np.rint((coords - coords.min(axis=0)) / bag.tile_size_level0).astype(np.int64)


def embedding_of(bag: Bag, vectors: SlideVectors) -> SlideEmbedding:
    """The embedding of a bag from the vectors of a batch that it is alone in."""
    mosaic, weights, shares = (
        each[0].float().cpu().numpy() for each in (vectors.mosaics, vectors.tile_weights, vectors.shares)
    )
    there = vectors.mosaic_mask[0].tolist() if vectors.mosaic_mask is not None else [True] * len(mosaic)
    parts = tuple(
        _part(bag, vector, tile_weights, float(share))
        for vector, tile_weights, share, is_there in zip(mosaic, weights, shares, there, strict=True)
        if is_there
    )
    return SlideEmbedding(vectors.global_vectors[0].float().cpu().numpy(), parts)


def _part(bag: Bag, vector: NDArray[np.float32], weights: NDArray[np.float32], share: float) -> MosaicPart:
    is_witness = bag.is_witness if weights[bag.is_witness].any() else np.ones(len(bag), bool)
    top = prefer_witnesses(np.argsort(-weights, kind="stable"), is_witness)[:TILES_KEPT]
    normalised = weights[top] / weights[top].sum()
    return MosaicPart(vector, bag.coords[top], normalised, share)
