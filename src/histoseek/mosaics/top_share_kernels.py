"""How well all slides fit some words, compiled by numba: cosines with each slide's tiles, and the mean of the best."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from histoseek.mosaics.numba_compile import compile_kernel, count_threads, use_threads

_CHUNK = 64
"""Slides that share one set of buffers."""

_FEW = 4
"""Vectors that are compared while the codes of tiles are unpacked; more go through a BLAS."""

_AT_ONCE = 8192
"""Tiles whose products with many vectors are in memory together."""

Array = np.ndarray[Any, Any]


@compile_kernel(inline="always")
def _average_best(similarities: Array, weights: Array, mass: float) -> float:
    """The mean of the best `mass`; the tiles are few, so the next best is looked for again and again. Changes its
    similarities."""
    left, total, taken = mass, 0.0, 0.0
    while left > 1e-12:
        best = 0
        for k in range(1, len(weights)):
            if similarities[k] > similarities[best]:
                best = k
        if similarities[best] == -np.inf:
            break
        own = min(left, float(weights[best]))
        total += own * similarities[best]
        taken += own
        left -= own
        similarities[best] = -np.inf
    return total / taken if taken > 0 else 0.0


@compile_kernel(parallel=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _fill(
    vector: Array, codes: Array, scales: Array, weights: Array, offsets: Array, masses: Array, out: Array
) -> None:
    slides, most, dimension = len(offsets) - 1, 0, codes.shape[1]
    for slide in range(slides):
        most = max(most, offsets[slide + 1] - offsets[slide])
    for chunk in numba.prange((slides + _CHUNK - 1) // _CHUNK):
        similarities = np.empty(most, np.float32)
        for slide in range(chunk * _CHUNK, min(slides, (chunk + 1) * _CHUNK)):
            first, last = offsets[slide], offsets[slide + 1]
            for tile in range(first, last):
                total = np.float32(0)
                for j in range(dimension):
                    total += np.float32(codes[tile, j]) * vector[j]
                similarities[tile - first] = total * scales[tile]
            out[slide] = _average_best(similarities[: last - first], weights[first:last], masses[slide])


@compile_kernel(parallel=True, error_model="numpy")
def _select(products: Array, weights: Array, offsets: Array, masses: Array, out: Array) -> None:
    """products: float32 [T, Q], changed."""
    for slide in numba.prange(len(offsets) - 1):
        first, last = offsets[slide], offsets[slide + 1]
        for q in range(products.shape[1]):
            out[q, slide] = _average_best(products[first:last, q], weights[first:last], masses[slide])


def fill_top_shares(
    vectors: Array, codes: Array, scales: Array, weights: Array, offsets: Array, masses: Array, out: Array
) -> None:
    """Fill out, float32 [Q, S], with the top shares of S slides for vectors [Q, J]; the tiles of slide s are those from
    offsets[s] to offsets[s + 1]."""
    use_threads(count_threads(out.shape[1]))
    vectors = np.ascontiguousarray(vectors, np.float32)
    if len(vectors) <= _FEW:
        for vector, own in zip(vectors, out, strict=True):
            _fill(vector, codes, scales, weights, offsets, masses, own)
        return
    start = 0
    while start < len(masses):
        end = max(start + 1, int(np.searchsorted(offsets, offsets[start] + _AT_ONCE, side="right")) - 1)
        tiles = slice(offsets[start], offsets[end])
        products = np.ascontiguousarray((codes[tiles].astype(np.float32) @ vectors.T) * scales[tiles, None])
        _select(
            products, weights[tiles], offsets[start : end + 1] - offsets[start], masses[start:end], out[:, start:end]
        )
        start = end
