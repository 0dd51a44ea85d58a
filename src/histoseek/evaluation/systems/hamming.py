"""Median of minimum Hamming distances between sets of barcodes of any size, compiled where numba is installed.

The kernel of `histoseek.mosaics` is faster, and made for the few barcodes of our own mosaics.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histoseek.evaluation.systems.base import Ints
from histoseek.mosaics.barcodes import Words
from histoseek.mosaics.kernel_choice import has_numba
from histoseek.settings import get_settings

Array = np.ndarray[Any, Any]

_PAIRS, _NIBBLES, _BYTES, _SUM = (
    np.uint64(word) for word in (0x5555555555555555, 0x3333333333333333, 0x0F0F0F0F0F0F0F0F, 0x0101010101010101)
)
_ONE, _TWO, _FOUR, _LAST_BYTE = (np.uint64(shift) for shift in (1, 2, 4, 56))


def medians_of_minima(query: Words, words: Words, offsets: Ints) -> NDArray[np.float64]:
    """float64 [S]: median over the query's barcodes [Q, W] of the least Hamming distance to a slide's.

    The barcodes of slide s are words[offsets[s]:offsets[s + 1]], at least one.
    """
    if not has_numba():
        nearest = [np.minimum.reduceat(_distances(own, words), offsets[:-1]) for own in query]
        return np.asarray(np.median(nearest, axis=0), np.float64)
    import numba

    most = numba.config.NUMBA_NUM_THREADS
    numba.set_num_threads(min(get_settings().threads or most, most))
    return np.asarray(np.median(_compile()(np.ascontiguousarray(query.T), words, offsets), axis=1), np.float64)


def _distances(barcode: Words, words: Words) -> NDArray[np.int64]:
    return np.asarray(np.bitwise_count(barcode ^ words).sum(axis=1, dtype=np.int64))


@lru_cache(maxsize=1)
def _compile() -> Any:
    """The kernel: least distances of slides to each of the query's barcodes, uint64 [S, Q], of a query [W, Q]."""
    import numba

    from histoseek.mosaics.numba_compile import compile_kernel

    @compile_kernel(parallel=True, error_model="numpy")
    def minima(query: Array, words: Array, offsets: Array) -> Any:
        width, count = query.shape
        nearest = np.full((len(offsets) - 1, count), np.uint64(64 * width))
        for slide in numba.prange(len(offsets) - 1):
            for row in range(offsets[slide], offsets[slide + 1]):
                distances = np.zeros(count, np.uint64)
                for place in range(width):
                    word = words[row, place]
                    for column in range(count):
                        # Bits are counted by sums of ever wider fields, which compilers turn into vector instructions.
                        apart = query[place, column] ^ word
                        apart = apart - ((apart >> _ONE) & _PAIRS)
                        apart = (apart & _NIBBLES) + ((apart >> _TWO) & _NIBBLES)
                        apart = (apart + (apart >> _FOUR)) & _BYTES
                        distances[column] += (apart * _SUM) >> _LAST_BYTE
                for column in range(count):
                    nearest[slide, column] = min(nearest[slide, column], distances[column])
        return nearest

    return minima
