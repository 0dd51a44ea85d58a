"""Read altered files of every format, and count how reading them ends; those that end it badly are kept.

PYTHONPATH=src:. python benchmarks/attacks/fuzz.py [--format NAME] [--count 2000] [--seed 1] [--keep FOLDER]
    [--source SRC] [--memory-mb 1000] [--seconds 10]

Files are read many to a process, with a limit of memory and of time; a process that dies is followed by another.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections import Counter
from pathlib import Path

from tests.attacks.fuzzing import fuzz
from tests.attacks.mutations import FORMATS

_WELL = ("read", "refused")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--format", default="")
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--source", type=Path)
    parser.add_argument("--memory-mb", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10.0)
    given = parser.parse_args()
    for kind in (kind for kind in FORMATS if given.format in kind.name):
        started, fates, words = time.monotonic(), Counter[str](), Counter[str]()
        highest_mb = 0.0
        for outcome, path in fuzz(kind, given.count, given.seed, given.memory_mb, given.seconds, given.source):
            fates[outcome.fate] += 1
            highest_mb = max(highest_mb, outcome.peak_mb)
            if outcome.fate not in _WELL:
                words[f"{outcome.fate}: {outcome.words}"] += 1
                if given.keep:
                    given.keep.mkdir(parents=True, exist_ok=True)
                    shutil.copy(path, given.keep / f"{kind.name.replace(' ', '-')}-{path.name}")
        seconds = time.monotonic() - started
        counts = ", ".join(f"{fate} {number}" for fate, number in fates.most_common())
        print(f"| {kind.name} | {counts} | at most {highest_mb:,.0f} MB | {seconds:.0f} s |", flush=True)
        for line, number in words.most_common(12):
            print(f"    {number} x {line}", flush=True)


if __name__ == "__main__":
    main()
