"""Which tiles of a slide a training step sees: some of every kind, the typical and the random."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.statistics.clustering import cluster_sample
from histoseek.training.slides.settings import CLUSTERS

EVALUATION = 0
"""The draw that evaluation uses, the same every time; training draws are the epochs, from 1."""

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TileClusters:
    """The tiles of a slide by kind: order, int32 [N], cluster after cluster, nearest to the centre first;
    starts, int64 [K + 1]: where in it each cluster begins."""

    order: NDArray[np.int32]
    starts: Ints

    @property
    def sizes(self) -> Ints:
        """Tiles in each cluster, none of them empty."""
        return np.diff(self.starts)


def cluster_tiles(features: NDArray[np.float32], slide_id: str, seed: int) -> TileClusters:
    """Group the tiles of a slide, float32 [N, D], by k-means; fewer than CLUSTERS groups when few are distinct."""
    groups = cluster_sample(features, CLUSTERS, int(_random(seed, EVALUATION, slide_id).integers(2**31)))
    order = np.lexsort((groups.distances, groups.labels)).astype(np.int32)
    sizes = np.bincount(groups.labels, minlength=len(groups.centres))
    return TileClusters(order, np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64))


def sample_tiles(clusters: TileClusters, tiles: int, slide_id: str, seed: int, draw: int) -> Ints:
    """The tiles of one draw, int64 [min(tiles, N)], ascending and each once; tiles >= CLUSTERS.

    One from every cluster and a share by cluster size (PathSearch, arXiv 2510.23224); the larger half of a
    cluster's quota are those nearest to its centre, the rest random. Depends on seed, draw and slide only.
    """
    if tiles >= len(clusters.order):
        return np.arange(len(clusters.order))
    rng = _random(seed, draw, slide_id)
    chosen = []
    for begin, end, quota in zip(clusters.starts[:-1], clusters.starts[1:], quotas(clusters.sizes, tiles), strict=True):
        typical = begin + quota - quota // 2
        others = rng.choice(clusters.order[typical:end], quota // 2, replace=False)
        chosen.append(np.concatenate([clusters.order[begin:typical], others]))
    return np.sort(np.concatenate(chosen)).astype(np.int64)


def quotas(sizes: Ints, total: int) -> Ints:
    """How many of each cluster, summing to `total`, for K <= total < N: one each, the rest by what is left in each.

    Largest remainders round; no quota exceeds its cluster.
    """
    left = sizes - 1
    ideal = (total - len(sizes)) * left / left.sum()
    quota = np.floor(ideal).astype(np.int64)
    short = total - len(sizes) - int(quota.sum())
    quota[np.argsort(quota - ideal, kind="stable")[:short]] += 1
    return quota + 1


def _random(seed: int, draw: int, slide_id: str) -> np.random.Generator:
    words = np.frombuffer(hashlib.sha256(slide_id.encode()).digest()[:16], np.uint32)
    return np.random.default_rng([seed, draw, *(int(word) for word in words)])
