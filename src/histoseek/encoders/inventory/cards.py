"""The card of any encoder by its name, whatever it encodes."""

from __future__ import annotations

from histoseek.encoders.cards.card import SlideModelCard
from histoseek.encoders.cards.catalogue import list_slide_models
from histoseek.encoders.text.base import TextCard
from histoseek.encoders.text.registry import list_text_cards
from histoseek.encoders.tile.base import TileCard
from histoseek.encoders.tile.registry import find_tile_card, list_tile_cards
from histoseek.errors import UnknownEncoder


def find_any_card(name: str) -> TileCard | TextCard | SlideModelCard:
    """The card of a tile encoder ("name:variant"), else of a slide or text encoder; raises UnknownEncoder."""
    others: dict[str, TextCard | SlideModelCard] = {card.name: card for card in list_text_cards()}
    others |= {model.name: model for model in list_slide_models()}
    try:
        return find_tile_card(name)
    except UnknownEncoder as error:
        if name in others:
            return others[name]
        raise UnknownEncoder(name, (*(card.name for card in list_tile_cards()), *others)) from error
