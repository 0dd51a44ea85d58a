"""HSHR-style search (Li et al. 2023, IEEE Transactions on Medical Imaging): hash codes of clusters, and a hypergraph.

After the published description, without its trained encoder. What differs:
- Codes are the signs of 256 random projections of the clusters' centres, less the mean of the fold's database. HSHR
  learns them, and the clusters' weights, by contrast; here a cluster weighs as much as it has tiles.
- The hypergraph is that of hypergraph ranking (Huang et al. 2010, CVPR): each slide with its ten nearest is an edge,
  to which slides belong by their likeness to that slide. It is built from the fold's database; each query joins alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.evaluation.cohort import Cohort
from histoseek.evaluation.systems.bags import BagReader, Summaries, sample_tiles
from histoseek.evaluation.systems.base import Floats, Ints
from histoseek.evaluation.systems.hypergraph import Hypergraph
from histoseek.evaluation.systems.interaction import Stack, compute_similarities
from histoseek.statistics.clustering import kmeans

_CLUSTERS = 16
_BITS = 256
_ITERATIONS = 10
_SAMPLED_TILES = 20_000
_ROWS_AT_ONCE = 512
_OUTSIDE = -1


@dataclass(frozen=True, slots=True)
class _HashCodes:
    """The k clusters of a slide: the signs of their codes, int8 [k, 256], and their sizes, float32 [k], in tiles."""

    signs: NDArray[np.int8]
    sizes: Floats


class Hshr:
    """1 - the mean of two likenesses, both from 0 to 1: direct, and through the hypergraph.

    Direct: the share of equal bits of each cluster's code and the other slide's nearest, weighted by the clusters, both
    ways. Through the hypergraph: the cosine of the two slides' memberships in all edges. 0 for a slide and itself.
    """

    name = "hshr"

    def __init__(self, cohort: Cohort, bags: BagReader, seed: int) -> None:
        self._cohort = cohort
        self._bags = bags
        self._seed = seed

    def fit(self, database: Ints) -> None:
        """Hash the database and build its hypergraph."""
        tiles = sample_tiles(self._bags, self._cohort, database, _SAMPLED_TILES, self._seed)
        self._centre = tiles.mean(axis=0)
        self._directions = np.random.default_rng(self._seed).standard_normal((len(self._centre), _BITS), np.float32)
        self._codes = Summaries(self._hash)
        self._columns = np.full(len(self._cohort), _OUTSIDE)
        self._columns[database] = np.arange(len(database))
        self._database = database
        self._graph = Hypergraph.from_likeness(self._iterate_likeness(database), len(database))

    def distances(self, queries: Ints, database: Ints) -> Floats:
        """Query by query; each slide of `database` must be of the one fitted."""
        columns = self._columns[database]
        rows = np.empty((len(queries), len(database)), np.float32)
        for row, (query, likeness) in enumerate(zip(queries, self._iterate_likeness(queries), strict=True)):
            cosines = self._graph.compute_cosines(likeness, inside=bool(self._columns[query] != _OUTSIDE))
            rows[row] = (1 - 0.5 * (likeness + cosines))[columns]
        return np.maximum(rows, 0)

    def _iterate_likeness(self, places: Ints) -> Iterator[Floats]:
        """Likeness of slides to the whole database, 0 to 1, row by row [C]."""
        for start in range(0, len(places), _ROWS_AT_ONCE):
            cosines = compute_similarities(places[start : start + _ROWS_AT_ONCE], self._database, self._make_stack)
            yield from 0.5 + 0.5 * cosines

    def _make_stack(self, places: Ints) -> Stack:
        slides = self._codes.get_many(places)
        unit = np.float32(_BITS**-0.5)
        return Stack.from_slides([slide.signs * unit for slide in slides], [slide.sizes for slide in slides])

    def _hash(self, place: int) -> _HashCodes:
        bag = self._bags[place]
        groups = kmeans(bag.features, _CLUSTERS, self._seed, iterations=_ITERATIONS)
        projections = (groups.centres - self._centre) @ self._directions
        sizes = np.bincount(groups.labels, bag.weights).astype(np.float32)
        return _HashCodes(np.where(projections < 0, -1, 1).astype(np.int8), sizes)
