"""The distance: a naive Python loop over bits, unpacked bits in numpy, and our kernel, in one run.

python benchmarks/distance.py [--slides 100000]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from bitarray import bitarray

from histoseek.mosaics.barcodes import make_barcodes
from histoseek.mosaics.distances import SignatureBlock, compute_squared_lengths, get_distance
from histoseek.mosaics.numba_kernels import compute_query_medians
from histoseek.mosaics.signature import MosaicTiles, Signature

COUNT = 17


@dataclass(frozen=True)
class Setting:
    """A query and slides of 17 barcodes, made of 200 random vectors."""

    query: Signature
    block: SignatureBlock
    dimension: int

    def first(self, slides: int) -> SignatureBlock:
        return self.block.take(np.arange(slides))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slides", type=int, default=100_000)
    slides = parser.parse_args().slides
    for dimension in (768, 1280):
        setting = make(dimension, slides)
        local_parts(setting)
        whole_distances(setting)


def make(dimension: int, slides: int) -> Setting:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((200, dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    chosen = rng.integers(0, 200, slides * COUNT)
    words = make_barcodes(vectors)[chosen]
    globals_ = vectors[rng.integers(0, 200, slides)]
    offsets = np.arange(slides + 1, dtype=np.int64) * COUNT
    block = SignatureBlock(words, offsets, globals_, compute_squared_lengths(globals_))
    tiles = tuple(MosaicTiles(np.zeros((1, 2), np.int32), np.ones(1, np.float32)) for _ in range(COUNT - 1))
    shares = np.full(COUNT - 1, 1 / (COUNT - 1), np.float32)
    query = Signature.create(vectors[0], vectors[1:COUNT].astype(np.float16), shares, tiles, 448)
    return Setting(query, block, dimension)


def local_parts(setting: Setting) -> None:
    """Medians of minimum Hamming distances: every way gives the same numbers."""
    query, block = setting.query, setting.block
    bags = [bits(block.barcodes[s * COUNT : (s + 1) * COUNT], setting.dimension) for s in range(300)]
    own = bits(query.barcodes, setting.dimension)
    naive_s, naive = per_pair(lambda: [naive_distance(own, bag) for bag in bags[:20]], 20, times=1)
    whole = [[int.from_bytes(np.packbits(row).tobytes(), "big") for row in bag] for bag in [own, *bags]]
    arrays = [[bitarray(row.tolist()) for row in bag] for bag in [own, *bags]]
    rows = [("naive, loop over bits", 20, naive_s)]
    array_s, counted = per_pair(lambda: [bitarray_distance(arrays[0], bag) for bag in arrays[1:]], 300)
    rows.append(("Python loop over bitarray objects", 300, array_s))
    loop_s, looped = per_pair(lambda: [integer_distance(whole[0], bag) for bag in whole[1:]], 300)
    rows.append(("Python loop over integers", 300, loop_s))
    numpy_s, unpacked = per_pair(lambda: [numpy_distance(own, bag) for bag in bags], 300)
    rows.append(("numpy", 300, numpy_s))
    assert counted == looped == unpacked
    assert counted[:20] == naive
    for slides, threads in product(sizes(block), (1, 2)):
        some = setting.first(slides)
        medians = partial(compute_query_medians, query.barcodes, some.barcodes, some.offsets, threads=threads)
        seconds, found = per_pair(medians, slides, times=20)
        assert found[:300].tolist() == counted[: len(found)]
        rows.append((f"kernel, {threads} thread{'s' * (threads > 1)}", slides, seconds))
    show(setting.dimension, "local part", rows, array_s)


def whole_distances(setting: Setting) -> None:
    """The paper's whole distance, both parts; then our own distances beside it."""
    query, block = setting.query, setting.block
    arrays = [[bitarray(row.tolist()) for row in bits(words, setting.dimension)] for words in bags_of(setting, 300)]
    own = [bitarray(row.tolist()) for row in bits(query.barcodes, setting.dimension)]

    def loop() -> list[float]:
        return [
            bitarray_distance(own, bag) + 200 * float(np.linalg.norm(query.global_vector - vector))
            for bag, vector in zip(arrays, block.global_vectors, strict=False)
        ]

    loop_s, looped = per_pair(loop, 300)
    rows = [("Python loop over bitarray objects", 300, loop_s)]
    for slides, name in product(sizes(block), ("pathsearch-paper", "symmetric", "contained", "global")):
        some, distance = setting.first(slides), get_distance(name)
        seconds, found = per_pair(lambda d=distance, b=some: d(query, b), slides, times=20)
        rows.append((name, slides, seconds))
        if name == "pathsearch-paper":
            assert np.allclose(found.total[:300], looped, atol=0.2)
    show(setting.dimension, "whole distance", rows, loop_s)


def sizes(block: SignatureBlock) -> list[int]:
    return sorted({min(len(block), slides) for slides in (1_000, 10_000, len(block))})


def bags_of(setting: Setting, slides: int) -> list[np.ndarray]:
    return [setting.block.barcodes[s * COUNT : (s + 1) * COUNT] for s in range(slides)]


def bits(words: np.ndarray, dimension: int) -> np.ndarray:
    return np.unpackbits(words.view(np.uint8), axis=1, bitorder="little")[:, : dimension - 1]


def show(dimension: int, title: str, rows: Sequence[tuple[str, int, float]], loop_s: float) -> None:
    print(f"\n| D = {dimension}, {title} | slides | us per pair | times the loop over bitarrays | s in all |")
    print("| --- | --- | --- | --- | --- |")
    for name, slides, seconds in rows:
        cells = f"{seconds * 1e6:,.2f} | {loop_s / seconds:,.1f} | {seconds * slides:.4f}"
        print(f"| {name} | {slides:,} | {cells} |", flush=True)


def naive_distance(query: np.ndarray, other: np.ndarray) -> float:
    """The method as described, bit by bit."""
    minima = []
    for one in query:
        distances = []
        for two in other:
            distances.append(sum(1 for a, b in zip(one, two, strict=True) if a != b))
        minima.append(min(distances))
    return float(np.median(minima))


def integer_distance(query: list[int], other: list[int]) -> float:
    """The same over whole bit arrays, held as Python's integers: as fast as a Python loop gets."""
    return float(np.median([min((one ^ two).bit_count() for two in other) for one in query]))


def bitarray_distance(query: list[bitarray], other: list[bitarray]) -> float:
    """A double loop over bit arrays, as published code does it."""
    return float(np.median([min((one ^ two).count() for two in other) for one in query]))


def numpy_distance(query: np.ndarray, other: np.ndarray) -> float:
    return float(np.median((query[:, None] != other[None]).sum(-1).min(axis=1)))


def per_pair(work: Callable[[], Any], pairs: int, times: int = 3) -> tuple[float, Any]:
    """Seconds per pair, the best of some runs, and the result."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return min(seconds) / pairs, result


if __name__ == "__main__":
    main()
