"""A query compared with the global vectors of an archive: by compiled kernels where numba is installed, else by numpy.

Codes give the same numbers either way; inner products of vectors differ in their last bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.stores.rows import make_planes
from histoseek.mosaics.kernel_choice import has_numba

_BLOCK = 4096
"""Slides whose codes are made numbers of 32 bits at once."""

_EXACT = 1024
"""Elements of codes whose products, up to 127 x 127 each, a float32 sums without rounding."""

_MANY_TIMES = 4
"""A look at one bit a number pays where it leaves at most a quarter."""


def products(codes: NDArray[np.int8], query: NDArray[np.int8], places: NDArray[np.int64]) -> NDArray[np.int32]:
    """Inner products [n] of the codes [S, D] at n places with a query's [D]; D up to 130,000 can't overflow."""
    if has_numba():
        from histoseek.search.retrieve import numba_scan

        return numba_scan.products(codes, query, places)
    out = np.zeros(len(places), np.int32)
    for start in range(0, len(places), _BLOCK):
        rows = slice(start, start + _BLOCK)
        block = codes[places[rows]]
        for first in range(0, len(query), _EXACT):
            part = slice(first, first + _EXACT)
            out[rows] += (block[:, part].astype(np.float32) @ query[part].astype(np.float32)).astype(np.int32)
    return out


def inner(vectors: NDArray[np.float32], query: NDArray[np.float32], places: NDArray[np.int64]) -> NDArray[np.float32]:
    """Inner products [n] of the vectors [S, D] at n places, a few thousand, with a query's [D]."""
    if has_numba():
        from histoseek.search.retrieve import numba_scan

        return numba_scan.inner(vectors, query, places)
    return np.asarray(vectors[places] @ query, np.float32)


def screen(
    signs: NDArray[np.uint64], query: NDArray[np.float32], places: NDArray[np.int64], count: int
) -> NDArray[np.int64]:
    """Those of n places, at least `count` of them, whose signs [S, W] let one expect the largest inner products with a
    query's vector [D]; all of them without numba, or where they are not many more."""
    if len(places) < _MANY_TIMES * count or not has_numba():
        return places
    from histoseek.search.retrieve import numba_scan

    return numba_scan.screen(signs, make_planes(query), places, count)
