"""The training-free slide encoder: a mosaic of spherical k-means clusters and a pooled global vector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.encoders.bag import Bag
from histoseek.encoders.slide.base import TILES_KEPT, Floats, MosaicPart, SlideEmbedding, SlideEncoder, prefer_witnesses
from histoseek.statistics.clustering import kmeans, normalise_rows

NAME = "pooled-1"
"""Name and version, part of the embedding space."""

MOSAIC_SIZE = 16
_SEED = 17


@dataclass(frozen=True, slots=True)
class PooledEncoder:
    """The encoder of an archive that was not trained; centre: float32 [D], subtracted from every feature first."""

    centre: Floats
    name: str = NAME

    @property
    def input_dimension(self) -> int:
        """That of the features."""
        return len(self.centre)

    @property
    def dimension(self) -> int:
        """That of the features."""
        return len(self.centre)

    def encode(self, bag: Bag) -> SlideEmbedding:
        """Encode a bag."""
        return encode_bag(bag, self.centre)

    def encode_tiles(self, features: Floats) -> Floats:
        """Each tile as a slide that has no other."""
        return normalise_rows(features - self.centre)


class PooledFamily:
    """The encoders of archives that were not trained."""

    encoder_name = NAME

    def build(self, centre: Floats, dimension: int) -> PooledEncoder:
        """The encoder for features around this centre, float32 [D]."""
        return PooledEncoder(centre)


@dataclass(frozen=True, slots=True)
class TileMosaics:
    """An encoder of whole slides, with mosaics of the tiles themselves; centre: float32 [D], that of their features."""

    slides: SlideEncoder
    centre: Floats

    @property
    def name(self) -> str:
        """That of the encoder of whole slides."""
        return self.slides.name

    @property
    def input_dimension(self) -> int:
        """That of the features."""
        return self.slides.input_dimension

    @property
    def dimension(self) -> int:
        """Of global vectors."""
        return self.slides.dimension

    def encode(self, bag: Bag) -> SlideEmbedding:
        """A vector of the slide, and parts in the space of its tiles."""
        return SlideEmbedding(self.slides.encode(bag).global_vector, encode_bag(bag, self.centre).parts)


def encode_bag(bag: Bag, centre: Floats) -> SlideEmbedding:
    """Encode a bag without training; `centre` [D] is subtracted from every feature first.

    The mosaic holds the directions of the clusters' weighted means, that with most tissue first; tiles that are mostly
    glass are shown for one only where it has no others; the global vector is the direction of the weighted mean of all
    tiles. A slide with fewer than MOSAIC_SIZE distinct tiles has fewer parts.
    """
    centred = bag.features - centre
    unit = normalise_rows(centred)
    groups = kmeans(unit, MOSAIC_SIZE, _SEED, spherical=True)
    mass = _weigh_groups(groups.labels, bag)
    order = np.argsort(-mass, kind="stable")
    shares = mass[order] / mass.sum()
    parts = tuple(
        _part(bag, unit, np.flatnonzero(groups.labels == group), float(share))
        for group, share in zip(order, shares, strict=True)
    )
    return SlideEmbedding(_direction(centred, bag.weights), parts)


def pool_bag(bag: Bag, centre: Floats) -> Floats:
    """The direction of the weighted mean of all tiles, float32 [D], once `centre` [D] is subtracted."""
    return _direction(bag.features - centre, bag.weights)


def _part(bag: Bag, unit: Floats, members: NDArray[np.int64], share: float) -> MosaicPart:
    vector = _direction(unit[members], bag.weights[members])
    cosines = unit[members] @ vector
    nearest = np.argsort(-cosines, kind="stable")
    nearest = prefer_witnesses(nearest, bag.is_witness[members])[:TILES_KEPT]
    weights = np.maximum(cosines[nearest], 1e-6)
    return MosaicPart(vector, bag.coords[members[nearest]], (weights / weights.sum()).astype(np.float32), share)


def _weigh_groups(labels: NDArray[np.int64], bag: Bag) -> NDArray[np.float64]:
    """The tissue of each group of tiles; their tiles where all are bare."""
    tissue = np.bincount(labels, weights=bag.tissue_weights)
    return np.asarray(tissue if (tissue > 0).all() else np.bincount(labels, weights=bag.weights), np.float64)


def _direction(rows: Floats, weights: Floats) -> Floats:
    mean = (weights / weights.sum()) @ rows
    return normalise_rows(mean[None])[0]
