"""The registry of tile encoders: one line for each; what it needs is declared before any tile is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from histoseek.encoders.tile import lite0
from histoseek.encoders.tile.base import TileCard, TileEncoder
from histoseek.errors import UnknownEncoder


@dataclass(frozen=True, slots=True)
class TileEncoderFamily:
    """Tile encoders of one architecture; load: from a weights file, or None for the usual source."""

    card: TileCard
    load: Callable[[Path | None], TileEncoder]


FAMILIES: tuple[TileEncoderFamily, ...] = (TileEncoderFamily(lite0.CARD, lite0.load),)


def list_tile_cards() -> tuple[TileCard, ...]:
    """The declarations of all registered encoders."""
    return tuple(family.card for family in FAMILIES)


def find_tile_card(spec: str) -> TileCard:
    """The declaration of the encoder in `spec` ("name" or "name@/path/of/weights"); raises UnknownEncoder."""
    return _find_family(_split(spec)[0]).card


def load_tile_encoder(spec: str) -> TileEncoder:
    """Load an encoder by name, from its usual source or from the weights file named behind an @."""
    name, weights = _split(spec)
    return _find_family(name).load(weights)


def _split(spec: str) -> tuple[str, Path | None]:
    name, _, weights = spec.partition("@")
    return name, Path(weights) if weights else None


def _find_family(name: str) -> TileEncoderFamily:
    family = next((family for family in FAMILIES if family.card.name == name), None)
    if family is None:
        raise UnknownEncoder(name, tuple(family.card.name for family in FAMILIES))
    return family
