"""`histoseek encoders`: the models that encode tiles and texts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from histoseek.cli.options import JsonOption

if TYPE_CHECKING:
    from histoseek.encoders.text.base import TextCard
    from histoseek.encoders.tile.base import TileCard


def encoders(as_json: JsonOption = False) -> None:
    """List the tile and text encoders, and what each of them needs."""
    from histoseek.encoders.text.registry import list_text_cards
    from histoseek.encoders.tile.registry import list_tile_cards
    from histoseek.jsonable import plain

    if as_json:
        print(json.dumps({"tile": plain(list_tile_cards()), "text": plain(list_text_cards())}, indent=1))
        return
    print("tile encoders (--encoder):")
    for card in list_tile_cards():
        low, high = card.spacings_um_per_px
        tiles = f"tiles of {card.tile_px} px at {low:g} to {high:g} µm/px"
        _print_card(card, f"{card.dimension}-d, {tiles}, {card.precision}")
        print(f"    from {card.publication.repository}, {card.publication.licence}{_gated(card.publication.gated)}")
    print("text encoders (--text-encoder):")
    for text in list_text_cards():
        _print_card(text, f"{text.dimension}-d, {text.context_tokens} tokens per text, {text.pooling} pooling")
        print(f"    from {text.source}, {text.licence}{_gated(text.gated)}")
    print("  transformers@/folder: any transformers model from a local folder")


def _print_card(card: TileCard | TextCard, summary: str) -> None:
    print(f"  {card.name}: {summary}")
    print(f"    pip extra: {card.extra or 'none'}; offline: {card.offline}")


def _gated(gated: bool) -> str:
    return ", gated" if gated else ""
