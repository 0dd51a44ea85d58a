"""Searches of a tuned archive beside those of the same archive as it is: time, the first search, memory.

python benchmarks/tuned_search.py FOLDER [--slides 100000]

The archive is that of benchmarks/search.py (clustered signatures), made in FOLDER once; each way of ranking is measured
in a process of its own. The metric whitens along as many directions as a fitted one may have.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from histoseek.api import Archive
from histoseek.archive.ranking_method import load_method
from histoseek.archive.tuning_file import Tuning, remove_tuning, write_tuning
from histoseek.ranking.metric import Metric
from histoseek.ranking.settings import PLAIN
from histoseek.ranking.within_class import MOST_DIRECTIONS, LinearMap
from search import DEPTH, DIMENSION, fill, percentiles, resident_gb, slide_name, timed

WAYS = ("plain", "metric")
QUERIES = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--slides", type=int, default=100_000)
    parser.add_argument("--way", choices=WAYS)
    given = parser.parse_args()
    path = given.folder / f"simulated-{given.slides}-{DIMENSION}"
    if given.way:
        measure(path, given.slides, given.way)
        return
    if not path.exists():
        fill(path, given.slides)
    print(
        "| slides | ranking | p50 / p95, ms | first search, s | second process, s | memory, GB |\n" + "| --- " * 6 + "|"
    )
    for way in WAYS:
        command = [sys.executable, __file__, str(given.folder), "--slides", str(given.slides), "--way", way]
        first, second = (subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout for _ in "12")
        times, seconds, memory = second.split("\t")
        print(f"| {given.slides:,} | {way} | {times} | {first.split(chr(9))[1]} | {seconds} | {memory.strip()} |")


def measure(path: Path, slides: int, way: str) -> None:
    archive = Archive.open(path)
    remove_tuning(archive.layout)
    if way != "plain":
        write_tuning(archive.layout, make_tuning(archive, slides))
    numbers = np.random.default_rng(1).integers(0, slides, QUERIES).tolist()

    def run(number: int, _: bool) -> list[str]:
        return [one.slide_id for one in archive.search(like=slide_name(number), k=DEPTH).results]

    start = time.perf_counter()
    run(numbers[0], False)
    first = time.perf_counter() - start
    low, high = percentiles([timed(run, number, False) for number in numbers])
    print(f"{low:.1f} / {high:.1f}\t{first:.1f}\t{resident_gb():.2f}")


def make_tuning(archive: Archive, slides: int) -> Tuning:
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.standard_normal((DIMENSION, MOST_DIRECTIONS)))[0].T
    one = LinearMap.scale(directions, rng.uniform(-0.5, 0.0, MOST_DIRECTIONS))
    plain, created = load_method(archive, "symmetric"), datetime.now(UTC).isoformat(timespec="seconds")
    space = archive.require_space().slides_fingerprint
    return Tuning(space, slides, created, "diagnosis", PLAIN, Metric(one, one), plain.distance.fusion)


if __name__ == "__main__":
    main()
