"""What can be had without looking at a slide: chance, and the most frequent class."""

from __future__ import annotations

import zlib

import numpy as np

from histoseek.evaluation.cohort import Cohort
from histoseek.evaluation.mixing import mix_bits
from histoseek.evaluation.systems.base import Floats, Ints


class RandomOrder:
    """Distances from 0 to 1 drawn by the two slides' ids and the seed."""

    name = "random"

    def __init__(self, cohort: Cohort, seed: int) -> None:
        ids = np.array([zlib.crc32(slide_id.encode()) for slide_id in cohort.slide_ids], np.uint64)
        self._numbers = mix_bits(ids + np.uint64(seed) * np.uint64(2**32))

    def fit(self, database: Ints) -> None:
        """Nothing is fitted."""

    def distances(self, queries: Ints, database: Ints) -> Floats:
        """Uniform numbers; those of two slides depend on no third."""
        pairs = mix_bits(self._numbers[queries][:, None] + (self._numbers[database] >> np.uint64(1)))
        return (pairs >> np.uint64(40)).astype(np.float32) / np.float32(2**24)


class MajorityClass:
    """Slides of the database's most frequent class first (the first by name of several), in random order."""

    name = "majority"

    def __init__(self, cohort: Cohort, seed: int) -> None:
        self._labels = cohort.labels
        self._random = RandomOrder(cohort, seed)
        self._class = 0

    def fit(self, database: Ints) -> None:
        """Count the database's labels, the only ones that are looked at."""
        self._class = int(np.bincount(self._labels[database]).argmax())

    def distances(self, queries: Ints, database: Ints) -> Floats:
        """From 0 to 1 for slides of the most frequent class, from 1 to 2 for others."""
        return self._random.distances(queries, database) + (self._labels[database] != self._class)
