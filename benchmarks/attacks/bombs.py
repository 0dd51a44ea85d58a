"""Read small files that declare, or unfold to, far more than a machine has; print how each reader gets over it.

PYTHONPATH=src:. python benchmarks/attacks/bombs.py [--before SOURCE] [--only NAME] [--memory-mb 6000] [--seconds 60]

SOURCE is the `src` folder of another version, which reads the same files. Each file is read in a process of its own
with a limit of memory: what needs more is stopped there, and dies of it or refuses the file.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests.attacks.bomb_files import BOMBS
from tests.attacks.hostile_readers import Outcome, read_files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path)
    parser.add_argument("--only", default="")
    parser.add_argument("--memory-mb", type=int, default=6000)
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    sources = {"before": given.before, "now": None} if given.before else {"now": None}
    survived = dict.fromkeys(sources, 0)
    bombs = [bomb for bomb in BOMBS if given.only in bomb[0]]
    for name, reader, write in bombs:
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "files"
            place.mkdir()
            write(place / name)
            size = (place / name).stat().st_size
            for when, source in sources.items():
                (outcome,) = read_files(reader, place, [name], given.memory_mb, given.seconds, source)
                survived[when] += has_survived(outcome)
                print(f"| {name} | {size:,} B | {when} | {describe(outcome)} |", flush=True)
    print(*(f"{when}: {count} of {len(bombs)} survived" for when, count in survived.items()), sep="; ")


def has_survived(outcome: Outcome) -> bool:
    """Whether it ended in time, in one of our errors, and took less than a gigabyte."""
    return outcome.fate == "refused" and outcome.peak_mb < 1000


def describe(outcome: Outcome) -> str:
    return f"{outcome.fate} | {outcome.peak_mb:,.0f} MB | {outcome.seconds:.1f} s | {outcome.words[:160]}"


if __name__ == "__main__":
    main()
