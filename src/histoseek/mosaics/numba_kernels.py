"""Popcounts over packed barcodes and inner products of vectors, compiled by numba, parallel over candidates."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from histoseek.mosaics.barcodes import Words
from histoseek.mosaics.numba_compile import compile_kernel, count_threads, freeze, use_threads
from histoseek.mosaics.numpy_kernels import LANES, MOST_BARCODES, check_counts

_CHUNK = 256
"""Slides that share one set of buffers."""

_LANES = 8
"""64-bit words in one vector of the kernel; processors with narrower registers get several instructions."""

_TRIPLE = 3
"""Vectors of the query's barcodes that are compared together: as many as the usual 17 fill."""

_WORD_BYTES = 8
_FLOAT_BYTES = 4
_SUMS = 4
"""Vectors that an inner product is gathered in: as many as hide how long each addition takes."""

_FAR = np.uint64(1 << 30)

Array = np.ndarray[Any, Any]


def _make_nearest(groups: int) -> Any:
    """An intrinsic that compares `groups` times eight of the query's barcodes with one of a slide."""

    def compare(typing: Any, query: Any, step: Any, barcode: Any, words: Any, nearest: Any) -> Any:
        """XOR, population count and sum in vectors.

        query: address of word 0 of the first eight, whose word w follows w * `step` vectors later; the other groups
        lie behind them; barcode: address of the slide's; words: how many; nearest: address of the minima so far,
        brought up to date. Returns the least distance.
        """
        signature = types.uint64(types.uintp, types.intp, types.uintp, types.intp, types.uintp)
        return signature, lambda _, builder, __, arguments: _build_comparison(builder, groups, *arguments)

    return intrinsic(compare)


def _build_comparison(builder: Any, groups: int, query: Any, step: Any, barcode: Any, words: Any, nearest: Any) -> Any:
    word, lane = ir.IntType(64), ir.IntType(32)
    vector = ir.VectorType(word, _LANES)
    query, nearest = (builder.inttoptr(place, vector.as_pointer()) for place in (query, nearest))
    barcode = builder.inttoptr(barcode, word.as_pointer())
    totals = [cgutils.alloca_once(builder, vector) for _ in range(groups)]
    for total in totals:
        builder.store(ir.Constant(vector, [0] * _LANES), total)
    with cgutils.for_range(builder, words) as loop:
        one = builder.load(builder.gep(barcode, [loop.index]))
        spread = builder.insert_element(ir.Constant(vector, ir.Undefined), one, ir.Constant(lane, 0))
        everywhere = ir.Constant(ir.VectorType(lane, _LANES), [0] * _LANES)
        spread = builder.shuffle_vector(spread, ir.Constant(vector, ir.Undefined), everywhere)
        row = builder.gep(query, [builder.mul(loop.index, step)])
        for group, total in enumerate(totals):
            own = _load(builder, builder.gep(row, [ir.Constant(word, group)]))
            counts = _call(builder, "llvm.ctpop.v8i64", vector, builder.xor(own, spread))
            builder.store(builder.add(builder.load(total), counts), total)
    least = None
    for group, total in enumerate(totals):
        stored, place = builder.load(total), builder.gep(nearest, [ir.Constant(word, group)])
        nearer = _call(builder, "llvm.umin.v8i64", vector, _load(builder, place), stored)
        builder.store(nearer, place).align = _WORD_BYTES
        least = stored if least is None else _call(builder, "llvm.umin.v8i64", vector, least, stored)
    return _call(builder, "llvm.vector.reduce.umin.v8i64", word, least)


@intrinsic  # type: ignore[misc, unused-ignore]
def _whole_product(typing: Any, row: Any, query: Any, steps: Any) -> Any:
    """The inner product of the first 64 * `steps` floats at two addresses, in the order that `plain` states."""
    signature = types.float32(types.uintp, types.uintp, types.intp)
    return signature, lambda _, builder, __, arguments: _build_sum(builder, *arguments)


@intrinsic  # type: ignore[misc, unused-ignore]
def _multiply_add(typing: Any, factor: Any, other: Any, addend: Any) -> Any:
    """factor * other + addend, rounded once."""
    signature = types.float32(types.float32, types.float32, types.float32)
    return signature, lambda _, builder, __, arguments: _call(builder, "llvm.fma.f32", ir.FloatType(), *arguments)


def _build_sum(builder: Any, row: Any, query: Any, steps: Any) -> Any:
    number, lane, lanes = ir.FloatType(), ir.IntType(32), LANES // _SUMS
    vector = ir.VectorType(number, lanes)
    row, query = (builder.inttoptr(place, vector.as_pointer()) for place in (row, query))
    sums = [cgutils.alloca_once(builder, vector) for _ in range(_SUMS)]
    for total in sums:
        builder.store(ir.Constant(vector, [0.0] * lanes), total)
    with cgutils.for_range(builder, steps) as loop:
        first = builder.mul(loop.index, ir.Constant(loop.index.type, _SUMS))
        for place, total in enumerate(sums):
            at = [builder.add(first, ir.Constant(loop.index.type, place))]
            factors = [_load(builder, builder.gep(start, at), _FLOAT_BYTES) for start in (row, query)]
            builder.store(_call(builder, f"llvm.fma.v{lanes}f32", vector, *factors, builder.load(total)), total)
    first_two, last_two = (builder.fadd(builder.load(sums[i]), builder.load(sums[i + 1])) for i in (0, 2))
    total, lanes = builder.fadd(first_two, last_two), lanes // 2
    while lanes:
        low, high = (ir.Constant(ir.VectorType(lane, lanes), [*range(start, start + lanes)]) for start in (0, lanes))
        nothing = ir.Constant(total.type, ir.Undefined)
        halves = (builder.shuffle_vector(total, nothing, mask) for mask in (low, high))
        total, lanes = builder.fadd(*halves), lanes // 2
    return builder.extract_element(total, ir.Constant(lane, 0))


