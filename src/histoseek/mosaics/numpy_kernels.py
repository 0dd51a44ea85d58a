"""The kernels in plain numpy, equal to the compiled ones to the last bit: comparing few slides takes far less time
than importing a compiler."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from histoseek.encoders.slide.limits import MOST_VECTORS
from histoseek.errors import ConfigurationError
from histoseek.mosaics.barcodes import Words

Array = np.ndarray[Any, Any]
Doubles = NDArray[np.float64]

MOST_BARCODES = MOST_VECTORS + 1
"""Of one slide: those of its mosaic, and of its global vector."""

LANES = 64
"""Sums that an inner product is gathered in, element i in sum i % 64; in this order by the compiled kernel, too."""

_BELOW_FLOAT32 = np.int64((1 << 29) - 1)
_HALF_WAY = np.int64(1 << 28)
_LEAST_NORMAL = float(np.finfo(np.float32).tiny)


def check_counts(offsets: Array, left_out: int = 0) -> None:
    """Raise ConfigurationError for slides without barcodes that count, and for those with too many."""
    counts = np.diff(offsets)
    if len(counts) and not left_out < counts.min() <= counts.max() <= MOST_BARCODES:
        what = f"a slide with none, or with more than {MOST_BARCODES}"
        raise ConfigurationError("barcodes", what, f"Give 1 to {MOST_VECTORS} mosaic vectors")


def compute_directional_medians(query: Words, words: Words, offsets: Array) -> Doubles:
    """As `kernels.compute_directional_medians`."""
    check_counts(offsets)
    distances = _hamming(query, words)
    nearest, counts = distances.min(axis=0), np.diff(offsets)
    own = np.empty(len(counts))
    for count in np.unique(counts):
        alike = np.flatnonzero(counts == count)
        own[alike] = np.median(nearest[offsets[alike][:, None] + np.arange(count)], axis=1)
    return np.stack([_medians_over_query(distances, offsets[:-1]), own], axis=1)


def compute_query_medians(query: Words, words: Words, offsets: Array, left_out: int = 0) -> Doubles:
    """As `kernels.compute_query_medians`."""
    check_counts(offsets, left_out)
    distances = _hamming(query, words)
    if left_out:
        ends = np.concatenate([offsets[1:] - back for back in range(1, left_out + 1)])
        distances[:, ends] = np.iinfo(distances.dtype).max
    return _medians_over_query(distances, offsets[:-1])


def inner_products(vectors: NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.float32]:
    """As `kernels.inner_products`."""
    whole = len(query) - len(query) % LANES
    sums = np.zeros((len(vectors), LANES), np.float32)
    for start in range(0, whole, LANES):
        some = slice(start, start + LANES)
        sums = multiply_add(vectors[:, some], query[some], sums)
    fours = sums.reshape(len(vectors), 4, LANES // 4)
    folded = (fours[:, 0] + fours[:, 1]) + (fours[:, 2] + fours[:, 3])
    while folded.shape[1] > 1:
        half = folded.shape[1] // 2
        folded = folded[:, :half] + folded[:, half:]
    total = folded[:, 0]
    for place in range(whole, len(query)):
        total = multiply_add(vectors[:, place], query[place], total)
    return np.asarray(total, np.float32)


def multiply_add(factor: Array, other: Array, addend: Array) -> Array:
    """factor * other + addend of float32 numbers, rounded once, as processors do it."""
    product = factor.astype(np.float64) * np.float64(other)
    addend = addend.astype(np.float64)
    wide = product + addend
    # Rounded to float64 first, a sum that is not half-way between two float32 numbers can seem to be.
    doubtful = (wide.view(np.int64) & _BELOW_FLOAT32) == _HALF_WAY
    doubtful |= np.abs(wide) < _LEAST_NORMAL
    if doubtful.any():
        wide = _round_to_odd(product, addend, wide)
    return wide.astype(np.float32)


def _round_to_odd(first: Array, second: Array, total: Array) -> Array:
    """The sum, moved to the neighbour with an odd last bit where it is not exact: that rounds as the exact sum does."""
    shifted = total - first
    rest = (first - (total - shifted)) + (second - shifted)
    inexact = (rest != 0) & ((total.view(np.int64) & 1) == 0)
    return np.where(inexact, np.nextafter(total, np.copysign(np.inf, rest)), total)


def _hamming(query: Words, words: Words) -> NDArray[np.int64]:
    """Hamming distances between barcodes [Q, W] and [T, W], int64 [Q, T]."""
    return np.stack([np.bitwise_count(own ^ words).sum(axis=1, dtype=np.int64) for own in query])


def _medians_over_query(distances: NDArray[np.int64], starts: Array) -> Doubles:
    """The median over the query's barcodes of the nearest of each slide, float64 [S]."""
    return np.asarray(np.median(np.minimum.reduceat(distances, starts, axis=1), axis=0), np.float64)
