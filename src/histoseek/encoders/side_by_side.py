"""Two spaces as one: vectors behind each other, so that cosines are weighted means of the cosines in each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histoseek.errors import ConfigurationError
from histoseek.statistics.clustering import normalise_rows

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Where two spaces lie in one: first, second: their dimensions; share: of the first in cosines.

    A vector is [sqrt(share) u, sqrt(1 - share) v] for unit vectors u and v, so it is of length one, and the cosine of
    two is share * cos(u, u') + (1 - share) * cos(v, v'). Raises ConfigurationError for a share that is not between 0
    and 1.
    """

    first: int
    second: int
    share: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ConfigurationError("--share", f"{self.share} is not between 0 and 1", "Give one such as 0.5")

    @property
    def dimension(self) -> int:
        """That of the vectors."""
        return self.first + self.second

    @property
    def shares(self) -> tuple[float, float]:
        """Of both spaces in cosines, one in sum."""
        return self.share, 1 - self.share

    def join(self, first: Floats, second: Floats) -> Floats:
        """Unit vectors [N, first] and [N, second] as unit vectors [N, first + second]."""
        scales = (np.float32(math.sqrt(share)) for share in self.shares)
        return np.concatenate([scale * part for scale, part in zip(scales, (first, second), strict=True)], axis=1)

    def cut(self, vectors: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """The numbers of vectors [N, first + second] that are of each space, as they are."""
        return vectors[..., : self.first], vectors[..., self.first :]

    def split(self, vectors: Floats) -> tuple[Floats, Floats]:
        """The unit vectors [N, first] and [N, second] that vectors were joined of."""
        first, second = self.cut(vectors)
        return normalise_rows(first), normalise_rows(second)
