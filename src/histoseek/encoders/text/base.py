"""What a text encoder declares and does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Pooling = Literal["mean", "cls"]


@dataclass(frozen=True, slots=True)
class TextCard:
    """What a text encoder declares about itself.

    dimension of its vectors; context_tokens: most tokens it reads at once, special ones included; pooling: how token
    vectors become one ("mean" over real tokens, or that of the first, "cls"); extra: what to pip-install for it.
    """

    name: str
    version: str
    dimension: int
    context_tokens: int
    pooling: Pooling
    source: str
    licence: str
    gated: bool
    extra: str
    offline: str


class TextEncoder(Protocol):
    """A loaded text encoder."""

    @property
    def card(self) -> TextCard:
        """Its declaration."""

    @property
    def weights_hash(self) -> str:
        """Hash of the weights in use, 16 hex digits."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors [B, dimension] of length one; texts longer than the context are read in overlapping windows, and
        the direction of the windows' mean stands for them. Raises InputError for an empty text."""
