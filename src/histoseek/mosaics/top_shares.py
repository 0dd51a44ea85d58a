"""How well all slides of an archive fit some words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from histoseek.mosaics.kernel_choice import has_numba
from histoseek.mosaics.tile_words import WordTiles, find_top_mass

_MOST_PLAINLY, _MOST_SCORES = 1 << 11, 1 << 17
"""Slides, and slides times vectors, up to which a compiled kernel, which takes time to import, saves none."""

_AT_ONCE = 512
"""Slides whose codes are unpacked together."""

_ONE_VECTOR = 1e-9
"""A share of a slide that its best vector has alone."""

_DECIMALS = 6
"""Processors add up in another order: slides with the same tiles must come out the same."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """Vectors of S slides in eight bits, one slide behind the other: codes int8 [T, J], scales and weights float32 [T],
    offsets int64 [S + 1], and the share of each slide that counts, masses float64 [S].

    They are of tiles in the space of words, or those of mosaics."""

    codes: NDArray[np.int8]
    scales: Floats
    weights: Floats
    offsets: NDArray[np.int64]
    masses: NDArray[np.float64]

    @classmethod
    def join(cls, tiles: Sequence[WordTiles], dimension: int) -> Self:
        """Of slides in this order; dimension: of the space of words."""
        counts = [len(own.scales) for own in tiles]
        none = np.empty(0, np.float32)
        return cls(
            codes=np.concatenate([np.empty((0, dimension), np.int8), *(own.codes for own in tiles)]),
            scales=np.concatenate([none, *(own.scales for own in tiles)]),
            weights=np.concatenate([none, *(own.weights for own in tiles)]),
            offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            masses=np.array([find_top_mass(own.tile_count) for own in tiles], np.float64),
        )

    def __len__(self) -> int:
        return len(self.masses)

    def measure(self, vectors: Floats) -> Floats:
        """The top share of each slide for each vector (`tile_words.compute_top_share`), float32 [Q, S]."""
        out = np.empty((len(vectors), len(self)), np.float32)
        if not out.size:
            return out
        if (len(self) > _MOST_PLAINLY or out.size > _MOST_SCORES) and has_numba():
            from histoseek.mosaics.top_share_kernels import fill_top_shares

            fill_top_shares(vectors, self.codes, self.scales, self.weights, self.offsets, self.masses, out)
        else:
            for start in range(0, len(self), _AT_ONCE):
                self.take_run(start, start + _AT_ONCE)._fill_plainly(vectors, out[:, start : start + _AT_ONCE])
        return np.round(out, _DECIMALS)

    def find_best(self, vectors: Floats) -> Floats:
        """The largest product of each vector with those of each slide, float32 [Q, S]."""
        if (len(self) > _MOST_PLAINLY or len(self) * len(vectors) > _MOST_SCORES) and has_numba():
            return replace(self, masses=np.full(len(self), _ONE_VECTOR)).measure(vectors)
        out = np.empty((len(vectors), len(self)), np.float32)
        for start in range(0, len(self), _AT_ONCE):
            own = self.take_run(start, start + _AT_ONCE)
            products = (own.codes.astype(np.float32) @ vectors.T) * own.scales[:, None]
            out[:, start : start + _AT_ONCE] = np.maximum.reduceat(products, own.offsets[:-1], axis=0).T
        return np.round(out, _DECIMALS)

    def take_run(self, start: int, end: int) -> Self:
        """The slides from a place on, up to before another."""
        offsets = self.offsets[start : end + 1]
        tiles = slice(offsets[0], offsets[-1])
        parts = self.codes[tiles], self.scales[tiles], self.weights[tiles]
        return type(self)(*parts, offsets - offsets[0], self.masses[start:end])

    def _fill_plainly(self, vectors: Floats, out: Floats) -> None:
        """Slides with as many tiles together."""
        products = (self.codes.astype(np.float32) @ vectors.T) * self.scales[:, None]
        counts = np.diff(self.offsets)
        for count in np.unique(counts):
            slides = np.flatnonzero(counts == count)
            places = self.offsets[slides][:, None] + np.arange(count)
            similarities, weights = products[places].transpose(2, 0, 1), self.weights[places].astype(np.float64)
            order = np.argsort(-similarities, axis=-1, kind="stable")
            own = np.take_along_axis(np.broadcast_to(weights, similarities.shape), order, -1)
            taken = np.clip(self.masses[slides][:, None] - (np.cumsum(own, -1) - own), 0, own)
            best = np.take_along_axis(similarities, order, -1)
            out[:, slides] = (taken * best).sum(-1) / np.maximum(taken.sum(-1), np.finfo(np.float64).tiny)
