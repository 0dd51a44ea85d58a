"""MaxSim: late interaction between mosaics (Khattab and Zaharia 2020, ColBERT), made symmetric."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from histoseek.clustering import unit_rows
from histoseek.evaluation.cohort import Cohort
from histoseek.evaluation.systems.base import Floats, Ints
from histoseek.evaluation.systems.modes import stored_slides

Mosaic = NDArray[np.float16]

_QUERIES_AT_ONCE = 64
_SLIDES_AT_ONCE = 256


class MaxSim:
    """1 - the mean of both directions of: mean over one slide's mosaic vectors of the largest cosine to the other's.

    ColBERT takes one direction, as a query there is a few words; slides are alike in size, so both count here. From
    0 for a slide and itself to 2. Mosaics stay in memory as float16: 32 D bytes for 16 vectors of a slide.
    """

    name = "maxsim"

    def __init__(self, cohort: Cohort) -> None:
        self._cohort = cohort
        self._mosaics: dict[int, Mosaic] = {}

    def fit(self, database: Ints) -> None:
        """Read the database's mosaics."""
        self._read(database)

    def distances(self, queries: Ints, database: Ints) -> Floats:
        """By products of blocks of queries and blocks of slides."""
        self._read(np.concatenate([queries, database]))
        found = np.empty((len(queries), len(database)), np.float32)
        for top in range(0, len(queries), _QUERIES_AT_ONCE):
            rows = slice(top, top + _QUERIES_AT_ONCE)
            own, own_starts = self._stacked(queries[rows])
            for left in range(0, len(database), _SLIDES_AT_ONCE):
                columns = slice(left, left + _SLIDES_AT_ONCE)
                other, other_starts = self._stacked(database[columns])
                found[rows, columns] = _late_interaction(own @ other.T, own_starts, other_starts)
        return np.maximum(found, 0.0)

    def _read(self, places: Ints) -> None:
        missing = np.array([place for place in np.unique(places) if int(place) not in self._mosaics], np.int64)
        for place, slide in zip(missing, stored_slides(self._cohort, missing), strict=True):
            self._mosaics[int(place)] = slide.signature.mosaic

    def _stacked(self, places: Ints) -> tuple[Floats, Ints]:
        """Unit mosaic vectors of several slides, one under another, and where each slide's begin."""
        mosaics = [self._mosaics[int(place)] for place in places]
        return unit_rows(np.concatenate(mosaics).astype(np.float32)), _starts(mosaics)


def _late_interaction(cosines: Floats, own_starts: Ints, other_starts: Ints) -> Floats:
    """Distances [Q, C] from the cosines between all vectors of Q slides and all of C slides."""
    there = _means(np.maximum.reduceat(cosines, other_starts, axis=1), own_starts)
    back = _means(np.maximum.reduceat(cosines, own_starts, axis=0).T, other_starts).T
    return 1.0 - 0.5 * (there + back)


def _means(values: Floats, starts: Ints) -> Floats:
    """Means of the rows from each start to the next."""
    counts = np.diff(np.append(starts, len(values))).astype(np.float32)
    return np.asarray(np.add.reduceat(values, starts, axis=0) / counts[:, None], np.float32)


def _starts(mosaics: Sequence[Mosaic]) -> Ints:
    return np.cumsum([0, *(len(mosaic) for mosaic in mosaics[:-1])])
