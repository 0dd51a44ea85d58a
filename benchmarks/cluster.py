"""Index simulated slides by workers in two network namespaces of this machine, undisturbed and with all that can die.

python benchmarks/cluster.py SLIDES FOLDER [--timed 200] [--kills 10] (as root; SLIDES: a folder of small slides)

Scheduler, the process that indexes, and worker 1 are in one namespace, worker 2 in the other; a pair of virtual
devices between them is all that they have.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from histoseek.api import Archive
from histoseek.encoders.recipe import Recipe

SPACES = ("histoseek-a", "histoseek-b")
HOSTS = ("10.213.77.1", "10.213.77.2")
PORT = 8786
ADDRESS = f"tcp://{HOSTS[0]}:{PORT}"
RECIPE = Recipe(tile_budget=16)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slides", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--timed", type=int, default=200, help="slides of the runs that nothing disturbs")
    parser.add_argument("--kills", type=int, default=10)
    given = parser.parse_args()
    os.environ |= {"HISTOSEEK_THREADS": "1", "OMP_NUM_THREADS": "1"}
    os.environ |= {"HISTOSEEK_RUNTIME": "onnx", "HISTOSEEK_TRUST": "1"}
    slides = sorted(given.slides.glob("*.tiff"))
    shutil.rmtree(given.folder, ignore_errors=True)
    given.folder.mkdir(parents=True)
    make_namespaces()
    try:
        if given.timed:
            measure(slides[: given.timed], given.folder)
        disturb(slides, given.folder, given.kills)
    finally:
        for space in SPACES:
            subprocess.run(["ip", "netns", "del", space], check=False)


def measure(slides: list[Path], folder: Path) -> None:
    """The plain loop, then one worker, then two."""
    plain = index(slides, folder / "plain", None)
    print(f"plain loop: {len(slides)} slides in {plain:.1f} s, {1000 * plain / len(slides):.0f} ms each", flush=True)
    for count in (1, 2):
        processes = [start_scheduler(), *(start_worker(place) for place in range(count))]
        try:
            await_workers(count)
            index(slides[:4], folder / f"warm-{count}", ADDRESS)
            seconds = index(slides, folder / f"by-{count}", ADDRESS)
        finally:
            end(processes)
        each, share = 1000 * seconds / len(slides), plain / seconds / count
        print(f"{count} workers: {seconds:.1f} s, {each:.0f} ms each, efficiency {share:.2f}", flush=True)
    vectors = [Archive.open(folder / name).vectors() for name in ("plain", "by-1", "by-2")]
    print(f"the same vectors: {all(one == vectors[0] for one in vectors)}", flush=True)


def disturb(slides: list[Path], folder: Path, kills: int) -> None:
    """Kill workers, the scheduler and the process that indexes while all slides are indexed."""
    path, drawn = folder / "disturbed", random.Random(0)
    started = time.monotonic()
    processes = [start_scheduler(), start_worker(0), start_worker(1)]
    await_workers(2)
    run = start_index(slides, path, ADDRESS)
    marks = [(number + 1) * len(slides) // (kills + 3) for number in range(kills + 2)]
    events = ["worker"] * kills
    events.insert(kills // 3, "scheduler")
    events.insert(2 * kills // 3, "client")
    for mark, event in zip(marks, events, strict=True):
        while len(list(path.glob("bags/*/*.json"))) < mark and run.poll() is None:
            time.sleep(0.1)
        if event == "client":
            run.kill()
            run.wait()
            run = start_index(slides, path, ADDRESS)
        elif event == "scheduler":
            end(processes)
            processes = [start_scheduler(), start_worker(0), start_worker(1)]
        else:
            os.kill(drawn.choice(list_workers(processes[1:])), signal.SIGKILL)
        print(f"at {mark} bags: {event} killed", flush=True)
    code = run.wait()
    end(processes)
    report = json.loads(run.stdout.read() if run.stdout else "{}")
    print(f"ended with {code} after {time.monotonic() - started:.0f} s")
    print(f"last run: {report['added']} added, {report['unchanged']} unchanged, {len(report['refused'])} refused")
    print("refused for:", Counter(refusal["error"] for refusal in report["refused"]))
    archive = Archive.open(path)
    found = [record.slide_id for record in archive]
    acknowledged = Counter(list_acknowledged(path))
    twice = sum(count > 1 for count in acknowledged.values())
    is_equal = set(found) == set(acknowledged)
    print(f"acknowledged {len(acknowledged)}, twice {twice}, found {len(found)}, equal {is_equal}")
    print(f"verify: {archive.verify(deep=True)}")


def list_acknowledged(path: Path) -> list[str]:
    entries = map(json.loads, (path / "journal.jsonl").read_text().splitlines())
    return [slide_id for entry in entries if entry["event"] == "committed" for slide_id in entry["slide_ids"]]


def index(slides: list[Path], path: Path, cluster: str | None) -> float:
    """Seconds of a run, in a process of its own, without those that it starts in."""
    run = start_index(slides, path, cluster)
    out, _ = run.communicate()
    return float(json.loads(out)["seconds"])


def start_index(slides: list[Path], path: Path, cluster: str | None) -> subprocess.Popen[str]:
    if not path.exists():
        Archive.create(path, RECIPE)
    command = [sys.executable, "-m", "histoseek", "index", *map(str, slides), "--archive", str(path), "--json"]
    command += ["--cluster", cluster] if cluster else []
    return subprocess.Popen([*enter(0), *command], stdout=subprocess.PIPE, text=True)


def start_scheduler() -> subprocess.Popen[bytes]:
    options = ("--host", HOSTS[0], "--port", str(PORT), "--no-dashboard")
    return start(0, "distributed.cli.dask_scheduler", *options)


def start_worker(place: int) -> subprocess.Popen[bytes]:
    options = ("--nworkers", "1", "--nthreads", "2", "--host", HOSTS[place], "--no-dashboard", "--memory-limit", "0")
    return start(place, "distributed.cli.dask_worker", ADDRESS, *options)


def start(place: int, module: str, *arguments: str) -> subprocess.Popen[bytes]:
    command = [*enter(place), sys.executable, "-m", module, *arguments]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, stdout=quiet, stderr=quiet, start_new_session=True)


def enter(place: int) -> list[str]:
    return ["ip", "netns", "exec", SPACES[place]]


def await_workers(count: int) -> None:
    code = f"from distributed import Client; Client('{ADDRESS}', timeout=60).wait_for_workers({count}, timeout=120)"
    subprocess.run([*enter(0), sys.executable, "-c", code], check=True)


def list_workers(nannies: list[subprocess.Popen[bytes]]) -> list[int]:
    """The processes that encode, as the nannies of Dask start them."""
    found: list[int] = []
    while not found:
        for nanny in nannies:
            command = ["pgrep", "-P", str(nanny.pid), "-f", "spawn_main"]
            listed = subprocess.run(command, capture_output=True, text=True, check=False)
            found += map(int, listed.stdout.split())
    return found


def end(processes: list[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def make_namespaces() -> None:
    for space in SPACES:
        subprocess.run(["ip", "netns", "add", space], check=True)
    pair = ("hs-a", "hs-b")
    subprocess.run(["ip", "link", "add", pair[0], "type", "veth", "peer", "name", pair[1]], check=True)
    for space, device, host in zip(SPACES, pair, HOSTS, strict=True):
        inside = ["ip", "-n", space]
        subprocess.run(["ip", "link", "set", device, "netns", space], check=True)
        subprocess.run([*inside, "addr", "add", f"{host}/30", "dev", device], check=True)
        for name in (device, "lo"):
            subprocess.run([*inside, "link", "set", name, "up"], check=True)


if __name__ == "__main__":
    main()