_nearest_of_8, _nearest_of_24 = _make_nearest(1), _make_nearest(_TRIPLE)


def _load(builder: Any, place: Any, align: int = _WORD_BYTES) -> Any:
    loaded = builder.load(place)
    loaded.align = align
    return loaded


def _call(builder: Any, name: str, return_type: Any, *arguments: Any) -> Any:
    kind = ir.FunctionType(return_type, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


@compile_kernel(inline="always")
def _select_rank(values: Array, count: int, rank: int) -> int:
    """The value with exactly `rank` others before it; for few values this beats sorting, as it has no branches."""
    value = values[0]
    for i in range(count):
        before = 0
        for j in range(count):
            before += (values[j] < values[i]) | ((values[j] == values[i]) & (j < i))
        if before == rank:
            value = values[i]
    return value


@compile_kernel(inline="always")
def _median(values: Array, count: int) -> float:
    """Median of the first `count` values."""
    middle = count // 2
    if count % 2:
        return float(_select_rank(values, count, middle))
    return 0.5 * (_select_rank(values, count, middle - 1) + _select_rank(values, count, middle))


@compile_kernel(parallel=True, error_model="numpy")
def _fill_medians(lanes: Array, queries: int, words: Array, offsets: Array, left_out: int, out: Array) -> None:
    slides, step = len(offsets) - 1, lanes.shape[1] // _LANES
    width = lanes.shape[0]
    for chunk in numba.prange((slides + _CHUNK - 1) // _CHUNK):
        nearest_to_query = np.empty(lanes.shape[1], np.uint64)
        nearest_to_slide = np.empty(MOST_BARCODES, np.uint64)
        for slide in range(chunk * _CHUNK, min(slides, (chunk + 1) * _CHUNK)):
            count = offsets[slide + 1] - offsets[slide] - left_out
            nearest_to_query[:] = _FAR
            for j in range(count):
                barcode = words.ctypes.data + (offsets[slide] + j) * width * _WORD_BYTES
                least, group = _FAR, 0
                while group < step:
                    place = group * _LANES * _WORD_BYTES
                    own, nearest = lanes.ctypes.data + place, nearest_to_query.ctypes.data + place
                    if step - group >= _TRIPLE:
                        least = min(least, _nearest_of_24(own, step, barcode, width, nearest))
                        group += _TRIPLE
                    else:
                        least = min(least, _nearest_of_8(own, step, barcode, width, nearest))
                        group += 1
                nearest_to_slide[j] = least
            out[slide, 0] = _median(nearest_to_query, queries)
            if out.shape[1] > 1:
                out[slide, 1] = _median(nearest_to_slide, count)


def _arrange_in_lanes(query: Words) -> Words:
    """Barcodes [Q, W] side by side, [W, Q rounded up to whole vectors]; the first fills up, and changes no minimum."""
    filling = np.repeat(query[:1], -len(query) % _LANES, axis=0)
    return np.ascontiguousarray(np.concatenate([query, filling]).T)


def compute_directional_medians(
    query: Words, words: Words, offsets: np.ndarray[Any, Any], threads: int | None = None
) -> Any:
    """Medians of minimum Hamming distances between a query and S slides, float64 [S, 2].

    query: uint64 [Q, W]; words: uint64 [total, W], the barcodes of slide s at offsets[s]:offsets[s + 1]. Column 0 is
    the median over the query's barcodes of the nearest of the slide, column 1 the other way round. A slide has at most
    MOST_BARCODES, and at least one. threads: None takes two for many slides.
    """
    return _compute_medians(query, words, offsets, np.empty((len(offsets) - 1, 2)), 0, threads)


def compute_query_medians(
    query: Words, words: Words, offsets: np.ndarray[Any, Any], left_out: int = 0, threads: int | None = None
) -> Any:
    """Column 0 of `compute_directional_medians`, float64 [S]; each slide's last `left_out` barcodes don't count."""
    return _compute_medians(query, words, offsets, np.empty((len(offsets) - 1, 1)), left_out, threads)[:, 0]


def _compute_medians(
    query: Words, words: Words, offsets: Array, out: Array, left_out: int, threads: int | None
) -> Array:
    check_counts(offsets, left_out)
    use_threads(threads or count_threads(len(out)))
    _fill_medians(_arrange_in_lanes(query), len(query), freeze(words), freeze(offsets), left_out, out)
    return out


@compile_kernel(parallel=True)
def _fill_products(vectors: Array, query: Array, out: Array) -> None:
    dimension = len(query)
    steps = dimension // LANES
    for i in numba.prange(len(vectors)):
        row = vectors.ctypes.data + i * dimension * _FLOAT_BYTES
        total = _whole_product(row, query.ctypes.data, steps)
        for j in range(steps * LANES, dimension):
            total = _multiply_add(vectors[i, j], query[j], total)
        out[i] = total


def inner_products(vectors: Array, query: Array) -> Array:
    """Inner products of float32 vectors [S, D] with a query's [D], float32 [S].

    As `vectors @ query`, but in one order on every processor, and with no more threads than pay: those of a BLAS stay
    busy for a while after each small product, and hold up what comes next.
    """
    out = np.empty(len(vectors), np.float32)
    use_threads(count_threads(len(vectors)))
    _fill_products(freeze(vectors), freeze(query), out)
    return out
