"""A new embedding space: what its slide encoder needs is fitted on the first bags, or on all when it is made anew."""

from __future__ import annotations

from collections.abc import Sequence

from histoseek.archive.layout import ArchiveLayout
from histoseek.archive.space.centre import BagMean, fit_centre, write_centre
from histoseek.archive.space.signing import split_tile_encoder
from histoseek.encoders.embedding_space import EmbeddingSpace
from histoseek.encoders.recipe import Recipe
from histoseek.encoders.slide.own import OwnSlideFamily
from histoseek.encoders.slide.paired.architecture import PairedArchitecture
from histoseek.encoders.slide.registry import UNTRAINED, find_fitted_family
from histoseek.encoders.tile.registry import find_tile_card
from histoseek.encoders.weights import load_card


def make_space(recipe: Recipe, layout: ArchiveLayout, slide_encoder: str, means: Sequence[BagMean]) -> EmbeddingSpace:
    """The space of a slide encoder on such bags; an untrained one gets its centre here, written to `layout`."""
    family, mosaic_centre, mosaic_dimension = find_fitted_family(slide_encoder), "none", 0
    card = None if family else load_card(layout.weights)
    weights, dimension = ("unknown", means[0].slide_dimension)
    if card:
        weights, dimension = card.fingerprint, card.architecture.dimension
    elif isinstance(family, OwnSlideFamily):
        family.require_features(len(means[0].vector))
        weights, dimension = family.encoder.identity, family.encoder.dimension
    if card is None or not card.architecture.mosaic_size:
        centre = fit_centre(means)
        mosaic_centre, mosaic_dimension = write_centre(layout, centre), len(centre)
    if family is UNTRAINED:
        weights, dimension, mosaic_centre, mosaic_dimension = mosaic_centre, mosaic_dimension, "none", 0
    tile_encoder, tile_weights = split_tile_encoder(means[0].encoder, recipe)
    pair = card.architecture.layout if card and isinstance(card.architecture, PairedArchitecture) else None
    return EmbeddingSpace(
        tile_encoder=tile_encoder,
        tile_encoder_weights=tile_weights,
        tile_edge_px=0 if recipe.imported else find_tile_card(recipe.encoder).tile_px,
        spacing_um_per_px=recipe.spacing_um_per_px,
        slide_encoder=slide_encoder,
        slide_weights=weights,
        dimension=dimension,
        mosaic_centre=mosaic_centre,
        mosaic_dimension=mosaic_dimension,
        first_dimension=pair.first if pair else 0,
        first_share=pair.share if pair else 0.0,
    )
