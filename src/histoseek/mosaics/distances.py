"""Distances between a query and many slides."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from histoseek.errors import ConfigurationError
from histoseek.mosaics.barcodes import Words
from histoseek.mosaics.signature import Signature

Doubles = NDArray[np.float64]

PAPER_GLOBAL_WEIGHT = 200.0
DEFAULT_DISTANCE = "symmetric"


@dataclass(frozen=True, slots=True)
class SignatureBlock:
    """Signatures of S slides side by side, as far as ranking needs them.

    barcodes: uint64 [total, W]; offsets: int64 [S + 1], where each slide's barcodes begin; global_vectors:
    float32 [S, D]; squares: float64 [S], their squared lengths where known already.
    """

    barcodes: Words
    offsets: NDArray[np.int64]
    global_vectors: NDArray[np.float32]
    squares: Doubles | None = None

    def __len__(self) -> int:
        return len(self.global_vectors)

    def take(self, places: NDArray[np.int64]) -> SignatureBlock:
        """The slides at these places, in this order."""
        counts = (self.offsets[1:] - self.offsets[:-1])[places]
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        words = np.arange(offsets[-1]) + np.repeat(self.offsets[:-1][places] - offsets[:-1], counts)
        return SignatureBlock(
            self.barcodes[words],
            offsets,
            self.global_vectors[places],
            None if self.squares is None else self.squares[places],
        )

    @classmethod
    def of(cls, barcodes: Sequence[Words], global_vectors: NDArray[np.float32]) -> SignatureBlock:
        """From each slide's barcodes [M_s + 1, W] and the global vectors [S, D]."""
        offsets = np.concatenate([[0], np.cumsum([len(words) for words in barcodes])]).astype(np.int64)
        joined = np.concatenate(barcodes) if len(barcodes) else np.zeros((0, 1), np.uint64)
        return cls(joined, offsets, global_vectors)


@dataclass(frozen=True, slots=True)
class Distances:
    """Distances of S slides from a query, float64 [S]: in all, and the local (mosaic) and global parts."""

    total: Doubles
    local: Doubles
    global_: Doubles


DistanceFunction = Callable[[Signature, SignatureBlock], Distances]


def pathsearch_paper(query: Signature, block: SignatureBlock) -> Distances:
    """The distance of PathSearch (arXiv 2510.23224): median over the query's barcodes of the minimum Hamming
    distance to the slide's, plus 200 times the Euclidean distance of the global vectors. Not symmetric."""
    local = _medians(query, block)[:, 0]
    squares = squared_lengths(block.global_vectors) if block.squares is None else block.squares
    cross = (block.global_vectors @ query.global_vector).astype(np.float64)
    own = float(query.global_vector.astype(np.float64) @ query.global_vector)
    apart = np.sqrt(np.maximum(squares + own - 2 * cross, 0))
    return Distances(local + PAPER_GLOBAL_WEIGHT * apart, local, apart)


def symmetric(query: Signature, block: SignatureBlock) -> Distances:
    """The mean of a local and a global part, each about 1 for unrelated slides and 0 for the same.

    Local: mean of both directional medians of minimum Hamming distances, over half the number of bits. Global:
    cosine distance. Equal from both sides.
    """
    half_the_bits = 0.5 * (len(query.global_vector) - 1)
    local = _medians(query, block).mean(axis=1) / half_the_bits
    apart = _cosine_distances(query, block)
    return Distances(0.5 * (local + apart), local, apart)


def squared_lengths(vectors: NDArray[np.float32]) -> Doubles:
    """Squared lengths of vectors [S, D], summed in float64."""
    squares: Doubles = np.einsum("sd,sd->s", vectors, vectors, dtype=np.float64)
    return squares


DISTANCES: Mapping[str, DistanceFunction] = MappingProxyType(
    {"symmetric": symmetric, "pathsearch-paper": pathsearch_paper}
)


def get_distance(name: str) -> DistanceFunction:
    """The distance of this name; raises ConfigurationError naming the known ones."""
    if name not in DISTANCES:
        raise ConfigurationError(name, "no such distance", f"Known are: {', '.join(DISTANCES)}")
    return DISTANCES[name]


def _medians(query: Signature, block: SignatureBlock) -> Doubles:
    from histoseek.mosaics.kernels import directional_medians

    medians: Doubles = directional_medians(query.barcodes, block.barcodes, block.offsets)
    return medians


def _cosine_distances(query: Signature, block: SignatureBlock) -> Doubles:
    return np.clip(1.0 - (block.global_vectors @ query.global_vector).astype(np.float64), 0.0, 2.0)
