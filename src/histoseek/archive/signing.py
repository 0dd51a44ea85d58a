"""From a bag to the signature that the archive keeps, in the archive's own space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.encoders.bag import Bag
from histoseek.encoders.recipe import Recipe
from histoseek.encoders.slide import pooled
from histoseek.encoders.space import EmbeddingSpace
from histoseek.errors import SpaceMismatch
from histoseek.mosaics.signature import MosaicTiles, Signature

CENTRE_SLIDES = 64
"""The centre is the mean of this many slides, the first of the archive, and stays."""

FEW_CENTRE_SLIDES = 8
"""With fewer, the centre is poor, and the user is told."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Signer:
    """Makes signatures in one embedding space; encoder: fingerprint of its tile encoder; centre: float32 [D]."""

    encoder: str
    centre: Floats

    def sign(self, bag: Bag) -> Signature:
        """The signature of a bag; raises SpaceMismatch for a bag of another encoder or dimension."""
        self._require_same_space(bag)
        embedding = pooled.encode_bag(bag, self.centre)
        return Signature.of(
            global_vector=embedding.global_vector,
            mosaic=np.stack([part.vector for part in embedding.parts]).astype(np.float16),
            mosaic_tiles=tuple(MosaicTiles(part.coords, part.weights) for part in embedding.parts),
            tile_size_level0=bag.tile_size_level0,
        )

    def _require_same_space(self, bag: Bag) -> None:
        if bag.encoder != self.encoder:
            raise SpaceMismatch("bag of features", "tile encoder", self.encoder, bag.encoder)
        if bag.features.shape[1] != len(self.centre):
            dimensions = str(len(self.centre)), str(bag.features.shape[1])
            raise SpaceMismatch("bag of features", "dimension", *dimensions)


@dataclass(frozen=True, slots=True)
class BagMean:
    """What fitting the centre needs of one bag: its weighted mean, float32 [D], and its encoder."""

    vector: Floats
    encoder: str

    @property
    def kind(self) -> tuple[str, int]:
        """Encoder and dimension: what bags of one space share."""
        return self.encoder, len(self.vector)

    @classmethod
    def of(cls, bag: Bag) -> BagMean:
        """The weighted mean of a bag's features."""
        return cls((bag.weights / bag.weights.sum()) @ bag.features, bag.encoder)


def fit_centre(means: Sequence[BagMean]) -> Floats:
    """The mean over slides, float32 [D]; zero for a single slide, which has no other to differ from."""
    if len(means) < 2:
        return np.zeros_like(means[0].vector)
    return np.stack([mean.vector for mean in means]).mean(axis=0, dtype=np.float64).astype(np.float32)


def space_of(encoder: str, recipe: Recipe, tile_edge_px: int, dimension: int, centre: str) -> EmbeddingSpace:
    """The embedding space of signatures made with this encoder fingerprint, recipe and centre."""
    name, _, weights = encoder.rpartition("-")
    return EmbeddingSpace(
        tile_encoder=encoder if recipe.imported else name,
        tile_encoder_weights="unknown" if recipe.imported else weights,
        tile_edge_px=tile_edge_px,
        spacing_um_per_px=recipe.spacing_um_per_px,
        slide_encoder=pooled.NAME,
        centre=centre,
        dimension=dimension,
    )
