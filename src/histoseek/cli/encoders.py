"""`histoseek encoders`: what can encode tiles."""

from __future__ import annotations

import json

from histoseek.cli.options import JsonOption


def encoders(as_json: JsonOption = False) -> None:
    """List the tile encoders with what each needs."""
    from histoseek.encoders.registry import encoder_cards
    from histoseek.search.results import plain

    cards = encoder_cards()
    if as_json:
        print(json.dumps(plain(cards), indent=1))
        return
    for card in cards:
        low, high = card.spacings_um_per_px
        tiles = f"tiles of {card.input_px} px at {low:g} to {high:g} um/px"
        print(f"{card.name}: {card.dimension}-d, {tiles}, {card.precision}")
        print(f"  from {card.source}, {card.licence}{', gated' if card.gated else ''}; pip extra: {card.extra}")
        print(f"  offline: {card.offline}")
