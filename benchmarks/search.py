"""Search in an archive of many simulated signatures (clustered, not uniform): time, and recall against exact ranking.

python benchmarks/search.py FOLDER [--slides 100000] [--dimension 768]
"""

from __future__ import annotations

import argparse
import resource
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from histoseek.api import Archive
from histoseek.archive.centre import BagMean
from histoseek.archive.schema import SlideRecord, StoredSlide
from histoseek.encoders.recipe import Recipe
from histoseek.mosaics.signature import MosaicTiles, Signature, signature_barcodes
from histoseek.search.query import ArchivedSlide
from histoseek.search.search import SearchOptions, search

BATCH = 5000
QUERIES = 40
KINDS = 200


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--slides", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=768)
    given = parser.parse_args()
    path = given.folder / f"simulated-{given.slides}-{given.dimension}"
    if not path.exists():
        start = time.perf_counter()
        fill(path, given.slides, given.dimension)
        print(f"filled in {time.perf_counter() - start:.0f} s", flush=True)
    archive = Archive.open(path)
    for where in (None, "organ = 'o1'", "site = 's1'", "stain = 't1'"):
        measure(archive, given.slides, where)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GB", flush=True)


def measure(archive: Archive, slides: int, where: str | None) -> None:
    rng = np.random.default_rng(1)
    asked = [f"s{number:07d}" for number in rng.integers(0, slides, QUERIES)]
    run(archive, asked[0], where, exact=False)
    run(archive, asked[0], where, exact=True)
    fast = [run(archive, slide_id, where, exact=False) for slide_id in asked]
    exact = [run(archive, slide_id, where, exact=True) for slide_id in asked[:10]]
    recall = np.mean(
        [len(set(one[1]) & set(two[1])) / max(1, len(two[1])) for one, two in zip(fast, exact, strict=False)]
    )
    for name, found in (("two-stage", fast), ("exact", exact)):
        p50, p95 = np.percentile([seconds for seconds, _ in found], [50, 95]) * 1000
        print(f"filter {where}: {name} p50 {p50:.0f} ms, p95 {p95:.0f} ms", flush=True)
    print(f"filter {where}: recall@10 of two-stage against exact {recall:.3f}", flush=True)


def run(archive: Archive, slide_id: str, where: str | None, exact: bool) -> tuple[float, list[str]]:
    start = time.perf_counter()
    results = search(archive, ArchivedSlide(slide_id), SearchOptions(k=10, where=where, exact=exact))
    return time.perf_counter() - start, [result.slide_id for result in results]


def fill(path: Path, slides: int, dimension: int) -> None:
    rng = np.random.default_rng(0)
    archive = Archive.create(path, Recipe(encoder="features:simulated"))
    archive.settle_space([BagMean(np.zeros(dimension, np.float32), "features:simulated")])
    kinds = rng.standard_normal((KINDS, 17, dimension), np.float32)
    for first in range(0, slides, BATCH):
        archive.store.upsert([simulated(number, kinds, rng) for number in range(first, min(slides, first + BATCH))])
    archive.store.optimize()


def simulated(number: int, kinds: np.ndarray, rng: np.random.Generator) -> StoredSlide:
    kind = number % KINDS
    vectors = kinds[kind] + 0.8 * rng.standard_normal(kinds[kind].shape, np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    tiles = tuple(MosaicTiles(np.zeros((1, 2), np.int32), np.ones(1, np.float32)) for _ in range(16))
    mosaic, shares = vectors[:16].astype(np.float16), np.full(16, 1 / 16, np.float32)
    codes = signature_barcodes(mosaic, vectors[16])
    signature = Signature(vectors[16], mosaic, shares, codes, tiles, 448)
    now = datetime.now(UTC)
    record = SlideRecord(
        slide_id=f"s{number:07d}",
        uri="",
        file_fingerprint=str(number),
        width=0,
        height=0,
        spacing_um_per_px=0.0,
        tile_count=1,
        created=now,
        updated=now,
        patient_id=f"p{number // 2}",
        organ=f"o{rng.integers(0, 10)}",
        site=f"s{rng.integers(0, 100)}",
        stain=f"t{rng.integers(0, 1000)}",
    )
    return StoredSlide(record, signature)


if __name__ == "__main__":
    main()
