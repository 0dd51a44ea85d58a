"""Yottixel-style search (Kalra et al. 2020, Medical Image Analysis 65): mosaics of barcoded tiles."""

from __future__ import annotations

import numpy as np

from histoseek.evaluation.systems.bags import BagReader, Summaries
from histoseek.evaluation.systems.base import Floats, Ints
from histoseek.evaluation.systems.tile_mosaics import select_mosaic_tiles
from histoseek.mosaics.barcodes import Words, make_barcodes


class Yottixel:
    """Median over the query's barcodes of the least Hamming distance to a slide's, in bits; not symmetric.

    Barcodes are the signs of successive differences of a tile's features (MinMax barcodes). Clusters are of features
    and not of colours, and features come from the archive's encoder instead of DenseNet-121.
    """

    name = "yottixel"

    def __init__(self, bags: BagReader, seed: int) -> None:
        self._bags = bags
        self._seed = seed
        self._barcodes = Summaries(self._make_barcodes)

    def fit(self, database: Ints) -> None:
        """Nothing is fitted."""

    def distances(self, queries: Ints, database: Ints) -> Floats:
        """Query by query; 0 for a slide and itself."""
        from histoseek.evaluation.systems.hamming import medians_of_minima

        slides = self._barcodes.get_many(database)
        offsets = np.cumsum([0, *(len(words) for words in slides)]).astype(np.int64)
        all_words = np.concatenate(slides)
        medians = [medians_of_minima(words, all_words, offsets) for words in self._barcodes.get_many(queries)]
        return np.array(medians, np.float32)

    def _make_barcodes(self, place: int) -> Words:
        bag = self._bags[place]
        return make_barcodes(bag.features[select_mosaic_tiles(bag, self._seed)])
