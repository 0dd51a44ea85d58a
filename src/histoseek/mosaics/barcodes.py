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
