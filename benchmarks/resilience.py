"""Kill an indexing run at random moments, and search while another runs; compare with an undisturbed archive.

python benchmarks/resilience.py SLIDES FOLDER [--spacing-of '*=0.5'] [--kills 10]
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from histoseek.api import Archive
from histoseek.errors import ArchiveError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slides", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--spacing-of", default="*=0.5")
    parser.add_argument("--kills", type=int, default=10)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    rest = ["--spacing-of", given.spacing_of]
    whole, killed = given.folder / "whole", given.folder / "killed"
    start = time.monotonic()
    index(given.slides, whole, rest).wait()
    seconds = time.monotonic() - start
    print(f"undisturbed: {len(Archive.open(whole))} slides in {seconds:.1f} s")
    kill_again_and_again(given.slides, killed, rest, given.kills, seconds)
    index(given.slides, killed, rest).wait()
    print(f"same ids and the same bits: {content(whole) == content(killed)}")
    problems = Archive.open(killed).verify().problems
    print(f"verify: {len(problems)} problems")
    search_meanwhile(given.slides, given.folder / "searched", rest)


def index(slides: Path, archive: Path, rest: list[str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "histoseek", "index", str(slides), "--archive", str(archive), *rest]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill_again_and_again(slides: Path, archive: Path, rest: list[str], kills: int, seconds: float) -> None:
    rng, done = random.Random(1), []
    for _ in range(kills):
        process = index(slides, archive, rest)
        # Each run gets on by about a tenth, so that the kills fall into all parts of the work.
        moment = rng.uniform(1.0, 2.0 + 2.2 * seconds / kills)
        try:
            process.wait(timeout=moment)
            done.append(f"finished within {moment:.1f} s")
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            done.append(f"killed at {moment:.1f} s with {committed(archive)} slides in")
    print("\n".join(done))


def committed(archive: Path) -> int:
    try:
        return len(Archive.open(archive))
    except ArchiveError:
        return 0


def content(path: Path) -> dict[str, tuple[bytes, bytes, bytes]]:
    archive = Archive.open(path)
    return {
        slide.record.slide_id: (
            slide.signature.global_vector.tobytes(),
            slide.signature.mosaic.tobytes(),
            slide.signature.barcodes.tobytes(),
        )
        for slide in archive.store.get(archive.store.slides())
    }


SEARCHER = """
import sys
from histoseek.api import Archive
searches = faults = 0
sizes = set()
while not sys.stdin.readline().startswith("stop"):
    archive = Archive.open(sys.argv[1])
    records = archive.records()
    sizes.add(len(records))
    if records:
        found = archive.search(like=records[searches % len(records)].slide_id)
        searches += 1
        faults += sum(archive.get(r.slide_id).signature.fault() is not None for r in found)
print(f"{searches} searches while the archive grew ({len(sizes)} sizes seen), {faults} half-written slides")
"""


def search_meanwhile(slides: Path, archive: Path, rest: list[str]) -> None:
    process = index(slides, archive, rest)
    while not (archive / "archive.json").exists():
        time.sleep(0.05)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    searchers = [subprocess.Popen([sys.executable, "-c", SEARCHER, str(archive)], **pipes) for _ in range(2)]
    while process.poll() is None:
        for searcher in searchers:
            if searcher.poll() is None:
                searcher.stdin.write("go\n")
                searcher.stdin.flush()
        time.sleep(0.2)
    for searcher in searchers:
        out, err = searcher.communicate("stop\n")
        print(f"searcher: exit {searcher.returncode}, {out.strip()}{err.strip()[-500:]}")
    print(f"indexing meanwhile: exit {process.returncode}, {len(Archive.open(archive))} slides")


if __name__ == "__main__":
    main()
