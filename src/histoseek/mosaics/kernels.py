"""Popcount kernels over packed barcodes, compiled by numba, parallel over candidates."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from histoseek.errors import ConfigurationError
from histoseek.mosaics.barcodes import Words

MOST_BARCODES = 64
"""Most barcodes of one slide."""

_CHUNK = 256
"""Slides that share one set of buffers."""

_FAR, _ZERO = np.uint64(1 << 30), np.uint64(0)


def _compiled(**options: Any) -> Any:
    """numba.njit with its cache on disk, or without where no folder for it can be written."""

    def decorate(function: Any) -> Any:
        try:
            return numba.njit(cache=True, nogil=True, **options)(function)
        except RuntimeError:
            return numba.njit(nogil=True, **options)(function)

    return decorate


@intrinsic
def _popcount(typing: Any, word: Any) -> Any:
    """The processor's population count of a 64-bit word."""
    signature = types.uint64(types.uint64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.IntType(64)
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind]), "llvm.ctpop.i64")
        return builder.call(function, arguments)

    return signature, generate


@_compiled(inline="always")
def _median(values: np.ndarray[Any, Any], count: int) -> float:
    """Median of the first `count` values by insertion sort, which they are few enough for; sorts in place."""
    for i in range(1, count):
        value = values[i]
        j = i - 1
        while j >= 0 and values[j] > value:
            values[j + 1] = values[j]
            j -= 1
        values[j + 1] = value
    middle = count // 2
    if count % 2:
        return float(values[middle])
    return 0.5 * (values[middle - 1] + values[middle])


@_compiled(parallel=True, error_model="numpy")
def _directional_medians(
    query: np.ndarray[Any, Any], words: np.ndarray[Any, Any], offsets: np.ndarray[Any, Any], out: np.ndarray[Any, Any]
) -> None:
    slides, queries = len(offsets) - 1, len(query)
    for chunk in numba.prange((slides + _CHUNK - 1) // _CHUNK):
        nearest_to_query = np.empty(queries, np.uint64)
        nearest_to_slide = np.empty(MOST_BARCODES, np.uint64)
        for slide in range(chunk * _CHUNK, min(slides, (chunk + 1) * _CHUNK)):
            first = offsets[slide]
            count = offsets[slide + 1] - first
            nearest_to_slide[:count] = _FAR
            for i in range(queries):
                own, best = query[i], _FAR
                for j in range(count):
                    other, differing = words[first + j], _ZERO
                    for w in range(len(own)):
                        differing += _popcount(own[w] ^ other[w])
                    best = min(best, differing)
                    nearest_to_slide[j] = min(nearest_to_slide[j], differing)
                nearest_to_query[i] = best
            out[slide, 0] = _median(nearest_to_query, queries)
            out[slide, 1] = _median(nearest_to_slide, count)


def directional_medians(query: Words, words: Words, offsets: np.ndarray[Any, Any], threads: int = 2) -> Any:
    """Medians of minimum Hamming distances between a query and S slides, float64 [S, 2].

    query: uint64 [Q, W]; words: uint64 [total, W], the barcodes of slide s at offsets[s]:offsets[s + 1]. Column 0 is
    the median over the query's barcodes of the nearest of the slide, column 1 the other way round. A slide has at
    most MOST_BARCODES barcodes, and at least one.
    """
    if len(offsets) > 1 and not 0 < np.diff(offsets).min() <= np.diff(offsets).max() <= MOST_BARCODES:
        raise ConfigurationError(
            "barcodes", f"a slide with none, or with more than {MOST_BARCODES}", "Give 1 to 63 mosaic vectors"
        )
    out = np.empty((len(offsets) - 1, 2), np.float64)
    numba.set_num_threads(max(1, min(threads, numba.config.NUMBA_NUM_THREADS)))
    _directional_medians(np.ascontiguousarray(query), np.ascontiguousarray(words), offsets, out)
    return out
