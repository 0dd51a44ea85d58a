"""Bag of visual words (Sivic and Zisserman 2003): a slide is a histogram over a codebook of tile features."""

from __future__ import annotations

import numpy as np

from histoseek.evaluation.cohort import Cohort
from histoseek.evaluation.systems.bags import BagReader, Summaries, sample_tiles
from histoseek.evaluation.systems.base import Floats, Ints
from histoseek.statistics.clustering import kmeans

_WORDS = 64
_SAMPLED_TILES = 20_000
_LEAST = np.float32(1e-12)


class VisualWords:
    """Chi-squared distance of histograms: half the sum of (p - q)^2 / (p + q), from 0 to 1.

    The codebook is k-means of 64 words on at most about 20,000 tiles of the fold's database. Tiles count by their
    weights. No inverse document frequency: of 64 words most slides have most, so that it would weigh little.
    """

    name = "bovw"

    def __init__(self, cohort: Cohort, bags: BagReader, seed: int) -> None:
        self._cohort = cohort
        self._bags = bags
        self._seed = seed
        self._words: Floats = np.zeros((0, 0), np.float32)
        self._histograms = Summaries(self._make_histogram)

    def fit(self, database: Ints) -> None:
        """Make the codebook."""
        tiles = sample_tiles(self._bags, self._cohort, database, _SAMPLED_TILES, self._seed)
        self._words = kmeans(tiles, _WORDS, self._seed).centres
        self._histograms = Summaries(self._make_histogram)

    def distances(self, queries: Ints, database: Ints) -> Floats:
        """Chi-squared."""
        slides = np.array(self._histograms.get_many(database))
        return np.array([_chi_squared_distances(histogram, slides) for histogram in self._histograms.get_many(queries)])

    def _make_histogram(self, place: int) -> Floats:
        bag = self._bags[place]
        squares = np.einsum("kd,kd->k", self._words, self._words)
        nearest = (squares - 2 * bag.features @ self._words.T).argmin(axis=1)
        counts = np.bincount(nearest, bag.weights, len(self._words))
        return (counts / counts.sum()).astype(np.float32)


def _chi_squared_distances(histogram: Floats, slides: Floats) -> Floats:
    """Distances [C] of a histogram [K] from others [C, K]."""
    difference, total = histogram - slides, histogram + slides
    return np.asarray(0.5 * (difference * difference / np.maximum(total, _LEAST)).sum(axis=1), np.float32)
