"""What reading slides in confined processes costs: `index` of the same slides confined and trusted, in turn.

    python benchmarks/confined_reading.py FOLDER [--runs 3] [--workers 1 2 4] [--tiles 1000] [--before SOURCE]

Each run is a process of its own with a new archive. CPU is that of all its processes together, which other work on the
machine moves less than the time on the clock. --before: the `src` folder of an older version, to compare with.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--tiles", default="1000")
    parser.add_argument("--before", type=Path)
    arguments = parser.parse_args()
    ways: dict[str, tuple[Path, tuple[str, ...]]] = {
        "confined": (ROOT / "src", ("--confine",)),
        "trusted": (ROOT / "src", ("--trust",)),
    }
    if arguments.before:
        ways["before"] = (arguments.before, ())
    print("| workers | way | s | CPU s |\n| --- | --- | --- | --- |")
    for workers in arguments.workers:
        runs: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
        for _ in range(arguments.runs):
            for way, (source, options) in ways.items():
                shared = ("--workers", str(workers), "--tiles", arguments.tiles, "--spacing-of", "*=0.5")
                runs[way].append(index(source, arguments.folder, (*shared, *options)))
        for way, figures in runs.items():
            wall_s, cpu_s = (statistics.median(column) for column in zip(*figures, strict=True))
            print(f"| {workers} | {way} | {wall_s:.2f} | {cpu_s:.2f} |", flush=True)


def index(source: Path, folder: Path, options: tuple[str, ...]) -> tuple[float, float]:
    """Seconds on the clock and of all processors that an index of a new archive takes."""
    archive = Path(tempfile.mkdtemp())
    command = [sys.executable, "-m", "histoseek", "index", str(folder), "--archive", str(archive / "archive"), *options]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": str(source)})
    wall_s = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    shutil.rmtree(archive)
    return wall_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
