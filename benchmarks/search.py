"""Search among simulated signatures (clustered, not uniform): time, recall against exact ranking, memory, growth.

python benchmarks/search.py FOLDER [--slides 1000 10000 100000] [--rows-only 1000000] [--figure growth.svg]

Archives are made in FOLDER once and kept there. The slides of --rows-only exist in memory alone, as the rows that a
store keeps at hand: there, times are of candidates, distances and order, without reading ten records.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from histoseek.api import Archive
from histoseek.archive.schema import SlideRecord, StoredSlide
from histoseek.archive.space.centre import BagMean
from histoseek.archive.stores.rows import RankingRows, make_keys, make_signs, quantise
from histoseek.encoders.recipe import Recipe
from histoseek.mosaics.barcodes import count_barcode_words, make_barcodes
from histoseek.mosaics.distances import compute_squared_lengths, get_distance
from histoseek.mosaics.signature import MosaicTiles, Signature, make_signature_barcodes
from histoseek.search.options import SearchOptions
from histoseek.search.queries import ArchivedSlide
from histoseek.search.retrieve.candidates import best, candidates
from histoseek.search.scope.exclusion import Exclusions, SearchScope
from histoseek.search.search import search

BATCH = 5000
QUERIES, EXACT_QUERIES = 100, 40
KINDS = 200
MOSAIC = 16
DEPTH = 10
CANDIDATES = SearchOptions().candidate_count
DIMENSION = 768
FILTERS = {None: "none", "organ = 'o1'": "10 %", "site = 's1'": "1 %", "stain = 't1'": "0.1 %"}

Run = Callable[[int, str | None, bool], list[str]]


@dataclass(frozen=True)
class Measured:
    """One line of the table; times in ms."""

    slides: int
    filter: str
    default: tuple[float, float]
    exact: tuple[float, float]
    recall: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--slides", type=int, nargs="*", default=[1000, 10_000, 100_000])
    parser.add_argument("--rows-only", type=int, nargs="*", default=[])
    parser.add_argument("--figure", type=Path)
    given = parser.parse_args()
    if len(given.slides) + len(given.rows_only) > 1:
        lines = [
            line
            for option, sizes in (("--slides", given.slides), ("--rows-only", given.rows_only))
            for slides in sizes
            for line in in_a_process_of_its_own(given.folder, option, slides)
        ]
        if given.figure:
            draw(lines, given.figure)
    elif given.slides:
        of_archive(given.folder, given.slides[0])
    else:
        of_rows(given.rows_only[0])


def in_a_process_of_its_own(folder: Path, option: str, slides: int) -> list[str]:
    """The lines printed: memory is that of one archive."""
    other = {"--slides": "--rows-only", "--rows-only": "--slides"}[option]
    command = [sys.executable, __file__, str(folder), option, str(slides), other]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    print(printed, end="", flush=True)
    return printed.splitlines()


def of_archive(folder: Path, slides: int) -> None:
    path = folder / f"simulated-{slides}-{DIMENSION}"
    if not path.exists():
        fill(path, slides)
    archive = Archive.open(path)
    archive.store.optimize()
    archive = Archive.open(path)

    def run(number: int, where: str | None, exact: bool) -> list[str]:
        options = SearchOptions(k=DEPTH, where=where, exact=exact)
        return [one.slide_id for one in search(archive, ArchivedSlide(slide_name(number)), options)]

    report(slides, "whole search", run)


def of_rows(slides: int) -> None:
    store = RowsOnly(slides)
    distance = get_distance("symmetric")

    def run(number: int, where: str | None, exact: bool) -> list[str]:
        query = store.signature(number)
        count = None if exact else CANDIDATES
        found = candidates(store, query.global_vector, count, SearchScope(where, Exclusions((slide_name(number),))))
        if not len(found):
            return []
        (distances,) = found.distances(lambda block: distance(query, block))
        return found.slide_ids[best(found.slide_ids, distances.total, DEPTH)].tolist()

    report(slides, "ranking only", run)


def report(slides: int, what: str, run: Run) -> None:
    numbers = np.random.default_rng(1).integers(0, slides, QUERIES).tolist()
    start = time.perf_counter()
    run(numbers[0], None, False)
    first = time.perf_counter() - start
    for where, name in FILTERS.items():
        line = measure(slides, name, numbers, lambda number, exact, where=where: run(number, where, exact))
        print(
            f"{slides}\t{what}\t{line.filter}\t{line.default[0]:.1f}\t{line.default[1]:.1f}\t{line.exact[0]:.1f}"
            f"\t{line.exact[1]:.1f}\t{line.recall:.4f}\t{resident_gb():.2f}\t{first:.2f}",
            flush=True,
        )


def measure(slides: int, name: str, numbers: list[int], run: Callable[[int, bool], list[str]]) -> Measured:
    """Default searches one after the other, then exact ones: a user's come one at a time as well."""
    run(numbers[0], False), run(numbers[0], True)
    fast = [timed(run, number, False) for number in numbers]
    exact = [timed(run, number, True) for number in numbers[:EXACT_QUERIES]]
    shares = [len(set(one[1]) & set(two[1])) / len(two[1]) for one, two in zip(fast, exact, strict=False) if two[1]]
    recall = float(np.mean(shares)) if shares else float("nan")
    return Measured(slides, name, percentiles(fast), percentiles(exact), recall)


