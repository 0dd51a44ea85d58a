"""The encoder that feature files name, as far as there is a card of it, and whether their features can be its."""

from __future__ import annotations

from pathlib import Path

from histoseek.encoders.cards.catalogue import list_tile_models
from histoseek.encoders.features.facts import is_same_encoder, strip_encoder
from histoseek.encoders.tile import registry
from histoseek.encoders.tile.base import TileCard
from histoseek.errors import OtherFeatures

_SHOWN = 5


def find_features_card(encoder: str) -> TileCard | None:
    """The card of the encoder that features are called after, however they spell it; None where there is none."""
    cards = _list_cards(encoder)
    return cards[0] if cards else None


def are_features_alike(stated: str, encoder: str) -> bool:
    """Whether features called by two names are of one encoder in one variant: "UNI_v1" and "uni:cls", the usual one."""
    if is_same_encoder(stated, encoder):
        return True
    mine, other = find_features_card(stated), find_features_card(encoder)
    return mine is not None and other is not None and mine.name == other.name


def require_card_dimension(path: Path | str, encoder: str, dimension: int) -> None:
    """Raise OtherFeatures for features of a dimension that the encoder they are called after does not give."""
    cards = _list_cards(encoder)
    if not cards or any(card.dimension == dimension for card in cards):
        return
    same = {model.name for model in list_tile_models() if any(each.dimension == dimension for each in model.variants)}
    same |= {family.card.name for family in registry.FAMILIES if family.card.dimension == dimension}
    others = sorted(same)
    like = f", as {', '.join(others[:_SHOWN])}{' and others' if len(others) > _SHOWN else ''} gives" if others else ""
    given = " or ".join(dict.fromkeys(str(card.dimension) for card in cards))
    raise OtherFeatures(path, "dimension", f"{dimension}{like}", f"{given}, as {cards[0].name} gives")


def _list_cards(encoder: str) -> list[TileCard]:
    """The variants that a name may mean: the one that it names, or all."""
    name = strip_encoder(encoder)
    if not name:
        return []
    cards = [family.card for family in registry.FAMILIES if is_same_encoder(name, family.card.name)]
    for model in list_tile_models():
        variants = [registry.make_tile_card(model, variant) for variant in model.variants]
        named = [card for card in variants if is_same_encoder(name, f"{model.name}:{card.variant.name}")]
        cards += named or (variants if is_same_encoder(name, model.name) else [])
    return cards
