"""Where the reference's anchors lie: at the centres of k-means clusters of tiles, at six sizes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.encoders.slide.fgcr.architecture import FgcrArchitecture
from histoseek.statistics.clustering import kmeans

_SEED = 9
_ITERATIONS = 10

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceAnchors:
    """K anchors of a slide of N tiles.

    tiles: int64 [K], the tile that each lies on; scales: int64 [K], the place of its size in the architecture's list;
    masks: float32 [K, N], how much it sees of each tile; members: for each the tiles of its cluster, int64 [T].
    """

    tiles: Ints
    scales: Ints
    masks: NDArray[np.float32]
    members: tuple[Ints, ...]


def place_reference_anchors(cells: Ints, architecture: FgcrArchitecture) -> ReferenceAnchors:
    """Anchors of tiles at these columns and rows, int64 [N, 2], in whose order ties are decided.

    At a size of s tiles there are N // s + 1 clusters, and an anchor lies on the tile nearest to a cluster's centre.
    Where that makes too many over all sizes, each keeps its share (rounded up, what is over taken from the finest),
    the largest clusters first: the reference keeps those that its k-means happens to give first.
    """
    by_scale = [_cluster(cells, scale) for scale in architecture.scales]
    kept = _share_anchors([len(clusters) for clusters in by_scale], architecture.mosaic_size)
    clusters = [each for placed, count in zip(by_scale, kept, strict=True) for each in placed[:count]]
    scales = np.repeat(np.arange(len(kept)), kept)
    tiles = np.array([tile for tile, _ in clusters], np.int64)
    return ReferenceAnchors(
        tiles, scales, _make_masks(cells, tiles, scales, architecture), tuple(m for _, m in clusters)
    )


def _cluster(cells: Ints, scale: int) -> list[tuple[int, Ints]]:
    """The tile in the middle of each cluster, and its members; the largest cluster first."""
    points = cells.astype(np.float32)
    clustering = kmeans(points, len(cells) // scale + 1, _SEED, iterations=_ITERATIONS)
    members = [np.flatnonzero(clustering.labels == number) for number in range(len(clustering.centres))]
    distances = ((points[None] - clustering.centres[:, None]) ** 2).sum(axis=2)
    middles = distances.argmin(axis=1)
    order = sorted(range(len(members)), key=lambda number: (-len(members[number]), int(middles[number])))
    return [(int(middles[number]), members[number]) for number in order]


def _share_anchors(counts: list[int], most: int) -> list[int]:
    """How many anchors each size keeps."""
    total = sum(counts)
    if total <= most:
        return counts
    kept = [math.ceil(most / total * count) for count in counts]
    excess = sum(kept) - most
    for size in range(len(kept)):
        cut = min(excess, kept[size] - 1)
        kept[size] -= cut
        excess -= cut
    return kept


def _make_masks(cells: Ints, tiles: Ints, scales: Ints, architecture: FgcrArchitecture) -> NDArray[np.float32]:
    """exp(-d^2 / (2 * tiles of the region * mask_width^2)), d in tiles."""
    squares = ((cells[tiles, None] - cells[None]) ** 2).sum(axis=2)
    areas = np.array(architecture.scales, np.float64)[scales] * architecture.mask_width**2
    return np.exp(-squares / (2 * areas[:, None])).astype(np.float32)
