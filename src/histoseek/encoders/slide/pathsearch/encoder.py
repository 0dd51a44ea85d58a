"""The trained slide encoder: a PathSearch network behind the protocol of slide encoders."""

from __future__ import annotations

import torch

from histoseek.encoders.bag import Bag
from histoseek.encoders.slide.base import SlideEmbedding
from histoseek.encoders.slide.batches import batch_of_one, embedding_of
from histoseek.encoders.slide.pathsearch.network import PathSearchNetwork
from histoseek.encoders.slide.trained import TrainedEncoder


class PathSearchEncoder(TrainedEncoder):
    """A PathSearch network with its weights, computed in one of its two modes."""

    def __init__(self, name: str, mode: str, network: PathSearchNetwork) -> None:
        super().__init__(name, network.architecture, network)
        self._mode, self._network = mode, network

    def _embed(self, bag: Bag) -> SlideEmbedding:
        if self._mode == "reference":
            return embedding_of(bag, self._network.reference(torch.from_numpy(bag.features).to(self._device)))
        return embedding_of(bag, self._network(batch_of_one(bag, self._device)))
