"""The training-free slide encoder: a mosaic of spherical k-means clusters and a pooled global vector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.clustering import kmeans, unit_rows
from histoseek.encoders.bag import Bag

NAME = "pooled-1"
"""Name and version, part of the embedding space."""

MOSAIC_SIZE = 16
TILES_KEPT = 16
_SEED = 17

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class MosaicPart:
    """One mosaic vector, float32 [D], and the tiles that carry it: coords int32 [T, 2], weights float32 [T].

    The tiles are those nearest to the vector, at most TILES_KEPT; weights are their cosines to it, summing to one.
    """

    vector: Floats
    coords: NDArray[np.int32]
    weights: Floats


@dataclass(frozen=True, slots=True)
class SlideEmbedding:
    """A slide as a global vector, float32 [D], and up to MOSAIC_SIZE mosaic parts; all vectors of length one."""

    global_vector: Floats
    parts: tuple[MosaicPart, ...]


def encode_bag(bag: Bag, centre: Floats) -> SlideEmbedding:
    """Encode a bag without training; `centre` [D] is subtracted from every feature first.

    The mosaic holds the directions of the clusters' weighted means, largest cluster first; the global vector is the
    direction of the weighted mean of all tiles. A slide with fewer than MOSAIC_SIZE distinct tiles has fewer parts.
    """
    centred = bag.features - centre
    unit = unit_rows(centred)
    groups = kmeans(unit, MOSAIC_SIZE, _SEED, spherical=True)
    mass = np.bincount(groups.labels, weights=bag.weights)
    order = np.argsort(-mass, kind="stable")
    parts = tuple(_part(bag, unit, np.flatnonzero(groups.labels == group)) for group in order)
    return SlideEmbedding(_direction(centred, bag.weights), parts)


def _part(bag: Bag, unit: Floats, members: NDArray[np.int64]) -> MosaicPart:
    vector = _direction(unit[members], bag.weights[members])
    cosines = unit[members] @ vector
    nearest = np.argsort(-cosines, kind="stable")[:TILES_KEPT]
    shares = np.maximum(cosines[nearest], 1e-6)
    return MosaicPart(vector, bag.coords[members[nearest]], (shares / shares.sum()).astype(np.float32))


def _direction(rows: Floats, weights: Floats) -> Floats:
    mean = (weights / weights.sum()) @ rows
    return unit_rows(mean[None])[0]
