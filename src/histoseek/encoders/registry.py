"""The registry of tile encoders: what each needs is declared here, before any tile is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from histoseek.errors import EncoderError, UnknownEncoder


@dataclass(frozen=True, slots=True)
class EncoderCard:
    """What a tile encoder declares about itself.

    input_px: edge of its input tiles; spacings_um_per_px: the range it may be used at; mean and std: normalisation
    of RGB in 0..1; tile_bytes: working memory for one tile in a batch; extra: what to pip-install for it.
    """

    name: str
    version: str
    dimension: int
    input_px: int
    spacings_um_per_px: tuple[float, float]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    precision: str
    tile_bytes: int
    source: str
    licence: str
    gated: bool
    extra: str
    offline: str

    def check_spacing(self, spacing_um_per_px: float) -> None:
        """Raise EncoderError when tiles of this spacing are outside of what the encoder is declared for."""
        low, high = self.spacings_um_per_px
        if not low <= spacing_um_per_px <= high:
            what = f"not made for tiles at {spacing_um_per_px:g} um/px"
            raise EncoderError(self.name, what, f"Give a --spacing between {low:g} and {high:g}")


class TileEncoder(Protocol):
    """A loaded tile encoder."""

    @property
    def card(self) -> EncoderCard:
        """Its declaration."""

    @property
    def weights_hash(self) -> str:
        """Hash of the weights in use, 16 hex digits."""

    @property
    def runtime(self) -> str:
        """What computes it: "onnx" or "torch"."""

    def encode(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features [B, dimension] of tiles [B, input_px, input_px, 3], RGB."""


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
