"""Slide encoders of the user's own: a function from a slide's tile features to one vector."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histoseek.encoders.bag import Bag
from histoseek.encoders.published_files.identity import identify_own
from histoseek.encoders.slide.base import Floats, SlideEmbedding
from histoseek.encoders.slide.pooled import TileMosaics
from histoseek.errors import EncoderError, SpaceMismatch
from histoseek.own_code import require_own_name, running_own_code
from histoseek.statistics.clustering import normalise_rows


class OwnSlideEncoder:
    """A slide encoder made of your own function. Mosaics, for matching regions, are made of the tiles themselves.

    >>> encoder = OwnSlideEncoder("loudest", lambda tiles, places: tiles.max(0), input_dimension=3, dimension=3)
    >>> encoder.input_dimension
    3
    """

    def __init__(
        self,
        name: str,
        compute: Callable[[NDArray[np.float32], NDArray[np.int32]], Any],
        *,
        input_dimension: int,
        dimension: int,
        version: str = "1",
        weights: str | Path = "",
    ) -> None:
        """Vectors are known by name, version and weights (a file, or its hash): change one when the vectors change.

        compute: gives a vector [dimension] of a slide's features, float32 [N, input_dimension], and the places of its
        tiles, int32 [N, 2], their left and upper edges in level-0 px. Raises ConfigurationError.
        """
        require_own_name(name, taken=False)
        self.name = name
        self.version = version
        self.weights_hash = identify_own(name, version, weights)
        self.input_dimension = int(input_dimension)
        self.dimension = int(dimension)
        self._compute = compute

    @property
    def identity(self) -> str:
        """What its vectors are known by in an embedding space."""
        return f"{self.name}-{self.version}-{self.weights_hash}"

    def encode(self, bag: Bag) -> SlideEmbedding:
        """The slide's vector, of length one, without a mosaic; raises EncoderError when the code fails."""
        with running_own_code(self.name):
            vector = np.asarray(self._compute(bag.features, bag.coords), np.float32)
        if vector.shape != (self.dimension,):
            what = f"gave a vector of shape {vector.shape}, wanted {(self.dimension,)}"
            raise EncoderError(self.name, what, "Check its dimension")
        if not (np.isfinite(vector).all() and np.linalg.norm(vector) > 0):
            raise EncoderError(self.name, "yields no direction for a slide", "Check its weights")
        return SlideEmbedding(normalise_rows(vector[None])[0], ())


@dataclass(frozen=True, slots=True)
class OwnSlideFamily:
    """An own encoder as archives use it; encoder_name: the spec that names it."""

    encoder_name: str
    encoder: OwnSlideEncoder

    def build(self, centre: Floats, dimension: int) -> TileMosaics:
        """The encoder with mosaics around this centre, float32 [D]; raises SpaceMismatch for other features."""
        self.require_features(len(centre))
        return TileMosaics(self.encoder, centre)

    def require_features(self, dimension: int) -> None:
        """Raise SpaceMismatch for features of another dimension than the encoder takes."""
        mine = self.encoder.input_dimension
        if mine != dimension:
            raise SpaceMismatch(f"slide encoder {self.encoder_name}", "dimension", str(dimension), str(mine))
