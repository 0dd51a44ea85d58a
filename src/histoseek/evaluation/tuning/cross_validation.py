"""What settings are worth on patients held out of what was fitted, and perhaps of the choice; nothing is done twice."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from histoseek.evaluation.neighbours import Fold, Neighbours, rank
from histoseek.evaluation.per_query import DEPTHS, NAMES, compute_values
from histoseek.evaluation.tuning.candidates import NEIGHBOURS
from histoseek.evaluation.tuning.fitted import (
    build_graph,
    compare_parts,
    draw_background,
    find_neighbours,
    fit_slides_metric,
    fuse,
    measure_statistics,
)
from histoseek.evaluation.tuning.slides import TuningSlides
from histoseek.mosaics.distances import get_distance
from histoseek.ranking.diffusion import blend
from histoseek.ranking.graph import NeighbourGraph
from histoseek.ranking.settings import PLAIN, DiffusionSettings, RankingSettings

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Value = TypeVar("Value")

JUDGED = NAMES.index("MAP@5")
"""The column of a query's values that settings are chosen by."""

MOST_QUERIES = 500

_ROOM_BYTES = 512 * 2**20
_DEPTH = max(DEPTHS)

Held = tuple[int, ...]


class CrossValidation:
    """The queries of each fold, ranked under settings that were fitted without that fold, and without another one.

    Two folds are held out of a fit at a time: the queries of one of them judge settings that the other, which is not in
    the database either, is to judge once they are chosen. So each pair is fitted once and serves both.
    """

    def __init__(self, slides: TuningSlides, folds: Ints, seed: int) -> None:
        """folds: of each slide, int64 [n], from 0 on."""
        self._slides, self.folds, self._seed = slides, folds, seed
        self.count = int(folds.max()) + 1
        drawn = np.random.default_rng(seed).permutation(len(slides))[:MOST_QUERIES]
        self._queries = [np.sort(drawn[folds[drawn] == fold]) for fold in range(self.count)]
        self._values: dict[tuple[RankingSettings, int, int | None], Floats] = {}
        self._room = _Room(_ROOM_BYTES)

    def list_inner(self, outer: int | None) -> list[int]:
        """The folds that settings are chosen on while one is left out, or none."""
        return [fold for fold in range(self.count) if fold != outer]

    def measure(self, settings: RankingSettings, outer: int | None = None) -> Floats:
        """What each query is worth, float64 [Q, M] by NAMES, nan where no slide could answer it.

        outer: the fold that is neither fitted on, nor asked, nor found; the queries are those of `get_queries`.
        """
        return np.concatenate([self.measure_fold(settings, fold, outer) for fold in self.list_inner(outer)])

    def get_queries(self, outer: int | None = None) -> Ints:
        """The queries of `measure`, places of slides."""
        return np.concatenate([self._queries[fold] for fold in self.list_inner(outer)])

    def rank_fold(self, settings: RankingSettings, fold: int, outer: int | None = None) -> Neighbours:
        """The first slides to the queries of a fold that was not fitted on; outer as in `measure`."""
        held: Held = tuple(sorted({fold, fold if outer is None else outer}))
        database = np.flatnonzero(self.folds != (-1 if outer is None else outer))
        queries = self._queries[fold]
        system = _Computed(lambda: self._compute_total(settings, held, fold, database))
        return rank(system, Fold(queries, database, self._slides.exclusions), self._slides.labels, _DEPTH)

    def measure_fold(self, settings: RankingSettings, fold: int, outer: int | None = None) -> Floats:
        """The same of the queries of one fold, which is not fitted on."""
        key = settings, fold, outer
        if key not in self._values:
            self._values[key] = compute_values(self.rank_fold(settings, fold, outer), self._slides.labels)
        return self._values[key]

    def _compute_total(self, settings: RankingSettings, held: Held, fold: int, database: Ints) -> NDArray[np.float32]:
        """Distances of a fold's queries, float32 [Q, C]."""
        distance, metric = get_distance(settings.distance), _keep_metric(settings)
        if distance.looks_at_rarity:
            training = self._get_training(held)
            distance = distance.with_background(draw_background(self._get_mapped(metric, held), training, self._seed))
        key = metric, distance.name, held
        statistics = self._room.get(
            ("statistics", *key),
            lambda: measure_statistics(distance, self._get_mapped(metric, held), self._get_training(held), self._seed),
        )
        everyone = np.arange(len(self._slides), dtype=np.int64)
        local, global_ = self._room.get(
            ("parts", *key, fold),
            lambda: compare_parts(distance, self._get_mapped(metric, held), self._queries[fold], everyone),
        )
        total = fuse(distance, statistics, settings.local_share).total(local[:, database], global_[:, database])
        if settings.diffusion is None:
            return total.astype(np.float32)
        spread_by = replace(settings.diffusion, share=0.0)
        neighbours = self._room.get(
            ("neighbours", metric, held, fold, spread_by),
            lambda: self._spread(spread_by, metric, held, fold, database),
        )
        return np.asarray(blend(total, neighbours, settings.diffusion.share), np.float32)

    def _spread(
        self, settings: DiffusionSettings, metric: RankingSettings, held: Held, fold: int, database: Ints
    ) -> Floats:
        mapped = self._get_mapped(metric, held)
        graph = self._room.get(("graph", metric, held, fold), lambda: build_graph(mapped, database, max(NEIGHBOURS)))
        return find_neighbours(graph, settings, mapped, self._queries[fold], database)

    def _get_training(self, held: Held) -> Ints:
        return np.flatnonzero(~np.isin(self.folds, held))

    def _get_mapped(self, metric: RankingSettings, held: Held) -> TuningSlides:
        def map_slides() -> TuningSlides:
            return self._slides.under(fit_slides_metric(metric, self._slides, self._get_training(held)))

        return self._room.get(("mapped", metric, held), map_slides)


class _Room:
    """What was computed, as much as there is room for; what was asked for last stays."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._held: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """What there is under a key, else what `make` gives."""
        if key in self._held:
            self._held.move_to_end(key)
            value: Value = self._held[key][0]
            return value
        value = make()
        size = _measure_size(value)
        self._size -= size
        while self._size < 0 and self._held:
            self._size += self._held.popitem(last=False)[1][1]
        self._held[key] = value, size
        return value


def _measure_size(value: object) -> int:
    """Bytes of the arrays in it."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, tuple):
        return sum(map(_measure_size, value))
    if isinstance(value, TuningSlides):
        block = value.block
        return sum(_measure_size(part) for part in (block.barcodes, block.global_vectors, block.mosaics))
    return value.bytes if isinstance(value, NeighbourGraph) else 0


class _Computed:
    """A system of the harness whose distances are known."""

    name = "tuned"

    def __init__(self, compute: Callable[[], NDArray[np.float32]]) -> None:
        self._compute = compute
        self._distances: NDArray[np.float32] | None = None
        self._row = 0

    def fit(self, database: Ints) -> None:
        """Compute them."""
        self._distances, self._row = self._compute(), 0

    def distances(self, queries: Ints, database: Ints) -> NDArray[np.float32]:
        """The next rows, block by block."""
        assert self._distances is not None
        rows = self._distances[self._row : self._row + len(queries)]
        self._row += len(queries)
        return rows


def _keep_metric(settings: RankingSettings) -> RankingSettings:
    """The same settings as far as they decide the metric."""
    return replace(settings, distance=PLAIN.distance, local_share=PLAIN.local_share, diffusion=None)
