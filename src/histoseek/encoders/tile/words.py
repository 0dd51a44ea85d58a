"""Text towers in the tiles' space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class WordTower(Protocol):
    """Brings texts and the features of a tile encoder into one space, in which their cosine says how well they fit."""

    @property
    def dimension(self) -> int:
        """Dimension of that space."""

    @property
    def weights_hash(self) -> str:
        """Hash of the weights in use, 16 hex digits."""

    @property
    def logit_scale(self) -> float:
        """By which cosines were multiplied in training, before the softmax over texts."""

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """Vectors [B, dimension] of length one; what is longer than the tower's context is cut."""

    def project_tiles(self, features: Floats) -> Floats:
        """Vectors [N, dimension] of length one of tile features [N, D], as the encoder gives them."""
