"""The mosaic of a slide as Yottixel makes it (Kalra et al. 2020): some tiles of each cluster, spread over its area."""

from __future__ import annotations

import math

import numpy as np

from histoseek.encoders.bag import UNKNOWN_POSITION, Bag
from histoseek.evaluation.systems.base import Ints
from histoseek.statistics.clustering import kmeans

_CLUSTERS = 9
_SHARE = 0.15
_LEAST_OF_CLUSTER = 5
_ITERATIONS = 10


def select_mosaic_tiles(bag: Bag, seed: int) -> Ints:
    """Which tiles make the mosaic, int64 [m], sorted: 15 % of each of nine clusters, but five (or all) at least.

    Yottixel clusters tiles by colour. Of a bag only features are left, so they are clustered instead. Its minimum is
    one tile of a cluster; ours is five, as bags here are samples of 256 tiles by default and not whole slides.
    """
    labels = kmeans(bag.features, _CLUSTERS, seed, iterations=_ITERATIONS).labels
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    return np.sort(np.concatenate([_spread_tiles(bag, cluster, seed) for cluster in members]))


def _spread_tiles(bag: Bag, members: Ints, seed: int) -> Ints:
    """Of a cluster's tiles those nearest to the centres of k-means on their positions; any where none are known."""
    count = max(_LEAST_OF_CLUSTER, math.ceil(_SHARE * len(members)))
    if count >= len(members):
        return members
    positions = bag.coords[members].astype(np.float32)
    if (positions == UNKNOWN_POSITION).all():
        return np.random.default_rng(seed).choice(members, count, replace=False)
    areas = kmeans(positions, count, seed, iterations=_ITERATIONS)
    nearest_first = np.lexsort((areas.distances, areas.labels))
    _, first_of_area = np.unique(areas.labels[nearest_first], return_index=True)
    return members[nearest_first[first_of_area]]
