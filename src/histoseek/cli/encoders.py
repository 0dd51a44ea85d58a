"""`histoseek encoders`: what can encode tiles and texts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from histoseek.cli.options import JsonOption

if TYPE_CHECKING:
    from histoseek.encoders.text.base import TextCard
    from histoseek.encoders.tile.base import TileCard


def encoders(as_json: JsonOption = False) -> None:
    """List the tile and text encoders with what each needs."""
    from histoseek.encoders.text.registry import list_text_cards
    from histoseek.encoders.tile.registry import list_tile_cards
    from histoseek.jsonable import plain

    if as_json:
        print(json.dumps({"tile": plain(list_tile_cards()), "text": plain(list_text_cards())}, indent=1))
        return
    print("tile encoders (--encoder):")
    for card in list_tile_cards():
        low, high = card.spacings_um_per_px
        tiles = f"tiles of {card.input_px} px at {low:g} to {high:g} um/px"
        _show(card, f"{card.dimension}-d, {tiles}, {card.precision}")
    print("text encoders (--text-encoder):")
    for text in list_text_cards():
        _show(text, f"{text.dimension}-d, {text.context_tokens} tokens at once, {text.pooling} pooling")
    print("  transformers@/folder: any transformers model from a local folder")


def _show(card: TileCard | TextCard, what: str) -> None:
    print(f"  {card.name}: {what}")
    print(f"    from {card.source}, {card.licence}{', gated' if card.gated else ''}; pip extra: {card.extra}")
    print(f"    offline: {card.offline}")
