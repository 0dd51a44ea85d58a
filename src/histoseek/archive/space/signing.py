"""From a bag to the signature that the archive keeps, in the archive's own space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.bags import BagStore
from histoseek.archive.layout import ArchiveLayout
from histoseek.archive.space.centre import read_centre
from histoseek.encoders.bag import Bag
from histoseek.encoders.embedding_space import EmbeddingSpace
from histoseek.encoders.recipe import Recipe
from histoseek.encoders.slide.base import SlideEncoder
from histoseek.encoders.slide.own import OwnSlideFamily
from histoseek.encoders.slide.pooled import TileMosaics, pool_bag
from histoseek.encoders.slide.registry import find_fitted_family
from histoseek.encoders.weights import load_weights
from histoseek.errors import DamagedArchive, SpaceMismatch
from histoseek.mosaics.signature import MosaicTiles, Signature


@dataclass(frozen=True, slots=True)
class Signer:
    """Makes signatures in one embedding space; tile_encoder: fingerprint of what made its features; one_space: whether
    global vectors lie in the space of mosaics; context_centre: float32 [D], subtracted from features at the coarser
    spacing, None in an archive of one spacing."""

    tile_encoder: str
    slide_encoder: SlideEncoder
    one_space: bool = True
    context_centre: NDArray[np.float32] | None = None

    def sign(self, bag: Bag, context: Bag | None = None) -> Signature:
        """The signature of a bag, and of the one at the coarser spacing, where there is one.

        There tiles are pooled without training: slide encoders were trained at the finer one. Raises SpaceMismatch for
        a bag of another encoder or dimension.
        """
        self._require_same_space(bag, self.slide_encoder.input_dimension)
        embedding = self.slide_encoder.encode(bag)
        return Signature.create(
            global_vector=embedding.global_vector,
            mosaic=np.stack([part.vector for part in embedding.parts]).astype(np.float16),
            shares=np.array([part.share for part in embedding.parts], np.float32),
            mosaic_tiles=tuple(MosaicTiles(part.coords, part.weights) for part in embedding.parts),
            tile_size_level0=bag.tile_size_level0,
            context=self._pool(context),
            one_space=self.one_space,
        )

    def _pool(self, context: Bag | None) -> NDArray[np.float32] | None:
        if context is None or self.context_centre is None:
            return None
        self._require_same_space(context, len(self.context_centre))
        return pool_bag(context, self.context_centre)

    def _require_same_space(self, bag: Bag, expected: int) -> None:
        if bag.encoder != self.tile_encoder:
            raise SpaceMismatch("bag of features", "tile encoder", self.tile_encoder, bag.encoder)
        actual = bag.features.shape[1]
        if expected != actual:
            raise SpaceMismatch("bag of features", "dimension", str(expected), str(actual))


def sign_cached(layout: ArchiveLayout, signer: Signer, slide_id: str) -> Signature:
    """The signature of a slide from its cached bags; raises BadFeatureFile, SpaceMismatch."""
    bags = BagStore(layout)
    context = None if signer.context_centre is None else bags.load_context(slide_id)
    return signer.sign(bags.load(slide_id), context)


def build_signer(layout: ArchiveLayout, space: EmbeddingSpace, recipe: Recipe) -> Signer:
    """What makes signatures in the space of this layout; raises DamagedArchive when its files are not the space's."""
    suffix = "" if recipe.imported else f"-{space.tile_encoder_weights}"
    encoder = _slide_encoder(layout, space)
    centre = read_centre(layout.context_centre, space.context_centre) if space.has_context else None
    return Signer(space.tile_encoder + suffix, encoder, not space.has_tile_mosaics, centre)


def _slide_encoder(layout: ArchiveLayout, space: EmbeddingSpace) -> SlideEncoder:
    fitted = find_fitted_family(space.slide_encoder)
    if isinstance(fitted, OwnSlideFamily) and fitted.encoder.identity != space.slide_weights:
        raise SpaceMismatch(
            f"slide encoder {space.slide_encoder}", "weights", space.slide_weights, fitted.encoder.identity
        )
    if fitted:
        return fitted.build(read_centre(layout.centre, space.centre), space.dimension)
    weights = load_weights(layout.weights)
    if weights.card.fingerprint != space.slide_weights:
        raise DamagedArchive(layout.weights, "other weights than the embedding space's")
    encoder = weights.build_slide_encoder()
    return TileMosaics(encoder, read_centre(layout.centre, space.centre)) if space.has_tile_mosaics else encoder


def split_tile_encoder(encoder: str, recipe: Recipe) -> tuple[str, str]:
    """Name and weights hash of a tile encoder from the fingerprint that its bags carry."""
    if recipe.imported:
        return encoder, "unknown"
    name, _, weights = encoder.rpartition("-")
    return name, weights
