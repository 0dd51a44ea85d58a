"""Ours: the distances that the search itself uses, between the signatures in the archive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.archive_fusion import FUSED, know_background, measure_distance_parts
from histoseek.archive.schema import StoredSlide
from histoseek.evaluation.cohort import Cohort
from histoseek.evaluation.systems.base import Floats, Ints
from histoseek.mosaics.distances import Distance, SignatureBlock, get_distance
from histoseek.mosaics.part_weights import fuse_parts

_BLOCK_SLIDES = 256


class MosaicMatching:
    """A distance between signatures, or its local part alone, under which slides are compared one by one; shares: of
    the distances by either of an archive's two encoders, None for those of its space."""

    def __init__(
        self,
        cohort: Cohort,
        name: str,
        distance: str,
        *,
        local_only: bool = False,
        shares: tuple[float, float] | None = None,
    ) -> None:
        self._cohort = cohort
        self._name = name
        self._shares = shares
        self._distance = self._find_distance(distance)
        self._local_only = local_only
        self._mosaics: tuple[Ints, NDArray[np.float16]] | None = None

    @property
    def name(self) -> str:
        """As given."""
        return self._name

    def fit(self, database: Ints) -> None:
        """Put the parts on one scale, as an archive of these slides would; labels are not looked at."""
        distance = self._find_distance(self._distance.name)
        statistics = None
        if distance.name in FUSED:
            ids = [self._cohort.slide_ids[place] for place in database]
            distance = know_background(distance, self._cohort.archive.store, ids)
            statistics = measure_distance_parts(
                self._cohort.archive.store, distance, ids, self._cohort.patients[database]
            )
        self._distance = (
            distance.with_fusion(fuse_parts(*statistics, distance.stated_share)) if statistics else distance
        )

    def distances(self, queries: Ints, database: Ints) -> Floats:
        """Those of `histoseek.mosaics.distances`; 0 for a slide and itself."""
        block = select_block(self._cohort.block, database)
        if self._distance.needs_mosaics:
            block = replace(block, mosaics=self._read_mosaics(database))
        rows = np.empty((len(queries), len(database)), np.float32)
        for row, slide in enumerate(read_slides(self._cohort, queries)):
            distances = self._distance(slide.signature, block)
            rows[row] = distances.local if self._local_only else distances.total
        return rows

    def _find_distance(self, name: str) -> Distance:
        layout = self._cohort.archive.require_space().side_by_side
        return get_distance(name).side_by_side(layout, self._shares)

    def _read_mosaics(self, database: Ints) -> NDArray[np.float16]:
        """Those of a database, kept until another is asked for."""
        if self._mosaics is None or not np.array_equal(self._mosaics[0], database):
            ids = [self._cohort.slide_ids[place] for place in database]
            self._mosaics = database, self._cohort.archive.store.mosaics(ids)
        return self._mosaics[1]


class GlobalCosine:
    """Cosine distance of the global vectors: 0 for the same direction, 2 for the opposite."""

    name = "global"

    def __init__(self, cohort: Cohort) -> None:
        self._cohort = cohort

    def fit(self, database: Ints) -> None:
        """Nothing is fitted."""

    def distances(self, queries: Ints, database: Ints) -> Floats:
        """1 - cosine."""
        vectors = self._cohort.global_vectors
        return cosine_distances(vectors[queries], vectors[database])


def read_slides(cohort: Cohort, places: Ints) -> Iterator[StoredSlide]:
    """Slides with their signatures, read in parts."""
    for start in range(0, len(places), _BLOCK_SLIDES):
        yield from cohort.read_slides(places[start : start + _BLOCK_SLIDES].tolist())


def select_block(block: SignatureBlock, places: Ints) -> SignatureBlock:
    """The signatures of some slides of a block, in the order of `places`."""
    return block if np.array_equal(places, np.arange(len(block))) else block.take(places)


def cosine_distances(queries: NDArray[np.float32], slides: NDArray[np.float32]) -> Floats:
    """1 - cosine between unit vectors [Q, D] and [C, D], float32 [Q, C], from 0 to 2."""
    return np.clip(1.0 - queries @ slides.T, 0.0, 2.0)
