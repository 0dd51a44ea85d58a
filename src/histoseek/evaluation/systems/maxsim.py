"""MaxSim: late interaction between the mosaics in the archive."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from histoseek.evaluation.cohort import Cohort
from histoseek.evaluation.systems.base import Floats, Ints
from histoseek.evaluation.systems.interaction import Stack, compute_similarities
from histoseek.evaluation.systems.modes import read_slides
from histoseek.statistics.clustering import normalise_rows


class MaxSim:
    """1 - the mean of both directions of: mean over one slide's mosaic vectors of the largest cosine to the other's.

    ColBERT takes one direction, as a query there is a few words; slides are alike in size, so both count here. From
    0 for a slide and itself to 2. Mosaics stay in memory as float16: 32 D bytes for 16 vectors of a slide.
    """

    name = "maxsim"

    def __init__(self, cohort: Cohort) -> None:
        self._cohort = cohort
        self._mosaics: dict[int, NDArray[np.float16]] = {}

    def fit(self, database: Ints) -> None:
        """Read the database's mosaics."""
        self._read(database)

    def distances(self, queries: Ints, database: Ints) -> Floats:
        """By products of blocks of queries and blocks of slides."""
        self._read(np.union1d(queries, database))
        return np.maximum(1.0 - compute_similarities(queries, database, self._make_stack), 0.0)

    def _read(self, places: Ints) -> None:
        missing = np.array([place for place in places if int(place) not in self._mosaics], np.int64)
        for place, slide in zip(missing, read_slides(self._cohort, missing), strict=True):
            self._mosaics[int(place)] = slide.signature.mosaic

    def _make_stack(self, places: Ints) -> Stack:
        vectors = [normalise_rows(self._mosaics[int(place)].astype(np.float32)) for place in places]
        return Stack.from_slides(vectors, [np.ones(len(rows), np.float32) for rows in vectors])
