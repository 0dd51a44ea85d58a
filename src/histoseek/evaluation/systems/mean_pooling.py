"""Mean-pooled cosine: a slide is the mean of its tile features."""

from __future__ import annotations

import numpy as np

from histoseek.evaluation.cohort import Cohort
from histoseek.evaluation.systems.bags import BagReader, Summaries
from histoseek.evaluation.systems.base import Floats, Ints
from histoseek.evaluation.systems.modes import cosine_distances
from histoseek.statistics.clustering import normalise_rows


class MeanPooled:
    """Cosine distance of the weighted means of tile features, less the mean of the fold's database if `centred`."""

    def __init__(self, cohort: Cohort, bags: BagReader, *, centred: bool) -> None:
        self._centred = centred
        self._bags = bags
        self._means = Summaries(self._average_tiles)
        self._centre: Floats = np.zeros(1, np.float32)

    @property
    def name(self) -> str:
        """By whether it is centred."""
        return "mean-pooled" if self._centred else "mean-pooled-raw"

    def fit(self, database: Ints) -> None:
        """Take the mean over the database's slides, each counting the same."""
        if self._centred:
            self._centre = np.mean(self._means.get_many(database), axis=0)

    def distances(self, queries: Ints, database: Ints) -> Floats:
        """1 - cosine."""
        return cosine_distances(self._make_vectors(queries), self._make_vectors(database))

    def _make_vectors(self, places: Ints) -> Floats:
        return normalise_rows(np.array(self._means.get_many(places)) - self._centre)

    def _average_tiles(self, place: int) -> Floats:
        bag = self._bags[place]
        return (bag.weights / bag.weights.sum()) @ bag.features
