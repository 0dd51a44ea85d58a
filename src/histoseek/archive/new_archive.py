"""What a new archive is made of: recipe and encoders as they are asked for, settled before anything is written."""

from __future__ import annotations

from dataclasses import dataclass, replace

from histoseek.arguments import settle
from histoseek.encoders.inventory.features_of import find_features_card
from histoseek.encoders.recipe import Recipe, UsualSpacing
from histoseek.encoders.slide.own import OwnSlideEncoder
from histoseek.encoders.slide.registry import name_slide_encoder, register_slide_encoder
from histoseek.encoders.text.own import OwnTextEncoder
from histoseek.encoders.text.registry import register_text_encoder, require_text_encoder
from histoseek.encoders.tile.own import OwnTileEncoder
from histoseek.encoders.tile.registry import find_tile_card, register_tile_encoder
from histoseek.encoders.weights import Weights, require_features
from histoseek.own_code import allow_own_code

DEFAULT_TEXT_ENCODER = "minilm"


@dataclass(frozen=True, slots=True)
class NewArchive:
    """What was settled; slide_encoder and text_encoder: as a manifest states them."""

    recipe: Recipe
    weights: Weights | None
    slide_encoder: str
    text_encoder: str


def settle_new_archive(
    recipe: Recipe | None,
    weights: Weights | None,
    encoder: str | OwnTileEncoder | None,
    slide_encoder: str | OwnSlideEncoder | None,
    text_encoder: str | OwnTextEncoder | None,
) -> NewArchive:
    """Settle what `Archive.create` was given, each None for the usual; own encoders are registered.

    Without a spacing, that of the tile encoder's card is taken. Raises UnknownEncoder, EncoderError,
    ConfigurationError, SpaceMismatch.
    """
    recipe = settle(recipe, Recipe | None, "recipe") or Recipe()
    weights = settle(weights, Weights | None, "weights")
    tile_spec = register_tile_encoder(encoder) if isinstance(encoder, OwnTileEncoder) else encoder
    slide_spec = register_slide_encoder(slide_encoder) if isinstance(slide_encoder, OwnSlideEncoder) else slide_encoder
    text_spec = register_text_encoder(text_encoder) if isinstance(text_encoder, OwnTextEncoder) else text_encoder
    for value, name in ((tile_spec, "encoder"), (slide_spec, "slide encoder"), (text_spec, "text encoder")):
        settle(value, str | None, name)
    recipe = recipe if tile_spec is None else replace(recipe, encoder=tile_spec)
    allow_own_code(recipe.encoder, slide_spec, text_spec)
    recipe = _settle_spacing(recipe)
    if weights:
        require_features(weights.card, recipe)
    texts = text_spec or _choose_text_encoder(weights)
    require_text_encoder(texts)
    named = name_slide_encoder(weights.card.slide_encoder if weights else None, slide_spec)
    return NewArchive(recipe, weights, named, texts)


def use_own_encoder(recipe: Recipe, encoder: str | OwnTileEncoder | None) -> Recipe:
    """The recipe of an archive with its tile encoder given again, so that this process has it; as it is without."""
    if encoder is None:
        return recipe
    spec = register_tile_encoder(encoder) if isinstance(encoder, OwnTileEncoder) else settle(encoder, str, "encoder")
    allow_own_code(spec)
    return replace(recipe, encoder=spec)


def _settle_spacing(recipe: Recipe) -> Recipe:
    """The recipe at a spacing that its encoder may be used at; that of the card where nobody gave one."""
    card = find_features_card(recipe.encoder) if recipe.imported else find_tile_card(recipe.encoder)
    if isinstance(recipe.spacing_um_per_px, UsualSpacing):
        usual = card.usual_spacing_um_per_px if card else float(recipe.spacing_um_per_px)
        recipe = replace(recipe, spacing_um_per_px=usual)
    require_spacings(recipe)
    return recipe


def _choose_text_encoder(weights: Weights | None) -> str:
    return weights.card.text.encoder if weights and weights.card.text else DEFAULT_TEXT_ENCODER


def require_spacings(recipe: Recipe) -> None:
    """Raise EncoderError for a spacing of a recipe that its tile encoder is not declared for."""
    for one in (recipe, recipe.context):
        if one and not one.imported:
            find_tile_card(one.encoder).check_spacing(one.spacing_um_per_px)
