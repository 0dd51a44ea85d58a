"""Kernels that compare a query with the global vectors of an archive, compiled by numba.

They do what `vectors[places] @ query` does, without a copy, and with no more threads than pay: those of a BLAS stay
busy for a while after each small product, and hold up what comes next.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from histoseek.mosaics.numba_compile import compile_kernel, freeze

Array = np.ndarray[Any, Any]

_SIGNS_PER_THREAD = 50_000
_CODES_PER_THREAD = 10_000
"""Slides: with fewer, waiting for another thread takes longer than its work."""

_PARTS_PER_THREAD = 4
"""So that one that is held up leaves the rest to others."""


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


@intrinsic  # type: ignore[misc, unused-ignore]
def _count_bits(typing: Any, word: Any) -> Any:
    """How many bits of a word are set."""
    return types.uint64(types.uint64), lambda _, builder, __, arguments: builder.ctpop(arguments[0])


@compile_kernel(parallel=True)
def _sum_opposed(signs: Array, planes: Array, places: Array, least: int, out: Array, numbers: Array) -> None:
    """Fill in the sum of each place, [n], and how many of each part of the places have each sum, [parts, sums]."""
    first, second, third, fourth = planes
    for part in numba.prange(len(numbers)):
        own = numbers[part]
        for i in range(part * len(places) // len(numbers), (part + 1) * len(places) // len(numbers)):
            row = signs[places[i]]
            ones, total = np.uint64(0), np.uint64(0)
            # Four sums of their own let the processor count eight words at once.
            for j in range(len(first)):
                word = row[j]
                ones += _count_bits(word)
                total += _count_bits(word & first[j])
                total += _count_bits(word & second[j]) << np.uint64(1)
                total += _count_bits(word & third[j]) << np.uint64(2)
                total += _count_bits(word & fourth[j]) << np.uint64(3)
            opposed = np.int64(2) * np.int64(total) - np.int64(15) * np.int64(ones) - least
            out[i] = opposed
            own[opposed] += 1


@compile_kernel(parallel=True)
def _list_least(sums: Array, places: Array, most: int, starts: Array, out: Array) -> None:
    """Put the places whose sums are at most so much one after the other, those of each part from its start on."""
    parts = len(starts)
    for part in numba.prange(parts):
        end = starts[part]
        for i in range(part * len(places) // parts, (part + 1) * len(places) // parts):
            if sums[i] <= most:
                out[end] = places[i]
                end += 1


def screen(
    signs: NDArray[np.uint64], planes: NDArray[np.uint64], places: NDArray[np.int64], count: int
) -> NDArray[np.int64]:
    """Those of n places, at least `count` of them, whose signs [S, W] oppose a query's numbers least, which are given
    by their bits, [P, W], lowest first; and all that oppose as little as the last of those."""
    threads = _use_threads(len(places), _SIGNS_PER_THREAD)
    most = ((1 << len(planes)) - 1) * 64 * planes.shape[1]
    sums = np.empty(len(places), np.uint32)
    numbers = np.zeros((_PARTS_PER_THREAD * threads, 2 * most + 1), np.int32)
    _sum_opposed(freeze(signs), tuple(freeze(plane) for plane in planes), places, -most, sums, numbers)
    least = int(np.searchsorted(np.cumsum(numbers.sum(axis=0)), count))
    ends = np.cumsum(numbers[:, : least + 1].sum(axis=1))
    out = np.empty(int(ends[-1]), np.int64)
    _list_least(sums, places, least, np.concatenate([[0], ends[:-1]]), out)
    return out


def products(codes: NDArray[np.int8], query: NDArray[np.int8], places: NDArray[np.int64]) -> NDArray[np.int32]:
    """Inner products [n] of the codes [S, D] at n places with a query's [D]; D up to 130,000 can't overflow."""
    out = np.empty(len(places), np.int32)
    _use_threads(len(places), _CODES_PER_THREAD)
    _products(codes, query, places, out)
    return out


def inner(vectors: NDArray[np.float32], query: NDArray[np.float32], places: NDArray[np.int64]) -> NDArray[np.float32]:
    """Inner products [n] of the vectors [S, D] at n places, a few thousand, with a query's [D]."""
    out = np.empty(len(places), np.float32)
    _inner(vectors, query, places, out)
    return out


def _use_threads(slides: int, each: int) -> int:
    """Let kernels have a thread for each so many slides, as far as there are; gives how many."""
    threads = max(1, min(slides // each, numba.config.NUMBA_NUM_THREADS))
    numba.set_num_threads(threads)
    return int(threads)