def timed(run: Callable[[int, bool], list[str]], number: int, exact: bool) -> tuple[float, list[str]]:
    start = time.perf_counter()
    found = run(number, exact)
    return time.perf_counter() - start, found


def percentiles(runs: list[tuple[float, list[str]]]) -> tuple[float, float]:
    low, high = np.percentile([seconds * 1000 for seconds, _ in runs], [50, 95])
    return float(low), float(high)


def resident_gb() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 2**20


def slide_name(number: int) -> str:
    return f"s{number:07d}"


def make_rows(vectors: np.ndarray, codes: np.ndarray, scales: np.ndarray, words: np.ndarray) -> RankingRows:
    """What ranking needs of S slides of unknown patients: vectors [S, D] with their codes, barcodes [S, M + 1, W]."""
    slides, each = words.shape[:2]
    return RankingRows(
        slide_ids=np.array([slide_name(number) for number in range(slides)]),
        patient_ids=np.zeros(slides, np.str_),
        case_ids=np.zeros(slides, np.str_),
        row_ids=np.arange(slides, dtype=np.uint64),
        row_order=np.arange(slides),
        order=np.arange(slides),
        patient_keys=make_keys(np.zeros(slides, np.str_)),
        case_keys=make_keys(np.zeros(slides, np.str_)),
        barcodes=words.reshape(-1, words.shape[2]),
        offsets=np.arange(slides + 1) * each,
        global_vectors=vectors,
        squares=compute_squared_lengths(vectors),
        codes=codes,
        scales=scales,
        contexts=np.empty((slides, 0), np.float32),
        signs=np.concatenate([make_signs(vectors[i : i + BATCH]) for i in range(0, slides, BATCH)]),
    )


