"""Compiled kernels, or the same in plain numpy where numba is not installed, or a process has compared few slides."""

from __future__ import annotations

import threading
from collections.abc import Callable
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
"""Slides compared by a process until compiled kernels, which take seconds to import beside other work, save time."""

_compared = 0


class Kernels(Protocol):
    """What distances are made of."""

    def compute_directional_medians(self, query: Words, words: Words, offsets: Array) -> Doubles:
        """Medians of minimum Hamming distances between a query and S slides, both ways, float64 [S, 2]."""

    def compute_query_medians(self, query: Words, words: Words, offsets: Array, left_out: int = 0) -> Doubles:
        """The first of them, float64 [S], without the last `left_out` barcodes of each slide."""

    def inner_products(self, vectors: NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.float32]:
        """Inner products of vectors [S, D] with a query's [D], float32 [S]."""


class Preparation:
    """Compiled kernels, made ready by a thread of their own."""

    def __init__(self, prepare: Callable[[], Kernels]) -> None:
        self._prepare = prepare
        self._guard = threading.Lock()
        self._is_begun = False
        self._ready: Kernels | None = None

    def find(self) -> Kernels | None:
        """The kernels, None until they are ready; the first to ask begins that."""
        with self._guard:
            is_begun, self._is_begun = self._is_begun, True
        if not is_begun:
            threading.Thread(target=self._run, name="kernels").start()
        return self._ready

    def _run(self) -> None:
        self._ready = self._prepare()


def kernels_for(slides: int) -> Kernels:
    """What to compare so many slides with: both give the same numbers.

    A few slides at a time go on being compared plainly until compiled kernels are ready: on a busy server all searches
    waited ten seconds for these.
    """
    global _compared  # noqa: PLW0603
    _compared += slides
    if _compared <= _MOST_COMPARED_PLAINLY or not has_numba():
        return plain
    return _import_kernels() if slides > _MOST_COMPARED_PLAINLY else _preparation.find() or plain


def _prepare() -> Kernels:
    """Compiled for what they will be called with."""
    kernels = _import_kernels()
    barcodes, offsets, vectors = np.zeros((2, 1), np.uint64), np.arange(3), np.zeros((2, 1), np.float32)
    kernels.compute_directional_medians(barcodes, barcodes, offsets)
    kernels.inner_products(vectors, vectors[0])
    return kernels


def _import_kernels() -> Kernels:
    from histoseek.mosaics import numba_kernels

    return numba_kernels


_preparation = Preparation(_prepare)


@lru_cache(maxsize=1)
def has_numba() -> bool:
    """Whether kernels can be compiled (the extra `fast`); numba is not imported."""
    return find_spec("numba") is not None
