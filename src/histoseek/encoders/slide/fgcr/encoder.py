"""The trained slide encoder: an FGCR network behind the protocol of regional encoders."""

from __future__ import annotations

import numpy as np

from histoseek.encoders.bag import Bag
from histoseek.encoders.slide.base import SlideEmbedding
from histoseek.encoders.slide.batches import batch_of_one, cells_of, embedding_of
from histoseek.encoders.slide.fgcr.anchors import place_anchors
from histoseek.encoders.slide.fgcr.network import AnchoredNetwork
from histoseek.encoders.slide.regions import SlideRegion
from histoseek.encoders.slide.trained import TrainedEncoder, require_places


class AnchoredEncoder(TrainedEncoder):
    """An FGCR network of our own mode with its weights."""

    def __init__(self, name: str, network: AnchoredNetwork) -> None:
        super().__init__(name, network.architecture, network, needs_places=True)
        self._network = network

    def list_regions(self, bag: Bag) -> tuple[SlideRegion, ...]:
        """The regions of the anchors, in the order of the mosaic; raises EncoderError for tiles without places."""
        require_places(bag, self.name)
        anchors = place_anchors(cells_of(bag), self._network.architecture)
        regions = []
        for members in anchors.members:
            for anchor in np.unique(members):
                tiles = np.flatnonzero(members == anchor)
                scale = int(anchors.scales[anchor])
                regions.append(SlideRegion(tiles, bag.coords[tiles], bag.tile_size_level0, scale))
        return tuple(regions)

    def _embed(self, bag: Bag) -> SlideEmbedding:
        return embedding_of(bag, self._network(batch_of_one(bag, self._device)))
