"""Integer codes of tiles under which like tiles are often neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from histoseek.evaluation.systems.base import Floats, Ints

STEPS = 128
"""How many values a digit of a code has."""

_DIGITS = 3


@dataclass(frozen=True, slots=True)
class TileCoder:
    """Three digits, most significant first: between which quantiles of a sample the principal components lie.

    mean: float32 [D]; components: float32 [D, 3]; edges: float32 [3, STEPS - 1].
    """

    mean: Floats
    components: Floats
    edges: Floats

    @classmethod
    def fit(cls, tiles: Floats) -> TileCoder:
        """From a sample of tile features [T, D]."""
        mean = tiles.mean(axis=0)
        centred = (tiles - mean).astype(np.float64)
        _, vectors = np.linalg.eigh(centred.T @ centred)
        components = np.zeros((tiles.shape[1], _DIGITS), np.float32)
        leading = vectors[:, ::-1][:, :_DIGITS]
        largest = np.abs(leading).argmax(axis=0)
        components[:, : leading.shape[1]] = leading * np.sign(leading[largest, np.arange(leading.shape[1])])
        quantiles = np.quantile(centred @ components, np.arange(1, STEPS) / STEPS, axis=0).T
        return cls(mean, components, quantiles.astype(np.float32))

    @property
    def dimension(self) -> int:
        """That of the features."""
        return len(self.mean)

    def codes(self, tiles: Floats) -> Ints:
        """int64 [T], from 0 to STEPS^3 - 1."""
        projections = (tiles - self.mean) @ self.components
        digits = [np.searchsorted(edges, values) for edges, values in zip(self.edges, projections.T, strict=True)]
        return np.asarray(digits[0] * STEPS**2 + digits[1] * STEPS + digits[2], np.int64)
