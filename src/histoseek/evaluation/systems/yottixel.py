"""Yottixel-style search (Kalra et al. 2020, Medical Image Analysis 65): mosaics of barcoded tiles."""

from __future__ import annotations

import numpy as np

from histoseek.evaluation.systems.bags import BagReader, Summaries
from histoseek.evaluation.systems.base import Floats, Ints
from histoseek.evaluation.systems.tile_mosaics import mosaic_tiles
from histoseek.mosaics.barcodes import Words, barcodes


class Yottixel:
    """Median over the query's barcodes of the least Hamming distance to a slide's, in bits; not symmetric.

    Barcodes are the signs of successive differences of a tile's features (MinMax barcodes). Clusters are of features
    and not of colours, and features come from the archive's encoder instead of DenseNet-121.
    """

    name = "yottixel"

    def __init__(self, bags: BagReader, seed: int) -> None:
        self._bags = bags
        self._seed = seed
        self._barcodes = Summaries(self._of_slide)

    def fit(self, database: Ints) -> None:
        """Nothing is fitted."""

    def distances(self, queries: Ints, database: Ints) -> Floats:
        """Query by query; 0 for a slide and itself."""
        from histoseek.evaluation.systems.hamming import medians_of_minima

        slides = self._barcodes.of(database)
        offsets = np.cumsum([0, *(len(words) for words in slides)]).astype(np.int64)
        joined = np.concatenate(slides)
        found = [medians_of_minima(own, joined, offsets) for own in self._barcodes.of(queries)]
        return np.array(found, np.float32)

    def _of_slide(self, place: int) -> Words:
        bag = self._bags[place]
        return barcodes(bag.features[mosaic_tiles(bag, self._seed)])
