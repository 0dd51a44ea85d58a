"""What a slide encoder makes of a bag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from histoseek.encoders.bag import Bag

TILES_KEPT = 16
"""Most tiles that are kept with a mosaic vector."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class MosaicPart:
    """One mosaic vector, float32 [D], and the tiles that carry it: coords int32 [T, 2], weights float32 [T].

    The tiles are those that carry most of it, largest weight first, at most TILES_KEPT; `share` is the part's own
    weight in the global vector, summing to one over the parts of a slide.
    """

    vector: Floats
    coords: NDArray[np.int32]
    weights: Floats
    share: float


@dataclass(frozen=True, slots=True)
class SlideEmbedding:
    """A slide as a global vector, float32 [D], and up to 16 mosaic parts; all vectors of length one."""

    global_vector: Floats
    parts: tuple[MosaicPart, ...]


class SlideEncoder(Protocol):
    """Turns bags into slide embeddings."""

    @property
    def name(self) -> str:
        """Name and version, part of the embedding space."""

    @property
    def input_dimension(self) -> int:
        """Dimension of the features it takes."""

    @property
    def dimension(self) -> int:
        """Dimension of global and mosaic vectors."""

    def encode(self, bag: Bag) -> SlideEmbedding:
        """The embedding of a bag of any size from one tile on."""
