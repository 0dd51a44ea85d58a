"""The distance: a naive Python loop over bits, unpacked bits in numpy, and our kernel, in one run.

python benchmarks/distance.py [--slides 100000]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from bitarray import bitarray

from histoseek.mosaics.barcodes import barcodes
from histoseek.mosaics.distances import SignatureBlock, get_distance
from histoseek.mosaics.kernels import directional_medians
from histoseek.mosaics.signature import MosaicTiles, Signature

COUNT = 17


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slides", type=int, default=100_000)
    slides = parser.parse_args().slides
    print("| D | way | us per pair | times the loop over bitarrays |")
    print("| --- | --- | --- | --- |")
    rankings = [compare(dimension, slides) for dimension in (768, 1280)]
    print(f"\n| D | exact ranking of {slides:,} slides | s |\n| --- | --- | --- |")
    for dimension, paper, ours in rankings:
        print(f"| {dimension} | pathsearch-paper | {paper:.3f} |\n| {dimension} | symmetric | {ours:.3f} |")


def compare(dimension: int, slides: int) -> tuple[int, float, float]:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((200, dimension)).astype(np.float32)
    codes = barcodes(vectors)
    words = codes[rng.integers(0, 200, slides * COUNT)]
    offsets = np.arange(slides + 1, dtype=np.int64) * COUNT
    query = codes[:COUNT]
    bits = np.unpackbits(words[: 300 * COUNT].view(np.uint8), axis=1, bitorder="little")[:, : dimension - 1]
    bags = [bits[s * COUNT : (s + 1) * COUNT] for s in range(300)]
    own = np.unpackbits(query.view(np.uint8), axis=1, bitorder="little")[:, : dimension - 1]
    naive_s, naive = per_pair(lambda: [naive_distance(own, bag) for bag in bags[:20]], 20, times=1)
    whole = [[int.from_bytes(np.packbits(row).tobytes(), "big") for row in bag] for bag in [own, *bags]]
    loop_s, looped = per_pair(lambda: [integer_distance(whole[0], bag) for bag in whole[1:]], 300)
    arrays = [[bitarray(row.tolist()) for row in bag] for bag in [own, *bags[:100]]]
    array_s, counted = per_pair(lambda: [bitarray_distance(arrays[0], bag) for bag in arrays[1:]], 100)
    assert counted[:20] == naive
    numpy_s, unpacked = per_pair(lambda: [numpy_distance(own, bag) for bag in bags], 300)
    directional_medians(query, words[:COUNT], offsets[:2])
    one_s, found = per_pair(lambda: directional_medians(query, words, offsets, threads=1), slides)
    two_s, _ = per_pair(lambda: directional_medians(query, words, offsets, threads=2), slides)
    assert looped[:20] == naive
    assert [float(v) for v in found[:20, 0]] == naive == unpacked[:20]
    rows = (
        ("naive, loop over bits", naive_s),
        ("Python loop over bitarray objects", array_s),
        ("Python loop over integers", loop_s),
        ("numpy", numpy_s),
        ("kernel, 1 thread", one_s),
        ("kernel, 2 threads", two_s),
    )
    for name, seconds in rows:
        print(f"| {dimension} | {name} | {seconds * 1e6:.2f} | {array_s / seconds:,.1f} |", flush=True)
    return (dimension, *rankings(dimension, words, offsets, vectors, rng))


def rankings(
    dimension: int, words: np.ndarray, offsets: np.ndarray, vectors: np.ndarray, rng: np.random.Generator
) -> tuple[float, float]:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    block = SignatureBlock(words, offsets, unit[rng.integers(0, 200, len(offsets) - 1)])
    tiles = tuple(MosaicTiles(np.zeros((1, 2), np.int32), np.ones(1, np.float32)) for _ in range(16))
    query = Signature.of(unit[0], vectors[1:17].astype(np.float16), np.full(16, 1 / 16, np.float32), tiles, 448)
    paper, ours = (
        per_pair(lambda d=get_distance(name): np.argpartition(d(query, block).total, 10), 1)[0]
        for name in ("pathsearch-paper", "symmetric")
    )
    return paper, ours


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


def per_pair(work: Callable[[], object], pairs: int, times: int = 3) -> tuple[float, object]:
    """Seconds per pair, the best of some runs, and the result."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
    return min(seconds) / pairs, result


if __name__ == "__main__":
    main()
