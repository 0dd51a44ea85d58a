"""The trained slide encoder: a PathSearch network behind the protocol of slide encoders."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from histoseek.encoders.bag import UNKNOWN_POSITION, Bag
from histoseek.encoders.slide.architecture import Architecture, Mode
from histoseek.encoders.slide.base import TILES_KEPT, MosaicPart, SlideEmbedding
from histoseek.encoders.slide.network import BagBatch, PathSearchNetwork, SlideVectors
from histoseek.encoders.tile.runtimes import thread_count
from histoseek.errors import ConfigurationError, EncoderError
from histoseek.settings import get_settings


class PathSearchEncoder:
    """A network with its weights, on the CPU or a GPU as the settings say."""

    def __init__(self, name: str, architecture: Architecture, mode: Mode, network: PathSearchNetwork) -> None:
        import torch

        settings = get_settings()
        if settings.device == "cuda" and not torch.cuda.is_available():
            raise ConfigurationError("HISTOSEEK_DEVICE=cuda", "torch finds no GPU", "Use HISTOSEEK_DEVICE=cpu")
        torch.set_num_threads(thread_count(settings))
        self.name = name
        self._architecture = architecture
        self._mode = mode
        self._device = settings.device
        self._network = network.eval().to(settings.device)

    @property
    def input_dimension(self) -> int:
        """Dimension of the features it takes."""
        return self._architecture.input_dimension

    @property
    def dimension(self) -> int:
        """Dimension of global and mosaic vectors."""
        return self._architecture.dimension

    def encode(self, bag: Bag) -> SlideEmbedding:
        """The embedding of a bag of any size from one tile on; raises EncoderError when its features do not fit."""
        import torch

        if bag.features.shape[1] != self.input_dimension:
            what = f"takes features of dimension {self.input_dimension}, these have {bag.features.shape[1]}"
            raise EncoderError(self.name, what, "Use the tile encoder it was trained with")
        with torch.inference_mode():
            return _embedding(bag, self._vectors(bag))

    def _vectors(self, bag: Bag) -> SlideVectors:
        import torch

        features = torch.from_numpy(bag.features).to(self._device)
        if self._mode == "reference":
            return self._network.reference(features)
        cells = torch.from_numpy(cells_of(bag)).to(self._device)
        everywhere = torch.ones(1, len(bag), dtype=torch.bool, device=self._device)
        vectors: SlideVectors = self._network(BagBatch(features[None], cells[None], everywhere))
        return vectors


def cells_of(bag: Bag) -> NDArray[np.int64]:
    """Column and row of each tile on the slide's tile grid, int64 [N, 2], starting at zero.

    Bags whose tiles have no known place are laid out row by row on a square, in their order.
    """
    coords = bag.coords.astype(np.int64)
    if bag.tile_size_level0 < 1 or (coords == UNKNOWN_POSITION).all(axis=1).any():
        order = np.arange(len(bag))
        side = math.ceil(math.sqrt(len(bag)))
        return np.stack([order % side, order // side], axis=1)
    return np.rint((coords - coords.min(axis=0)) / bag.tile_size_level0).astype(np.int64)


def _embedding(bag: Bag, vectors: SlideVectors) -> SlideEmbedding:
    mosaic, weights, shares = (
        each[0].float().cpu().numpy() for each in (vectors.mosaics, vectors.tile_weights, vectors.shares)
    )
    parts = tuple(
        _part(bag, vector, tile_weights, float(share))
        for vector, tile_weights, share in zip(mosaic, weights, shares, strict=True)
    )
    return SlideEmbedding(vectors.global_vectors[0].float().cpu().numpy(), parts)


def _part(bag: Bag, vector: NDArray[np.float32], weights: NDArray[np.float32], share: float) -> MosaicPart:
    top = np.argsort(-weights, kind="stable")[:TILES_KEPT]
    kept = weights[top] / weights[top].sum()
    return MosaicPart(vector, bag.coords[top], kept, share)
