"""From a bag to the signature that the archive keeps, in the archive's own space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from histoseek.archive.layout import ArchiveLayout
from histoseek.archive.space.centre import read_centre
from histoseek.encoders.bag import Bag
from histoseek.encoders.embedding_space import EmbeddingSpace
from histoseek.encoders.recipe import Recipe
from histoseek.encoders.slide.base import SlideEncoder
from histoseek.encoders.slide.pooled import TileMosaics
from histoseek.encoders.slide.registry import find_fitted_family
from histoseek.encoders.weights import load_weights
from histoseek.errors import DamagedArchive, SpaceMismatch
from histoseek.mosaics.signature import MosaicTiles, Signature


@dataclass(frozen=True, slots=True)
class Signer:
    """Makes signatures in one embedding space; tile_encoder: fingerprint of what made its features; one_space: whether
    global vectors lie in the space of mosaics."""

    tile_encoder: str
    slide_encoder: SlideEncoder
    one_space: bool = True

    def sign(self, bag: Bag) -> Signature:
        """The signature of a bag; raises SpaceMismatch for a bag of another encoder or dimension."""
        self._require_same_space(bag)
        embedding = self.slide_encoder.encode(bag)
        return Signature.create(
            global_vector=embedding.global_vector,
            mosaic=np.stack([part.vector for part in embedding.parts]).astype(np.float16),
            shares=np.array([part.share for part in embedding.parts], np.float32),
            mosaic_tiles=tuple(MosaicTiles(part.coords, part.weights) for part in embedding.parts),
            tile_size_level0=bag.tile_size_level0,
            one_space=self.one_space,
        )

    def _require_same_space(self, bag: Bag) -> None:
        if bag.encoder != self.tile_encoder:
            raise SpaceMismatch("bag of features", "tile encoder", self.tile_encoder, bag.encoder)
        expected, actual = self.slide_encoder.input_dimension, bag.features.shape[1]
        if expected != actual:
            raise SpaceMismatch("bag of features", "dimension", str(expected), str(actual))


def build_signer(layout: ArchiveLayout, space: EmbeddingSpace, recipe: Recipe) -> Signer:
    """What makes signatures in the space of this layout; raises DamagedArchive when its files are not the space's."""
    suffix = "" if recipe.imported else f"-{space.tile_encoder_weights}"
    encoder = _slide_encoder(layout, space)
    return Signer(space.tile_encoder + suffix, encoder, one_space=not space.has_tile_mosaics)


def _slide_encoder(layout: ArchiveLayout, space: EmbeddingSpace) -> SlideEncoder:
    fitted = find_fitted_family(space.slide_encoder)
    if fitted:
        return fitted.build(read_centre(layout, space.centre), space.dimension)
    weights = load_weights(layout.weights)
    if weights.card.fingerprint != space.slide_weights:
        raise DamagedArchive(layout.weights, "other weights than the embedding space's")
    encoder = weights.build_slide_encoder()
    return TileMosaics(encoder, read_centre(layout, space.centre)) if space.has_tile_mosaics else encoder


def split_tile_encoder(encoder: str, recipe: Recipe) -> tuple[str, str]:
    """Name and weights hash of a tile encoder from the fingerprint that its bags carry."""
    if recipe.imported:
        return encoder, "unknown"
    name, _, weights = encoder.rpartition("-")
    return name, weights
