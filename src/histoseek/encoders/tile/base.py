"""What a tile encoder declares and does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from histoseek.errors import EncoderError


@dataclass(frozen=True, slots=True)
class TileCard:
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

    def batch_size(self, memory_mb: int) -> int:
        """Tiles per batch so that the encoder's working memory stays within `memory_mb`; 1 to 64."""
        return min(max(memory_mb * 2**20 // self.tile_bytes, 1), 64)

    def check_spacing(self, spacing_um_per_px: float) -> None:
        """Raise EncoderError when tiles of this spacing are outside of what the encoder is declared for."""
        low, high = self.spacings_um_per_px
        if not low <= spacing_um_per_px <= high:
            what = f"not made for tiles at {spacing_um_per_px:g} um/px"
            raise EncoderError(self.name, what, f"Give a --spacing between {low:g} and {high:g}")


class TileEncoder(Protocol):
    """A loaded tile encoder."""

    @property
    def card(self) -> TileCard:
        """Its declaration."""

    @property
    def weights_hash(self) -> str:
        """Hash of the weights in use, 16 hex digits."""

    @property
    def runtime(self) -> str:
        """What computes it: "onnx" or "torch"."""

    def encode(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features [B, dimension] of tiles [B, input_px, input_px, 3], RGB."""
