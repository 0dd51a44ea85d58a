"""Barcodes: the signs of a vector's successive differences, packed into 64-bit words (Kalra et al. 2020)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from histoseek.errors import ConfigurationError

Words = NDArray[np.uint64]


def count_barcode_words(dimension: int) -> int:
    """How many 64-bit words hold the D - 1 bits of a vector of this dimension."""
    return -(-(dimension - 1) // 64)


def make_barcodes(vectors: NDArray[np.floating]) -> Words:
    """Barcodes [K, ceil((D-1)/64)] of vectors [K, D], D >= 2: bit j says whether v[j+1] - v[j] < 0.

    Bit j is bit j % 64, least significant first, of word j // 64; unused bits are zero. Give the vectors as they
    are stored (float16 for mosaics), so that stored vectors and barcodes agree.
    """
    if vectors.ndim != 2 or vectors.shape[1] < 2:
        raise ConfigurationError("barcodes", f"vectors of shape {vectors.shape}", "Give [K, D] with D >= 2")
    bits = vectors[:, 1:] < vectors[:, :-1]
    padded = np.zeros((len(bits), count_barcode_words(vectors.shape[1]) * 64), np.uint8)
    padded[:, : bits.shape[1]] = bits
    return np.packbits(padded, axis=1, bitorder="little").view("<u8").astype(np.uint64, copy=False)


def cut_barcodes(words: Words, first: int, dimension: int, rows: NDArray[np.int64] | slice = slice(None)) -> Words:
    """From barcodes [K, W] of vectors those of some of their numbers, [K, ceil((dimension - 1) / 64)]: of `dimension`
    numbers from `first` on, as `make_barcodes` would give them; rows: of which vectors."""
    place, shift = divmod(first, 64)
    count = count_barcode_words(dimension)
    cut = words[:, place : place + count][rows] >> np.uint64(shift)
    if shift:
        following = words[:, place + 1 : place + 1 + count][rows]
        cut[:, : following.shape[1]] |= following << np.uint64(64 - shift)
    if (dimension - 1) % 64:
        cut[:, -1] &= np.uint64((1 << (dimension - 1) % 64) - 1)
    return cut


def count_first_vectors(barcodes: Words, offsets: NDArray[np.int64], dimension: int) -> NDArray[np.int64]:
    """How many of each slide's mosaic vectors are those of the first of two encoders, int64 [S].

    barcodes: of S slides' mosaics [T, W], those of slide s at offsets[s]:offsets[s + 1], first encoder first;
    dimension: of the first encoder's vectors. Where its numbers lie, vectors of the second are zero and have no bit.
    Each encoder has one vector at least, so that a barcode without any bit is not mistaken for a whole mosaic.
    """
    counts = np.diff(offsets)
    if not len(counts):
        return counts
    whole, rest = divmod(dimension - 1, 64)
    has_bit = barcodes[:, :whole].any(axis=1)
    if rest:
        has_bit |= (barcodes[:, whole] & np.uint64((1 << rest) - 1)) != 0
    places = np.arange(1, len(barcodes) + 1) - np.repeat(offsets[:-1], counts)
    return np.clip(np.maximum.reduceat(np.where(has_bit, places, 0), offsets[:-1]), 1, counts - 1)


def mark_first_rows(offsets: NDArray[np.int64], firsts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of T rows are among the first of their slide, bool [T]; firsts: how many of each slide, int64 [S]."""
    counts = np.diff(offsets)
    return np.arange(offsets[-1]) - np.repeat(offsets[:-1], counts) < np.repeat(firsts, counts)
