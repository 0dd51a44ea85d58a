"""Kernels that compare a query with the global vectors of an archive, compiled by numba.

They do what `vectors[places] @ query` does, without a copy, and with no more threads than pay: those of a BLAS stay
busy for a while after each small product, and hold up what comes next.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from histoseek.mosaics.numba_compile import compile_kernel

Array = np.ndarray[Any, Any]

_SLIDES_PER_THREAD = 50_000
"""With fewer, waiting for another thread takes longer than its work."""


@compile_kernel(parallel=True)
def _products(codes: Array, query: Array, places: Array, out: Array) -> None:
    for i in numba.prange(len(places)):
        total = np.int32(0)
        row = codes[places[i]]
        for j in range(len(query)):
            total += np.int32(row[j]) * np.int32(query[j])
        out[i] = total


@compile_kernel(fastmath=True)
def _inner(vectors: Array, query: Array, places: Array, out: Array) -> None:
    for i in range(len(places)):
        total = np.float32(0)
        row = vectors[places[i]]
        for j in range(len(query)):
            total += row[j] * query[j]
        out[i] = total


def products(codes: NDArray[np.int8], query: NDArray[np.int8], places: NDArray[np.int64]) -> NDArray[np.int32]:
    """Inner products [n] of the codes [S, D] at n places with a query's [D]; D up to 130,000 can't overflow."""
    out = np.empty(len(places), np.int32)
    numba.set_num_threads(max(1, min(len(places) // _SLIDES_PER_THREAD, numba.config.NUMBA_NUM_THREADS)))
    _products(codes, query, places, out)
    return out


def inner(vectors: NDArray[np.float32], query: NDArray[np.float32], places: NDArray[np.int64]) -> NDArray[np.float32]:
    """Inner products [n] of the vectors [S, D] at n places, a few thousand, with a query's [D]."""
    out = np.empty(len(places), np.float32)
    _inner(vectors, query, places, out)
    return out
