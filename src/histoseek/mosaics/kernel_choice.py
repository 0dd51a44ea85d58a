"""Compiled kernels, or the same in plain numpy where numba is not installed, or a process has compared few slides."""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from histoseek.mosaics import numpy_kernels as plain
from histoseek.mosaics.barcodes import Words

Array = np.ndarray[Any, Any]
Doubles = NDArray[np.float64]

_MOST_COMPARED_PLAINLY = 4096
"""Slides compared by a process until compiled kernels, which take half a second to import, save time."""

_compared = 0


class Kernels(Protocol):
    """What distances are made of."""

    def compute_directional_medians(self, query: Words, words: Words, offsets: Array) -> Doubles:
        """Medians of minimum Hamming distances between a query and S slides, both ways, float64 [S, 2]."""

    def compute_query_medians(self, query: Words, words: Words, offsets: Array, left_out: int = 0) -> Doubles:
        """The first of them, float64 [S], without the last `left_out` barcodes of each slide."""

    def inner_products(self, vectors: NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.float32]:
        """Inner products of vectors [S, D] with a query's [D], float32 [S]."""


def kernels_for(slides: int) -> Kernels:
    """What to compare so many slides with: both give the same numbers."""
    global _compared  # noqa: PLW0603
    _compared += slides
    if _compared <= _MOST_COMPARED_PLAINLY or not has_numba():
        return plain
    from histoseek.mosaics import numba_kernels as kernels

    return kernels


@lru_cache(maxsize=1)
def has_numba() -> bool:
    """Whether kernels can be compiled (the extra `fast`); numba is not imported."""
    return find_spec("numba") is not None
