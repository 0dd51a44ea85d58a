"""Published slide encoders behind the protocol of slide encoders: a vector of the slide, and no mosaic of their own."""

from __future__ import annotations

import torch

from histoseek.encoders.bag import Bag
from histoseek.encoders.slide.base import Architecture, SlideEmbedding
from histoseek.encoders.slide.published.tiles import SlideNetwork, Tiles
from histoseek.encoders.slide.trained import TrainedEncoder
from histoseek.statistics.clustering import normalise_rows


class PublishedEncoder(TrainedEncoder):
    """A published network with its weights; its slide vectors have length one."""

    def __init__(self, name: str, mode: str, sizes: Architecture, network: SlideNetwork, needs_places: bool) -> None:
        super().__init__(name, sizes, network, needs_places=needs_places)
        self._mode, self._network = mode, network

    def _embed(self, bag: Bag) -> SlideEmbedding:
        features, coords = (torch.from_numpy(each).to(self._device) for each in (bag.features, bag.coords))
        vector = self._network.embed(Tiles(features, coords.long(), max(1, bag.tile_size_level0)), self._mode)
        return SlideEmbedding(normalise_rows(vector.float().cpu().numpy()[None])[0], ())
