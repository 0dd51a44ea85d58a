"""How kernels are compiled by numba, and how many threads they get."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

_MANY_SLIDES = 1 << 14
"""Beyond, a second thread pays; with fewer, waking it and waiting for it costs more than it gives."""


def compile_kernel(**options: Any) -> Any:
    """numba.njit with its cache on disk, or without where no folder for it can be written."""

    def decorate(function: Any) -> Any:
        try:
            return numba.njit(cache=True, nogil=True, **options)(function)
        except RuntimeError:
            return numba.njit(nogil=True, **options)(function)

    return decorate


def freeze(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The array in one piece, as none may write to it.

    Kernels are compiled for each kind of array, which takes seconds: mapped rows are read-only, those in memory aren't.
    """
    frozen = np.ascontiguousarray(array).view()
    frozen.flags.writeable = False
    return frozen


def count_threads(slides: int) -> int:
    """How many threads pay for so many slides."""
    return 2 if slides > _MANY_SLIDES else 1


def use_threads(count: int) -> None:
    """Let the next kernel of this thread have so many threads, as far as there are."""
    numba.set_num_threads(max(1, min(count, numba.config.NUMBA_NUM_THREADS)))
