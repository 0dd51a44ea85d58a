"""The registry of tile encoders: what each needs is declared here, before any tile is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from histoseek.encoders.tile.base import EncoderCard, TileEncoder
from histoseek.errors import UnknownEncoder


@dataclass(frozen=True, slots=True)
class _Entry:
    card: EncoderCard
    load: Callable[[Path | None], TileEncoder]


def encoder_cards() -> tuple[EncoderCard, ...]:
    """The declarations of all registered encoders."""
    return tuple(entry.card for entry in _entries().values())


def encoder_card(spec: str) -> EncoderCard:
    """The declaration of the encoder in `spec` ("name" or "name@/path/of/weights"); raises UnknownEncoder."""
    return _entry(_split(spec)[0]).card


def load_encoder(spec: str) -> TileEncoder:
    """Load an encoder by name, from its usual source or from the weights file named behind an @."""
    name, weights = _split(spec)
    return _entry(name).load(weights)


def batch_size(card: EncoderCard, memory_mb: int) -> int:
    """Tiles per batch so that the encoder's working memory stays within `memory_mb`; 1 to 64."""
    return int(np.clip(memory_mb * 2**20 // card.tile_bytes, 1, 64))


def _split(spec: str) -> tuple[str, Path | None]:
    name, _, weights = spec.partition("@")
    return name, Path(weights) if weights else None


def _entry(name: str) -> _Entry:
    entries = _entries()
    if name not in entries:
        raise UnknownEncoder(name, tuple(entries))
    return entries[name]


def _entries() -> dict[str, _Entry]:
    from histoseek.encoders.tile import lite0

    return {lite0.CARD.name: _Entry(lite0.CARD, lite0.load)}
