"""What a tile encoder declares and does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from histoseek.encoders.cards.card import Fact, Network, Preparation, Publication, Variant
from histoseek.errors import EncoderError


@dataclass(frozen=True, slots=True)
class TileCard:
    """What a tile encoder declares about itself, in one of its variants.

    name: with that of the variant where it is not the usual one ("midnight:cls"), and so part of the space's identity;
    spacings_um_per_px: the range it may be used at; usual_spacing_um_per_px: what its authors state first; precision:
    that a GPU computes in; tile_bytes: working memory for one tile in a batch; extra: what to pip-install for it;
    offline: how to have its weights without network; has_words: whether its text tower shares the tiles' space;
    features_only: why it can't be loaded here, "" where it can; reference: what its vectors of the reference tiles are
    known by (`encoders.inventory`), () where nobody verified any.
    """

    name: str
    version: str
    variant: Variant
    network: Network
    preparation: Preparation
    publication: Publication
    spacings_um_per_px: tuple[float, float]
    usual_spacing_um_per_px: float
    precision: str
    tile_bytes: int
    extra: str
    offline: str
    has_words: bool = False
    features_only: str = ""
    reference: tuple[float, ...] = ()
    facts: tuple[Fact, ...] = ()
    not_verified: tuple[str, ...] = ()

    @property
    def dimension(self) -> int:
        """Dimension of the features."""
        return self.variant.dimension

    @property
    def tile_px(self) -> int:
        """Edge of the tiles that are cut from a slide at its spacing."""
        return self.preparation.tile_px

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
        """What computes it, with the precision ("onnx float32"); vectors of all are comparable."""

    def encode(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features [B, dimension] of RGB tiles [B, tile_px, tile_px, 3], or of such that `prepare_ahead` has made."""
