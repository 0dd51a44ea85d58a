"""Nearest other-patient neighbour on real fields, beside chance and plain mean-pooled cosine.

Each field is a slide; tiles of 224 px at the data set's own spacing, all of them. Run:
    python benchmarks/retrieval.py DATA [--out FOLDER]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from histoseek.api import Archive
from histoseek.archive.schema import SlideRecord
from histoseek.encoders.bag import load_bag
from histoseek.encoders.recipe import Recipe
from histoseek.mosaics.distances import get_distance


@dataclass(frozen=True)
class Task:
    name: str
    folder: str
    spacing_um_per_px: float
    spacing_tolerance: float
    label: Callable[[SlideRecord], str]


TASKS = (
    Task("MoNuSeg organ", "monuseg", 0.25, 0.05, lambda r: str(r.organ)),
    Task("CryoNuSeg organ", "cryonuseg", 0.25, 0.05, lambda r: str(r.organ)),
    Task("GlaS grade", "glas", 0.62, 0.05, lambda r: str(r.extra["class_label"])),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    print("| task | fields | chance | mean-pooled cosine | global | local | symmetric (default) | paper's distance |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as scratch:
        for task in TASKS:
            run(task, arguments.data, Path(arguments.out or scratch) / task.folder)


def run(task: Task, data: Path, path: Path) -> None:
    recipe = Recipe(
        spacing_um_per_px=task.spacing_um_per_px, spacing_tolerance=task.spacing_tolerance, tile_budget=None
    )
    archive = Archive.create(path, recipe)
    folder, rename = data / "tiles" / task.folder, {"patient_or_group": "patient_id"}
    spacing_of = {file.name: task.spacing_um_per_px for file in folder.iterdir()}
    report = archive.index([folder], data / "manifest.csv", rename=rename, spacing_of=spacing_of)
    records = archive.records()
    ids = [record.slide_id for record in records]
    block = archive.store.ranking_block(ids)
    slides = archive.store.get(ids)
    symmetric, pathsearch_paper = get_distance("symmetric"), get_distance("pathsearch-paper")
    ours = [symmetric(slide.signature, block) for slide in slides]
    paper = [pathsearch_paper(slide.signature, block) for slide in slides]
    tables = (
        pooled_cosine(archive, ids),
        np.array([d.global_ for d in ours]),
        np.array([d.local for d in ours]),
        np.array([d.total for d in ours]),
        np.array([d.total for d in paper]),
    )
    labels = [task.label(record) for record in records]
    patients = [str(record.patient_id) for record in records]
    cells = [accuracy(table, labels, patients) for table in tables]
    refused = f" ({len(report.refused)} refused)" if report.refused else ""
    print(f"| {task.name} | {len(ids)}{refused} | {chance(labels, patients):.3f} | {' | '.join(cells)} |", flush=True)


def pooled_cosine(archive: Archive, ids: Sequence[str]) -> np.ndarray:
    """Distances of uncentred mean features."""
    means = np.stack([load_bag(archive.layout.bag(slide_id)).features.mean(axis=0) for slide_id in ids])
    unit = means / np.linalg.norm(means, axis=1, keepdims=True)
    return 1 - unit @ unit.T


def askable(labels: Sequence[str], patients: Sequence[str]) -> list[tuple[int, list[int]]]:
    """Queries that have a right answer at another patient, with the slides they may find."""
    allowed = [[j for j in range(len(labels)) if patients[j] != patients[i]] for i in range(len(labels))]
    return [(i, others) for i, others in enumerate(allowed) if any(labels[j] == labels[i] for j in others)]


def accuracy(distances: np.ndarray, labels: Sequence[str], patients: Sequence[str]) -> str:
    asked = askable(labels, patients)
    hits = sum(labels[min(others, key=lambda j: distances[i, j])] == labels[i] for i, others in asked)
    return f"{hits}/{len(asked)} = {hits / len(asked):.3f}"


def chance(labels: Sequence[str], patients: Sequence[str]) -> float:
    asked = askable(labels, patients)
    return float(np.mean([np.mean([labels[j] == labels[i] for j in others]) for i, others in asked]))


if __name__ == "__main__":
    main()
