"""Attention maps: which tiles of a slide its vectors look at, and which of them made a score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.encoders.bag import UNKNOWN_POSITION
from histoseek.equality import EqualByContent
from histoseek.mosaics.contributions import VectorPairs
from histoseek.mosaics.signature import MosaicTiles, Signature

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class AttentionMap(EqualByContent):
    """Weights of T tiles: coords int32 [T, 2], each tile once, top-left in level-0 px; edge_level0: the tiles' edge in
    px; weights float64 [T]."""

    coords: NDArray[np.int32]
    edge_level0: int
    weights: Doubles

    def __len__(self) -> int:
        return len(self.weights)


@dataclass(frozen=True, slots=True, eq=False)
class SlideAttention(EqualByContent):
    """Where the M mosaic vectors of a slide lie, and what each gave a score.

    tiles: M of them, the 8 to 16 tiles that carry each vector most (fewer where it has fewer); shares: float32 [M], the
    vectors' weights in the global one; contributed: float64 [M], shares of the score, pairs with the vector of a whole
    slide left out; edge_level0: of the tiles in px, 0 when unknown.
    """

    tiles: tuple[MosaicTiles, ...]
    shares: NDArray[np.float32]
    contributed: Doubles
    edge_level0: int

    def attention(self) -> AttentionMap:
        """Each tile's weight in the vectors times the vectors' shares, summed over the vectors."""
        return self._map(self.shares.astype(np.float64))

    def contribution(self) -> AttentionMap:
        """Each tile's weight in the vectors times what these gave the score: below 0 where the slides differ more than
        unrelated ones do."""
        return self._map(self.contributed)

    def _map(self, by_vector: Doubles) -> AttentionMap:
        coords = np.concatenate([part.coords for part in self.tiles])
        each = [part.weights * weight for part, weight in zip(self.tiles, by_vector, strict=True)]
        placed = (coords != UNKNOWN_POSITION).all(axis=1) & (self.edge_level0 > 0)
        places, tile = np.unique(coords[placed], axis=0, return_inverse=True)
        return AttentionMap(
            places, self.edge_level0, _sum_by_place(tile.reshape(-1), np.concatenate(each)[placed], len(places))
        )


@dataclass(frozen=True, slots=True, eq=False)
class Attention:
    """Of the query's slide and of the result's."""

    query: SlideAttention
    result: SlideAttention


def map_attention(query: Signature, result: Signature, pairs: VectorPairs) -> Attention:
    """Where both slides' vectors lie and what they gave by these pairs."""
    return Attention(_attend(query, pairs.queries, pairs.shares), _attend(result, pairs.results, pairs.shares))


def _attend(signature: Signature, vectors: NDArray[np.int64], shares: Doubles) -> SlideAttention:
    count = len(signature.mosaic)
    contributed = _sum_by_place(vectors, shares, count + 1)[:count]
    return SlideAttention(signature.mosaic_tiles, signature.shares, contributed, signature.tile_size_level0)


def _sum_by_place(places: NDArray[np.int64], values: Doubles, count: int) -> Doubles:
    """Sums of the values [n] at each of `count` places."""
    return np.asarray(np.bincount(places, values, minlength=count), np.float64)