class RowsOnly:
    """The part of a store that ranking asks, of simulated rows: mosaics lie around their kind's in bits, not floats."""

    def __init__(self, slides: int) -> None:
        rng = np.random.default_rng(0)
        self._groups = {
            where: rng.integers(0, parts, slides) for where, parts in zip(FILTERS, (1, 10, 100, 1000), strict=True)
        }
        kinds = rng.standard_normal((KINDS, MOSAIC + 1, DIMENSION), np.float32)
        vectors = np.empty((slides, DIMENSION), np.float32)
        words = np.empty((slides, MOSAIC + 1, count_barcode_words(DIMENSION)), np.uint64)
        codes, scales = np.empty((slides, DIMENSION), np.int8), np.empty(slides, np.float32)
        kind_words = np.stack([make_barcodes(kind) for kind in kinds])
        for start in range(0, slides, 4 * BATCH):
            part = np.arange(start, min(slides, start + 4 * BATCH))
            near = kinds[part % KINDS, MOSAIC] + 0.8 * rng.standard_normal((len(part), DIMENSION), np.float32)
            vectors[part] = near / np.linalg.norm(near, axis=1, keepdims=True)
            codes[part], scales[part] = quantise(vectors[part])
            flips = [rng.integers(0, 2**64, words[part].shape, np.uint64) for _ in range(2)]
            words[part] = kind_words[part % KINDS] ^ (flips[0] & flips[1])
            words[part, MOSAIC] = make_barcodes(vectors[part])
        self._rows = make_rows(vectors, codes, scales, words)
        self._places = {where: np.flatnonzero(group == 0) for where, group in self._groups.items()}

    def ranking_rows(self) -> RankingRows:
        return self._rows

    def ranking_places(self, where: str) -> np.ndarray:
        return self._places[where]

    def signature(self, number: int) -> Signature:
        rows, words = self._rows, slice(*(self._rows.offsets[number : number + 2]))
        mosaic = np.zeros((MOSAIC, DIMENSION), np.float16)
        shares = np.full(MOSAIC, 1 / MOSAIC, np.float32)
        return Signature(rows.global_vectors[number], mosaic, shares, rows.barcodes[words], (), 448)


def fill(path: Path, slides: int) -> None:
    rng = np.random.default_rng(0)
    archive = Archive.create(path, Recipe(encoder="features:simulated"))
    archive.settle_space([BagMean(np.zeros(DIMENSION, np.float32), "features:simulated")])
    kinds = rng.standard_normal((KINDS, MOSAIC + 1, DIMENSION), np.float32)
    for first in range(0, slides, BATCH):
        archive.store.upsert([simulated(number, kinds, rng) for number in range(first, min(slides, first + BATCH))])
    archive.store.optimize()


def simulated(number: int, kinds: np.ndarray, rng: np.random.Generator) -> StoredSlide:
    kind = number % KINDS
    vectors = kinds[kind] + 0.8 * rng.standard_normal(kinds[kind].shape, np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    tiles = tuple(MosaicTiles(np.zeros((1, 2), np.int32), np.ones(1, np.float32)) for _ in range(MOSAIC))
    mosaic, shares = vectors[:MOSAIC].astype(np.float16), np.full(MOSAIC, 1 / MOSAIC, np.float32)
    codes = make_signature_barcodes(mosaic, vectors[MOSAIC])
    signature = Signature(vectors[MOSAIC], mosaic, shares, codes, tiles, 448)
    now = datetime.now(UTC)
    record = SlideRecord(
        slide_id=slide_name(number),
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


def draw(lines: list[str], path: Path) -> None:
    """Median and 95th percentile over the number of slides, both axes logarithmic."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "histoseek"
    from matplotlib import pyplot as plt

    rows = [line.split("\t") for line in lines]
    figure, axes = plt.subplots(figsize=(6, 3.8), layout="constrained")
    for mode, column, colour in (("default", 3, "#1f77b4"), ("exact", 5, "#d95f02")):
        for what, style in (("whole search", "o-"), ("ranking only", "s")):
            shown = [row for row in rows if row[1] == what and row[2] == "none"]
            slides = [int(row[0]) for row in shown]
            median, high = ([float(row[place]) for row in shown] for place in (column, column + 1))
            spread = [np.zeros(len(shown)), np.array(high) - median]
            axes.errorbar(slides, median, spread, fmt=style, color=colour, capsize=3, label=f"{mode}, {what}")
    axes.set(xscale="log", yscale="log", xlabel="slides", ylabel="ms per search (median, bar to 95th percentile)")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
