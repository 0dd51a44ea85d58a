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


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reading of a text gives, all of length one: vector, float32 [dimension], the whole text's, and
    passages, float32 [P, dimension], those of its passages."""

    vector: NDArray[np.float32]
    passages: NDArray[np.float32]


class TextEncoder(Protocol):
    """A loaded text encoder."""

    @property
    def card(self) -> TextCard:
        """Its declaration."""

    @property
    def weights_hash(self) -> str:
        """Hash of the weights in use, 16 hex digits."""

    @property
    def engine(self) -> str:
        """What computes it, and in which precision; vectors of different engines are comparable."""

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors [B, dimension] of length one; texts longer than the context are read in overlapping windows, and
        the direction of the windows' mean stands for them. Raises InputError for an empty text."""

    def read(self, texts: Sequence[Sequence[str]]) -> list[Reading]:
        """Texts, each given as its passages in order, at least one with words, are read once, and have the vectors of
        whole and passages. Raises InputError for a text without words."""
