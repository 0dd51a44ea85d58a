"""What changes of an archive cost: indexing feature files, removing slides, changing reports, erasing what is left.

python benchmarks/archive_writes.py FOLDER [--slides 1000 100000] [--new 512]

An archive of simulated slides (clustered signatures, a diagnosis, a short report each) is made in FOLDER once for each
size and kept there; every measure works on a fresh copy of it, in a process of its own. `index` takes in --new feature
files with metadata and reports; `first index` the same into an empty archive. Runs with older versions of histoseek
too (PYTHONPATH), where `--now` parts are left out.
"""

from __future__ import annotations

import argparse
import inspect
import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np

from histoseek.api import Archive
from histoseek.archive.report_index import make_analyser_mark, make_record_mark
from histoseek.archive.schema import StoredSlide
from histoseek.archive.space.centre import BagMean
from histoseek.encoders.recipe import Recipe
from search import DIMENSION, KINDS, MOSAIC, simulated, slide_name

BATCH = 2000
TILES = 64
ENCODER = "features:simulated"
TEXTS = 600
"""Different reports among the simulated ones, which are read once."""

SITES = ("colon", "breast", "lung", "kidney", "prostate", "skin", "liver", "stomach", "thyroid", "bladder")
DIAGNOSES = ("adenocarcinoma", "squamous cell carcinoma", "adenoma", "lymphoma", "melanoma", "chronic inflammation")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--slides", type=int, nargs="+", default=[1000, 100_000])
    parser.add_argument("--new", type=int, default=512)
    parser.add_argument("--parts", nargs="+", default=list(PARTS))
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--archive", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    features = arguments.folder / f"features-{arguments.new}"
    if arguments.part:
        print(json.dumps(measure(PARTS[arguments.part], arguments.archive, features)))
        return
    arguments.folder.mkdir(parents=True, exist_ok=True)
    if not features.exists():
        write_features(features, arguments.new)
    for slides in arguments.slides:
        filled = arguments.folder / f"filled-{slides}.archive"
        if not filled.exists():
            fill(filled, slides)
        for part in arguments.parts:
            run_part(arguments, part, slides, filled)


def run_part(arguments: argparse.Namespace, part: str, slides: int, filled: Path) -> None:
    copy = arguments.folder / "copy.archive"
    shutil.rmtree(copy, ignore_errors=True)
    if part != "first index":
        shutil.copytree(filled, copy)
    command = [sys.executable, __file__, str(arguments.folder), "--new", str(arguments.new)]
    command += ["--part", part, "--archive", str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(f"{slides}\t{part}\t{done.stdout.strip() or done.stderr[-600:]}", flush=True)
    shutil.rmtree(copy, ignore_errors=True)


def measure(part: Callable[[Path, Path], bool], archive: Path, features: Path) -> dict[str, float] | str:
    started, used = time.perf_counter(), cpu_s()
    if not part(archive, features):
        return "not in this version"
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"wall_s": round(time.perf_counter() - started, 2), "cpu_s": round(cpu_s() - used, 2), "peak_mb": peak_mb}


def cpu_s() -> float:
    return sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def index(path: Path, features: Path) -> bool:
    archive = Archive.open(path) if path.exists() else Archive.create(path, Recipe(encoder=ENCODER))
    report = archive.index([features], features / "metadata.csv", features / "reports.csv")
    if report.refused:
        raise SystemExit(f"{len(report.refused)} refused: {report.refused[0].reason}")
    return True


def index_nothing(path: Path, _: Path) -> bool:
    Archive.open(path).index([])
    return True


def remove(path: Path, count: int, now: bool | None) -> bool:
    archive = Archive.open(path)
    if "now" not in inspect.signature(archive.remove).parameters:
        if now:
            return False
        archive.remove([slide_name(number * 7) for number in range(count)])
        return True
    archive.remove([slide_name(number * 7) for number in range(count)], now=bool(now))
    return True


def change_report(path: Path, now: bool) -> bool:
    archive = Archive.open(path)
    if "now" not in inspect.signature(archive.update).parameters:
        if now:
            return False
        archive.update(slide_name(7), {"report": "Colon, biopsy: tubular adenoma."})
        return True
    archive.update(slide_name(7), {"report": "Colon, biopsy: tubular adenoma."}, now=now)
    return True


PARTS: dict[str, Callable[[Path, Path], bool]] = {
    "first index": index,
    "index": index,
    "index without changes": index_nothing,
    "remove 1": lambda path, _: remove(path, 1, now=False),
    "remove 20": lambda path, _: remove(path, 20, now=False),
    "update a report": lambda path, _: change_report(path, now=False),
    "remove 1 --now": lambda path, _: remove(path, 1, now=True),
    "remove 20 --now": lambda path, _: remove(path, 20, now=True),
    "update a report --now": lambda path, _: change_report(path, now=True),
}


def write_features(folder: Path, count: int) -> None:
    rng = np.random.default_rng(1)
    folder.mkdir()
    metadata, reports = ["slide_id,patient_id,diagnosis"], ["slide_id,report"]
    centres = rng.standard_normal((KINDS, DIMENSION), np.float32)
    for number in range(count):
        name = f"new{number:05d}"
        with h5py.File(folder / f"{name}.h5", "w") as file:
            file["features"] = centres[number % KINDS] + 0.8 * rng.standard_normal((TILES, DIMENSION), np.float32)
            file["coords"] = np.stack([np.arange(TILES) % 8, np.arange(TILES) // 8], 1) * 448
        metadata.append(f"{name},n{number // 2},{DIAGNOSES[number % 6]}")
        reports.append(f'{name},"{write_report(number + TEXTS)}"')
    (folder / "metadata.csv").write_text("\n".join(metadata) + "\n")
    (folder / "reports.csv").write_text("\n".join(reports) + "\n")


def write_report(number: int) -> str:
    """One sentence that few others share, so that none is boilerplate."""
    site, diagnosis = SITES[number % 10], DIAGNOSES[number % 6]
    return f"{site.title()}, biopsy {number}: {diagnosis} in {1 + number % 97} of {100 + number % 89} fields."


def fill(path: Path, slides: int) -> None:
    rng = np.random.default_rng(0)
    archive = Archive.create(path, Recipe(encoder=ENCODER), text_encoder="none")
    archive.settle_space([BagMean(np.zeros(DIMENSION, np.float32), ENCODER)])
    kinds = rng.standard_normal((KINDS, MOSAIC + 1, DIMENSION), np.float32)
    read = archive.language.read_reports(
        [with_report(simulated(number, kinds, rng), number) for number in range(TEXTS)]
    )
    for first in range(0, slides, BATCH):
        numbers = range(first, min(slides, first + BATCH))
        made = [(number, with_report(simulated(number, kinds, rng), number)) for number in numbers]
        archive.store.upsert([replace(slide, language=read[number % TEXTS].language) for number, slide in made])
        print(f"{slides} slides: {numbers.stop} made", end="\r", file=sys.stderr, flush=True)
    archive.store.set_analyser(make_analyser_mark())
    archive.store.set_record_analyser(make_record_mark())
    archive.store.optimize()
    # What the first run of any kind would make, such as weights of distances.
    archive.index([])


def with_report(slide: StoredSlide, number: int) -> StoredSlide:
    text, diagnosis = write_report(number % TEXTS), DIAGNOSES[number % 6]
    uri = f"/simulated/{slide.record.slide_id}.h5"
    return replace(slide, record=replace(slide.record, uri=uri, report=text, diagnosis=diagnosis))


if __name__ == "__main__":
    main()
