"""Tiles of a slide that stand for all of them in the space of words, and how well a slide fits words by its tiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from histoseek.equality import EqualByContent
from histoseek.statistics.clustering import cluster_sample, normalise_rows

MOST_TILES = 32
"""Tiles that stand for a slide: of 256, these rank slides as all do (benchmarks/tile_words.py)."""

TOP_SHARE = 0.02
LEAST_TILES = 3
"""The part of a slide that must fit: so much of its tissue, and at least so many tiles, as one alone may be chance."""

_FORMAT = 1
_LARGEST_CODE = 127
_INT, _FLOAT = np.dtype("<i4"), np.dtype("<f4")
_HEAD = 5
_HASH_CHARACTERS = 16

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class WordTiles(EqualByContent):
    """Tiles that stand for those of a slide, as a word tower projects them.

    codes: int8 [K, J] and scales float32 [K], so that vector = code * scale, nearly, of length one; coords: int32
    [K, 2], top-left in level-0 px; weights: float32 [K], which share of the slide each stands for; edge_level0: of the
    tiles, 0 when unknown; tile_count: of all tiles of the slide; tower: the hash of the word tower, 16 characters.
    """

    codes: NDArray[np.int8]
    scales: Floats
    coords: NDArray[np.int32]
    weights: Floats
    edge_level0: int
    tile_count: int
    tower: str

    @classmethod
    def choose(cls, vectors: Floats, coords: NDArray[np.int32], weights: Floats, edge_level0: int, tower: str) -> Self:
        """From vectors [N, J] of length one of all tiles, their places and how many tiles each stands for."""
        kept, shares = choose_tiles(vectors, weights, MOST_TILES)
        codes, scales = quantise(vectors[kept])
        tower = shorten_hash(tower)
        return cls(codes, scales, coords[kept].astype(np.int32), shares, edge_level0, len(vectors), tower)

    @property
    def top_mass(self) -> float:
        """The share of the slide that counts (`find_top_mass`)."""
        return find_top_mass(self.tile_count)

    def compare(self, vectors: Floats) -> Floats:
        """Cosines [Q, K] of vectors [Q, J] of length one with the tiles."""
        return (vectors @ self.codes.T.astype(np.float32)) * self.scales

    def pack(self) -> bytes:
        """Little-endian: int32 format, K, J, edge, number of all tiles; the tower; coords, weights, scales, codes."""
        head = np.array([_FORMAT, *self.codes.shape, self.edge_level0, self.tile_count], _INT).tobytes()
        parts = (self.coords.astype(_INT), self.weights.astype(_FLOAT), self.scales.astype(_FLOAT), self.codes)
        tower = self.tower.ljust(_HASH_CHARACTERS).encode("ascii")
        return head + tower + b"".join(part.tobytes() for part in parts)

    @classmethod
    def unpack(cls, packed: bytes) -> Self:
        """What `pack` made; raises ValueError for anything else."""
        start = _HEAD * _INT.itemsize
        if len(packed) < start + _HASH_CHARACTERS:
            raise ValueError("too short for tiles in the space of words")
        kind, count, dimension, edge, tile_count = np.frombuffer(packed[:start], _INT).tolist()
        tower = packed[start : start + _HASH_CHARACTERS].decode("ascii", "replace").strip()
        body = memoryview(packed)[start + _HASH_CHARACTERS :]
        if kind != _FORMAT or count < 1 or dimension < 1 or len(body) != count * (16 + dimension):
            raise ValueError("no tiles in the space of words")
        numbers = np.frombuffer(body[: 16 * count], np.uint8)
        coords, weights, scales = numbers[: 8 * count], numbers[8 * count : 12 * count], numbers[12 * count :]
        return cls(
            codes=np.frombuffer(body[16 * count :], np.int8).reshape(count, dimension),
            scales=scales.view(_FLOAT).astype(np.float32),
            coords=coords.view(_INT).reshape(-1, 2).astype(np.int32),
            weights=weights.view(_FLOAT).astype(np.float32),
            edge_level0=edge,
            tile_count=tile_count,
            tower=tower,
        )


def shorten_hash(weights_hash: str) -> str:
    """The hash of a word tower as tiles carry it."""
    return weights_hash.encode("ascii", "replace").decode("ascii")[:_HASH_CHARACTERS].strip()


def choose_tiles(vectors: Floats, weights: Floats, count: int) -> tuple[NDArray[np.int64], Floats]:
    """Which tiles stand for all, and what share of all each stands for, float32, adding up to 1.

    One of each cluster, the nearest to its centre; weights [N]: how many tiles of the slide each stands for itself.
    """
    whole = float(weights.sum(dtype=np.float64))
    if len(vectors) <= count:
        return np.arange(len(vectors)), (weights / whole).astype(np.float32)
    clusters = cluster_sample(vectors, count, seed=0)
    sums = np.bincount(clusters.labels, weights.astype(np.float64), len(clusters.centres))
    order = np.lexsort((clusters.distances, clusters.labels))
    first = order[np.searchsorted(clusters.labels[order], np.arange(len(clusters.centres)))]
    return first, (sums / whole).astype(np.float32)


def quantise(vectors: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Vectors [K, J] of length one in eight bits each, and what a code is worth, so that they keep that length."""
    largest = np.abs(vectors).max(axis=1, initial=0)
    codes = np.rint(vectors * (_LARGEST_CODE / np.where(largest > 0, largest, 1))[:, None]).astype(np.int8)
    lengths = np.linalg.norm(codes.astype(np.float32), axis=1)
    return codes, (1 / np.maximum(lengths, 1)).astype(np.float32)


def find_top_mass(tile_count: int) -> float:
    """The share of a slide of so many tiles that must fit words: TOP_SHARE, and at least LEAST_TILES tiles."""
    return min(1.0, max(TOP_SHARE, LEAST_TILES / max(1, tile_count)))


def take_top(similarities: Floats, weights: Floats, mass: float) -> Doubles:
    """How much of each tile belongs to the best `mass` of a slide, float64 [K], adding up to 1.

    The best tiles count whole and the last of them in part; of equal ones the first. mass: above 0, of weights that
    add up to 1.
    """
    order = np.argsort(-similarities, kind="stable")
    own = weights[order].astype(np.float64)
    before = np.cumsum(own) - own
    taken = np.clip(mass - before, 0, own)
    shares = np.zeros(len(own))
    shares[order] = taken / max(float(taken.sum()), np.finfo(np.float64).tiny)
    return shares


def compute_top_share(similarities: Floats, weights: Floats, mass: float) -> float:
    """The mean similarity of the best `mass` of a slide; arguments as of `take_top`."""
    return float(take_top(similarities, weights, mass) @ similarities.astype(np.float64))


def mean_vector(vectors: Floats) -> Floats:
    """The direction of the mean of vectors [N, J], float32 [J]: of the ways in which a prompt can be put."""
    return normalise_rows(vectors.mean(axis=0, keepdims=True))[0]
