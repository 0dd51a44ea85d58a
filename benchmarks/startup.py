"""CPU seconds that short commands take, from start to end of the process.

    python benchmarks/startup.py [--src FOLDER]... [--archive FOLDER] [--times 9]

Each --src is a source tree (its `src` folder), so that two states are measured beside each other, taking turns; without
any, the package that is installed. Without --archive, an archive of simulated slides is made. Figures are user and
system time of the process and its threads, the median of all times and the least; one run before warms the caches.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

Command = tuple[str, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--src", type=Path, action="append")
    parser.add_argument("--archive", type=Path)
    parser.add_argument("--times", type=int, default=9)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        archive = given.archive or simulated(Path(folder))
        commands = commands_on(archive)
        seconds: dict[tuple[str, Path | None], list[float]] = defaultdict(list)
        for number in range(given.times + 1):
            for name, command in commands.items():
                for source in given.src or [None]:
                    spent = cpu_seconds(command, source)
                    if number:
                        seconds[name, source].append(spent)
    for source in given.src or [None]:
        print(f"{source or 'installed'}\n{'':>16} {'median':>7} {'least':>7}")
        for name in commands:
            own = seconds[name, source]
            print(f"{name:>16} {statistics.median(own):>7.2f} {min(own):>7.2f}")


def simulated(folder: Path) -> Path:
    """A small archive with reports."""
    for command in (
        ("simulate", folder / "slides", "--patients", "6", "--size", "2000"),
        ("index", folder / "slides", "--archive", folder / "archive", "--reports", folder / "slides" / "reports.csv"),
    ):
        subprocess.run([sys.executable, "-m", "histoseek", *map(str, command)], check=True, stdout=subprocess.DEVNULL)
    return folder / "archive"


def commands_on(archive: Path) -> dict[str, Command]:
    """What is measured, by name."""
    run, of = (sys.executable, "-m", "histoseek"), ("--archive", str(archive))
    listed = subprocess.run([*run, "list", *of, "--limit", "1", "--json"], check=True, capture_output=True, text=True)
    first = listed.stdout.split('"slide_id": "')[1].split('"')[0]
    return {
        "import histoseek": (sys.executable, "-c", "import histoseek"),
        "--help": (*run, "--help"),
        "list": (*run, "list", *of),
        "search --like": (*run, "search", *of, "--like", first),
        "search --text": (*run, "search", *of, "--text", "squamous cell carcinoma"),
    }


def cpu_seconds(command: Command, source: Path | None) -> float:
    """User and system time of a command."""
    environment = {**os.environ, **({"PYTHONPATH": str(source)} if source else {})}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
