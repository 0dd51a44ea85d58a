"""Random signatures, and distances between them by naive double loops."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Callable, Sequence

import numpy as np

from histoseek.mosaics.signature import MosaicTiles, Signature

Naive = Callable[[Signature, Signature], tuple[float, float]]


def uniform(count: int) -> np.ndarray:
    return np.full(count, 1 / count, np.float32)


def signature_of(mosaic: np.ndarray, global_vector: np.ndarray) -> Signature:
    tiles = tuple(MosaicTiles(np.zeros((1, 2), np.int32), np.ones(1, np.float32)) for _ in mosaic)
    return Signature.create(
        global_vector.astype(np.float32), mosaic.astype(np.float16), uniform(len(tiles)), tiles, 224
    )


def make_signature(rng: np.random.Generator, count: int, dimension: int) -> Signature:
    vectors = rng.standard_normal((count + 1, dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return signature_of(vectors[:-1], vectors[-1])


def bits(vector: np.ndarray) -> list[bool]:
    return [bool(b < a) for a, b in itertools.pairwise(vector)]


def bags(signature: Signature) -> list[list[bool]]:
    return [bits(vector) for vector in signature.mosaic] + [bits(signature.global_vector)]


def median_of_minima(query: list[list[bool]], other: list[list[bool]]) -> float:
    return statistics.median(min(sum(a != b for a, b in zip(one, two, strict=True)) for two in other) for one in query)


def cosine(one: np.ndarray, two: np.ndarray) -> float:
    a, b = one.astype(float), two.astype(float)
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def mean_of_maxima(query: Signature, other: Signature) -> float:
    return statistics.mean(max(cosine(one, two) for two in other.mosaic) for one in query.mosaic)


def half_the_bits(signature: Signature) -> float:
    return (len(signature.global_vector) - 1) / 2


def naive_symmetric(query: Signature, other: Signature) -> tuple[float, float]:
    there, back = median_of_minima(bags(query), bags(other)), median_of_minima(bags(other), bags(query))
    return (there + back) / 2 / half_the_bits(query), 1 - cosine(query.global_vector, other.global_vector)


def naive_maxsim(query: Signature, other: Signature) -> tuple[float, float]:
    both = (mean_of_maxima(query, other) + mean_of_maxima(other, query)) / 2
    return 1 - both, 1 - cosine(query.global_vector, other.global_vector)


def mean_of_closest(query: Signature, other: Signature) -> float:
    """Of the best quarter of the maxima, which is rounded: 1 of 5, 2 of 6, 4 of 16."""
    maxima = sorted((max(cosine(one, two) for two in other.mosaic) for one in query.mosaic), reverse=True)
    return statistics.mean(maxima[: max(1, math.floor(len(maxima) / 4 + 0.5))])


def naive_closest(query: Signature, other: Signature) -> tuple[float, float]:
    both = (mean_of_closest(query, other) + mean_of_closest(other, query)) / 2
    return 1 - both, 1 - cosine(query.global_vector, other.global_vector)


def largest_cosine(vector: np.ndarray, slide: Signature) -> float:
    return max(cosine(vector, other) for other in slide.mosaic)


def list_common(query: Signature, background: Sequence[Signature] = ()) -> list[float]:
    """How near half of some slides come to each vector of a mosaic; nothing is common without such slides."""
    return [
        max(0.0, statistics.median([largest_cosine(vector, slide) for slide in background] or [0]))
        for vector in query.mosaic
    ]


def naive_rare(query: Signature, other: Signature, common: Sequence[float] | None = None) -> tuple[float, float]:
    """common: as `list_common` gives it."""
    missed = [
        1 - max(0.0, (largest_cosine(vector, other) - half) / (1 - half))
        for vector, half in zip(query.mosaic, list_common(query) if common is None else common, strict=True)
    ]
    return statistics.mean(missed), 1 - cosine(query.global_vector, other.global_vector)


def naive_global(query: Signature, other: Signature) -> tuple[float, float]:
    return 0.0, 1 - cosine(query.global_vector, other.global_vector)


def naive_contained(query: Signature, other: Signature) -> tuple[float, float]:
    found = median_of_minima(bags(query)[:-1], bags(other)[:-1]) / half_the_bits(query)
    return found, 1 - cosine(query.global_vector, other.global_vector)


def naive_paper(query: Signature, other: Signature) -> tuple[float, float]:
    apart = np.linalg.norm(query.global_vector.astype(float) - other.global_vector.astype(float))
    return median_of_minima(bags(query), bags(other)), float(apart)


NAIVE: dict[str, Naive] = {
    "symmetric": naive_symmetric,
    "maxsim": naive_maxsim,
    "closest": naive_closest,
    "rare": naive_rare,
    "global": naive_global,
    "contained": naive_contained,
    "pathsearch-paper": naive_paper,
}
