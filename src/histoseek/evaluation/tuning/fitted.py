"""A way of ranking fitted on slides: the one place where settings become a metric, weights of parts and a graph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.archive_fusion import FUSED, MIN_SLIDES, draw_pairs
from histoseek.evaluation.tuning.slides import TuningSlides
from histoseek.mosaics.distances import Distance, Fusion, get_distance
from histoseek.mosaics.part_weights import PartStatistics, fuse_parts, measure_parts
from histoseek.mosaics.rarity import BACKGROUND_SLIDES, Background
from histoseek.ranking.diffusion import blend, spread
from histoseek.ranking.fit_metric import MetricSample, fit_metric
from histoseek.ranking.graph import SPARE_NEIGHBOURS, NeighbourGraph
from histoseek.ranking.metric import Metric
from histoseek.ranking.settings import DiffusionSettings, RankingSettings

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Statistics = tuple[PartStatistics, PartStatistics]


@dataclass(frozen=True, slots=True)
class FittedRanking:
    """Settings with what was fitted by them: a metric, and how the parts of the distance are added under it.

    background: what is common under it, None where the distance does not look at that.
    """

    settings: RankingSettings
    metric: Metric
    fusion: Fusion
    background: Background | None = None

    @property
    def distance(self) -> Distance:
        """With the weights of its parts."""
        distance = get_distance(self.settings.distance).with_fusion(self.fusion)
        return distance.with_background(self.background) if distance.looks_at_rarity else distance


def fit_ranking(settings: RankingSettings, slides: TuningSlides, training: Ints, seed: int = 0) -> FittedRanking:
    """Fit all that settings need on slides, int64 places: no other slide's vectors, labels or columns are looked at."""
    metric = fit_slides_metric(settings, slides, training)
    distance, mapped = get_distance(settings.distance), slides.under(metric)
    background = draw_background(mapped, training, seed) if distance.looks_at_rarity else None
    if background is not None:
        distance = distance.with_background(background)
    statistics = measure_statistics(distance, mapped, training, seed)
    return FittedRanking(settings, metric, fuse(distance, statistics, settings.local_share), background)


def draw_background(mapped: TuningSlides, training: Ints, seed: int = 0) -> Background | None:
    """Some slides of those that are fitted on, under their metric, that say what is common; None of too few."""
    if len(training) < MIN_SLIDES:
        return None
    drawn = np.random.default_rng(seed).permutation(training)[:BACKGROUND_SLIDES]
    block = mapped.block.take(drawn)
    assert block.mosaics is not None
    return Background(block.mosaics, block.mosaic_offsets)


def fit_slides_metric(settings: RankingSettings, slides: TuningSlides, training: Ints) -> Metric:
    """The metric by settings, fitted on some slides."""
    return fit_metric(
        settings,
        MetricSample(
            vectors=slides.block.global_vectors[training],
            mosaic_means=slides.mosaic_means[training],
            labels=slides.labels[training],
            owners=slides.owners[training],
            erased=slides.read_column(settings.erased, training),
            centred=slides.read_column(settings.centred, training),
        ),
    )


def build_graph(mapped: TuningSlides, database: Ints, neighbours: int) -> NeighbourGraph:
    """The neighbour graph of some slides under their metric, whose places are those in `database`."""
    vectors = mapped.block.global_vectors[database]
    return NeighbourGraph.build(vectors, mapped.owners[database], neighbours + SPARE_NEIGHBOURS)


def find_neighbours(
    graph: NeighbourGraph, settings: DiffusionSettings, mapped: TuningSlides, queries: Ints, database: Ints
) -> Doubles:
    """What neighbours say of the slides of a graph to queries, float64 [Q, C]; a query's owner is not in its graph."""
    vectors, everyone = mapped.block.global_vectors[database], np.arange(len(database), dtype=np.int64)
    parts = np.ones((len(queries), len(database)))
    for row, query in enumerate(queries.tolist()):
        left_out = mapped.owners[database] == mapped.owners[query]
        own = mapped.block.global_vectors[query]
        cosines = np.where(left_out, -np.inf, vectors @ own)
        nearest = np.argsort(-cosines, kind="stable")[: min(settings.neighbours, int((~left_out).sum()))]
        parts[row] = spread(graph, vectors, own, nearest, left_out, settings).find_parts(everyone)
    return parts


def measure_statistics(distance: Distance, mapped: TuningSlides, training: Ints, seed: int = 0) -> Statistics | None:
    """Both parts of a distance on slides drawn from these, under their metric; None where its weights are its own, or
    there are too few slides."""
    drawn = draw_pairs(mapped.owners[training], seed) if distance.name in FUSED else None
    if drawn is None:
        return None
    queries, database, allowed = drawn
    return measure_parts(*compare_parts(distance, mapped, training[queries], training[database]), allowed)


def fuse(distance: Distance, statistics: Statistics | None, local_share: float) -> Fusion:
    """The weights of a distance's parts; the stated ones where nothing is known of them."""
    return fuse_parts(*statistics, local_share) if statistics else distance.fusion


def compare_parts(distance: Distance, mapped: TuningSlides, queries: Ints, database: Ints) -> tuple[Doubles, Doubles]:
    """The local and the global part of the distances of slides, float64 [Q, C] each."""
    if distance.name == "global" and mapped.block.contexts is None:
        vectors = mapped.block.global_vectors
        apart = np.clip(1.0 - vectors[queries].astype(np.float64) @ vectors[database].T, 0.0, 2.0)
        return np.zeros_like(apart), apart
    block = mapped.block.take(database)
    parts = [distance.parts(mapped.pick(query), block) for query in queries.tolist()]
    return np.stack([local for local, _ in parts]), np.stack([global_ for _, global_ in parts])


def measure_distances(fitted: FittedRanking, slides: TuningSlides, queries: Ints, database: Ints) -> Doubles:
    """Distances of slides under a fitted ranking, float64 [Q, C], as a search of an archive of these slides would have
    them; 1 is a typical pair of other patients."""
    mapped, distance, graph = slides.under(fitted.metric), fitted.distance, fitted.settings.diffusion
    total = distance.fusion.total(*compare_parts(distance, mapped, queries, database))
    if graph is None:
        return total
    neighbours = find_neighbours(build_graph(mapped, database, graph.neighbours), graph, mapped, queries, database)
    return blend(total, neighbours, graph.share)
