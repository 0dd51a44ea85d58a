"""Words asked of an archive that knows diagnoses and organs but has few reports: are the right slides first, and is it
said when nothing fits?

Each picture of DATA/manifest.csv is a slide of a single tile (lite0) with its diagnosis and organ; the patients of
DATA/reports whose own report there is have it. The queries stand in word_queries.toml, nonsense beside them; further
nonsense is drawn from everyday English words with a fixed seed. Precision counts the right ones among the first ten, or
among as many as there are right ones. `before` in the table is any older version run with the same archive folder:
    python benchmarks/word_queries.py DATA --out FOLDER [--random 100] [--each]
"""

from __future__ import annotations

import argparse
import csv
import time
import tomllib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import cv2
import h5py
import numpy as np
from real_reports import read_first_texts
from rich.progress import track

from histoseek.api import Archive
from histoseek.encoders.recipe import Recipe
from histoseek.encoders.tile.registry import load_tile_encoder

DEPTH = 10


@dataclass(frozen=True)
class Picture:
    name: str
    file: Path
    patient: str
    organ: str
    diagnosis: str


@dataclass(frozen=True)
class Query:
    text: str
    kind: str
    diagnoses: tuple[str, ...]

    def is_answer(self, diagnosis: str) -> bool:
        return any(fnmatch(diagnosis.lower(), pattern) for pattern in self.diagnoses)


def list_pictures(data: Path) -> list[Picture]:
    pictures = []
    with (data / "manifest.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            path = data / row["file"]
            name = f"{path.parent.name}-{path.stem}"
            pictures.append(Picture(name, path, row["patient_or_group"], row["organ"], row["diagnosis"]))
    return pictures


def make_archive(data: Path, out: Path) -> Archive:
    """The pictures with their tables; made once, features are shared by archives of several versions."""
    pictures, features = list_pictures(data), out / "features"
    features.mkdir(parents=True, exist_ok=True)
    encoder = load_tile_encoder("lite0")
    missing = [picture for picture in pictures if not (features / f"{picture.name}.h5").exists()]
    for picture in track(missing, "encoding", disable=not missing):
        write_features(picture, encoder, features)
    reports = read_first_texts(data)
    with (out / "slides.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["slide_id", "patient_id", "organ", "diagnosis", "report"])
        table.writerows([p.name, p.patient, p.organ, p.diagnosis, reports.get(p.patient, "")] for p in pictures)
    path = out / "words.archive"
    if path.exists():
        return Archive.open(path)
    archive = Archive.create(path, Recipe(encoder="features:lite0"))
    archive.index([features], out / "slides.csv", out / "slides.csv")
    return archive


def write_features(picture: Picture, encoder: object, folder: Path) -> None:
    pixels = cv2.cvtColor(cv2.imread(str(picture.file)), cv2.COLOR_BGR2RGB)
    tile = cv2.resize(pixels, (224, 224), interpolation=cv2.INTER_AREA)
    with h5py.File(folder / f"{picture.name}.h5", "w") as file:
        file["features"] = encoder.encode(tile[None])  # type: ignore[attr-defined]
        file["coords"] = np.zeros((1, 2), np.int32)


def draw_nonsense(words: Sequence[str], count: int) -> list[str]:
    """Everyday words in no order, two to seven of them."""
    rng = np.random.default_rng(0)
    return [" ".join(rng.choice(words, rng.integers(2, 8), replace=False)) for _ in range(count)]


def fits(archive: Archive, text: str) -> bool:
    return not getattr(archive.search(text=text, k=DEPTH), "nothing_fits", False)


def print_precision(archive: Archive, queries: Sequence[Query], each: bool) -> None:
    diagnoses = {record.slide_id: record.diagnosis or "" for record in archive.records()}
    counts = Counter(diagnoses.values())
    shares: dict[str, list[float]] = defaultdict(list)
    unfit, seconds = [], []
    for query in queries:
        answers = sum(count for diagnosis, count in counts.items() if query.is_answer(diagnosis))
        started = time.perf_counter()
        results = archive.search(text=query.text, k=DEPTH)
        seconds.append(time.perf_counter() - started)
        right = sum(query.is_answer(result.record.diagnosis or "") for result in results)
        share = right / min(DEPTH, answers)
        shares[query.kind].append(share)
        if getattr(results, "nothing_fits", False):
            unfit.append(query.text)
        if each:
            print(f"| {query.text} | {answers} | {share:.1f} |", flush=True)
    print("\n| queries | number | precision at 10 |\n| --- | --- | --- |")
    for kind, values in shares.items():
        print(f"| {kind} | {len(values)} | {np.mean(values):.3f} |")
    everything = [share for values in shares.values() for share in values]
    print(f"| **all** | {len(everything)} | {np.mean(everything):.3f} |")
    print(f"\nreal ones said not to fit: {len(unfit)} of {len(everything)} {unfit or ''}")
    print(f"median of a search: {1000 * np.median(seconds):.0f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--random", type=int, default=100)
    parser.add_argument("--each", action="store_true")
    given = parser.parse_args()
    tables = tomllib.loads(Path(__file__).with_suffix(".toml").read_text())
    queries = [Query(row["text"], row["kind"], tuple(row["diagnoses"])) for row in tables["queries"]]
    archive = make_archive(given.data, given.out)
    archive.search(text="a first search loads what later ones use", k=1)
    with_report = sum(1 for record in archive.records() if record.report)
    print(f"{len(archive)} slides, {with_report} with a report")
    print_precision(archive, queries, given.each)
    for title, texts in (
        ("written", [row["text"] for row in tables["nonsense"]]),
        ("random", draw_nonsense(tables["everyday"].split(), given.random)),
    ):
        fitting = [text for text in texts if fits(archive, text)]
        print(f"nonsense, {title}: {len(texts) - len(fitting)} of {len(texts)} said not to fit {fitting[:5] or ''}")


if __name__ == "__main__":
    main()
