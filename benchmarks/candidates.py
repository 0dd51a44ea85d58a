"""How many candidates a search needs, by the number of slides and of those that are nearly alike: simulated rows.

python benchmarks/candidates.py [--slides 100000 1000000] [--alike 50 500 5000] [--vectors 128x4] [--queries 50]

Slides lie in clusters, as in benchmarks/stores.py; rows exist in memory alone. Lines are tab-separated: slides, how
many are alike, candidates, recall@10 against exact ranking, median ms of candidates and their ranking.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.search import DEPTH, make_rows, slide_name

from histoseek.archive.stores.rows import RankingRows, quantise
from histoseek.mosaics.barcodes import count_barcode_words, make_barcodes
from histoseek.mosaics.distances import get_distance
from histoseek.mosaics.signature import Signature
from histoseek.search.retrieve.candidates import best, candidates
from histoseek.search.scope.exclusion import Exclusions, SearchScope

COUNTS = (1000, 2000, 3162)
SPREAD, BATCH = 0.8, 5000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slides", type=int, nargs="*", default=[100_000, 1_000_000])
    parser.add_argument("--alike", type=int, nargs="*", default=[50, 500, 5000])
    parser.add_argument("--vectors", default="128x4", help="dimension x vectors of a mosaic")
    parser.add_argument("--queries", type=int, default=50)
    given = parser.parse_args()
    dimension, mosaic = map(int, given.vectors.split("x"))
    for slides in given.slides:
        for alike in given.alike:
            measure(slides, alike, Rows(slides, slides // alike, dimension, mosaic), given.queries)


def measure(slides: int, alike: int, store: Rows, queries: int) -> None:
    distance = get_distance("symmetric")

    def run(number: int, count: int | None) -> tuple[float, set[str]]:
        begun, query = time.perf_counter(), store.signature(number)
        scope = SearchScope(None, Exclusions((slide_name(number),)))
        found = candidates(store, query.global_vector, count, scope)  # type: ignore[arg-type]
        (distances,) = found.distances(lambda block: distance(query, block))
        ids = found.slide_ids[best(found.slide_ids, distances.total, DEPTH)]
        return time.perf_counter() - begun, set(ids.tolist())

    numbers = np.random.default_rng(1).integers(0, slides, queries).tolist()
    exact = [run(number, None)[1] for number in numbers]
    for count in COUNTS:
        fast = [run(number, count) for number in numbers]
        recall = np.mean([len(one & two) / DEPTH for (_, one), two in zip(fast, exact, strict=True)])
        ms = np.median([seconds for seconds, _ in fast]) * 1000
        print(slides, alike, count, f"{recall:.4f}", f"{ms:.1f}", sep="\t", flush=True)


class Rows:
    """The part of a store that ranking asks, of slides in clusters of one size."""

    def __init__(self, slides: int, kinds: int, dimension: int, mosaic: int) -> None:
        rng = np.random.default_rng(0)
        centres = rng.standard_normal((kinds, mosaic + 1, dimension), np.float32)
        vectors, scales = np.empty((slides, dimension), np.float32), np.empty(slides, np.float32)
        codes = np.empty((slides, dimension), np.int8)
        words = np.empty((slides, mosaic + 1, count_barcode_words(dimension)), np.uint64)
        for first in range(0, slides, BATCH):
            part = np.arange(first, min(slides, first + BATCH))
            near = centres[part % kinds]
            near = near + SPREAD * rng.standard_normal(near.shape, np.float32)
            near /= np.linalg.norm(near, axis=2, keepdims=True)
            vectors[part] = near[:, mosaic]
            codes[part], scales[part] = quantise(vectors[part])
            words[part] = make_barcodes(near.reshape(-1, dimension)).reshape(len(part), mosaic + 1, -1)
        self._rows = make_rows(vectors, codes, scales, words)
        self._mosaic = mosaic

    def ranking_rows(self) -> RankingRows:
        return self._rows

    def ranking_places(self, where: str | None) -> np.ndarray:
        assert where is None
        return np.arange(len(self._rows))

    def signature(self, number: int) -> Signature:
        rows, words = self._rows, slice(*self._rows.offsets[number : number + 2])
        mosaic = np.zeros((self._mosaic, rows.global_vectors.shape[1]), np.float16)
        shares = np.full(self._mosaic, 1 / self._mosaic, np.float32)
        return Signature(rows.global_vectors[number], mosaic, shares, rows.barcodes[words], (), 448)


if __name__ == "__main__":
    main()
