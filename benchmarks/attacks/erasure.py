"""What is left of a removed slide, and of a replaced report, in an archive's folder: in every file, every block opened.

PYTHONPATH=src:. python benchmarks/attacks/erasure.py FOLDER [--slides 200]

FOLDER must not exist. Makes an archive of --slides random feature files with metadata and reports, removes a slide and
replaces the report of another, and looks after each stage for the slide's id, file, patient, diagnosis, report, words
and vectors. Prints for each stage which of these are left, and in how many files. Runs with older versions of
histoseek too (PYTHONPATH), where parts with --now are left out. A minute or two for 200 slides; ends by itself.
"""

from __future__ import annotations

import argparse
import inspect
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from tests.archive.feature_files import write_feature_files
from tests.archive.leftover_bytes import find_leftovers
from tests.cli.process import histoseek

from histoseek.api import Archive
from histoseek.encoders.recipe import Recipe

REMOVED, CHANGED = 7, 11
NEW_REPORT = "Lung, biopsy: squamous cell carcinoma."


@dataclass(frozen=True, slots=True)
class Wanted:
    """What nothing should be left of, by what it is called."""

    texts: Mapping[str, str]
    vectors: Mapping[str, NDArray[Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--slides", type=int, default=200)
    given = parser.parse_args()
    folder: Path = given.folder.resolve()
    folder.mkdir(parents=True)
    filled, features = folder / "filled", folder / "slides"
    fill(filled, features, given.slides)
    print("stage\tof the removed slide\tin files\tof the replaced report\tin files")
    archive = Archive.open(filled)
    removed = Wanted(list_texts(archive, REMOVED), list_vectors(archive, REMOVED))
    report = Wanted(list_report_texts(CHANGED), {"report vector": archive.get(name(CHANGED)).language.report_vector})
    show("before", filled, removed, report)
    run_stages(copy(filled), features, removed, report, now=False)
    if "now" in inspect.signature(archive.remove).parameters:
        run_stages(copy(filled), features, removed, report, now=True)


def run_stages(path: Path, features: Path, removed: Wanted, report: Wanted, now: bool) -> None:
    options: dict[str, Any] = {"now": True} if now else {}
    Archive.open(path).remove([name(REMOVED)], **options)
    Archive.open(path).update(name(CHANGED), {"report": NEW_REPORT}, **options)
    show(f"after remove and update{' with now' if now else ''}", path, removed, report)
    if now:
        return
    stages: dict[str, Callable[[], object]] = {
        "after 3 updates of others": lambda: [
            Archive.open(path).update(name(number), {"organ": "lung"}) for number in (1, 2, 3)
        ],
        "after index without changes": lambda: histoseek("index", features / f"{name(1)}.h5", "--archive", path),
        "after the stated time, by list": lambda: list_when_due(path),
        "after the stated time, by index": lambda: histoseek(
            "index", features / f"{name(1)}.h5", "--archive", path, HISTOSEEK_HISTORY_MINUTES="0"
        ),
    }
    for stage, do in stages.items():
        do()
        show(stage, path, removed, report)


def list_when_due(path: Path) -> None:
    """As 10 minutes later: what waits has done so since long ago."""
    waiting = path / "erasure.json"
    if waiting.exists():
        content = {**json.loads(waiting.read_text()), "since": "2020-01-01T00:00:00+00:00"}
        content.pop("checksum", None)
        waiting.write_text(json.dumps(content))
    histoseek("list", "--archive", path)


def show(stage: str, path: Path, removed: Wanted, report: Wanted) -> None:
    columns = []
    for wanted in (removed, report):
        leftovers = find_leftovers(path, wanted.texts, wanted.vectors)
        kinds = sorted({leftover.what for leftover in leftovers})
        total = len(wanted.texts) + len(wanted.vectors)
        columns += [f"{len(kinds)} of {total}", str(len({leftover.path for leftover in leftovers}))]
    print("\t".join((stage, *columns)), flush=True)


def fill(path: Path, features: Path, slides: int) -> None:
    write_feature_files(features, map(name, range(slides)), tiles=16, dimension=64)
    archive = Archive.create(path, Recipe(encoder="features:attacked"))
    half = slides // 2
    for numbers in (range(half), range(half, slides)):
        rows = [list_row(number) for number in numbers]
        report = archive.index([features / f"{name(number)}.h5" for number in numbers], rows)
        if report.added != len(rows):
            raise SystemExit(f"{report.added} of {len(rows)} slides were taken in")


def copy(filled: Path) -> Path:
    target = filled.with_name("attacked")
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(filled, target)
    return target


def name(number: int) -> str:
    return f"xenolith-{number:05d}"


def list_row(number: int) -> dict[str, str]:
    return {"slide_id": name(number), "patient_id": f"quincunx-{number:05d}", **list_stated(number)}


def list_stated(number: int) -> dict[str, str]:
    word = f"zebrawort{number:05d}x"
    return {
        "diagnosis": f"palimpsest{number:05d}x",
        "report": f"Colon, biopsy {number}: adenocarcinoma beside {word}, which other slides lack.",
    }


def list_texts(archive: Archive, number: int) -> dict[str, str]:
    own = {"slide id": name(number), "file": f"{name(number)}.h5", "patient": f"quincunx-{number:05d}"}
    content = {"content": archive.get(name(number)).record.file_fingerprint}
    return {**own, **content, "diagnosis": list_stated(number)["diagnosis"], **list_report_texts(number)}


def list_report_texts(number: int) -> dict[str, str]:
    return {"report": list_stated(number)["report"], "report word": f"zebrawort{number:05d}x"}


def list_vectors(archive: Archive, number: int) -> dict[str, NDArray[Any]]:
    slide = archive.get(name(number))
    report = slide.language.report_vector
    vectors = {"global vector": slide.signature.global_vector, "mosaic": slide.signature.mosaic}
    return vectors if report is None else {**vectors, "report vector": report}


if __name__ == "__main__":
    main()
