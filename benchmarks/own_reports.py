"""Text to slide and slide to report on the patients of the real tiles whose own reports there are: 23 of them.

Slides are the fields of one TCGA patient in DATA/tiles (MoNuSeg, CryoNuSeg, glioma), cut into overlapping tiles and
encoded by lite0; their texts are the patients' own reports (DATA/reports/tcga_reports.jsonl.gz). Without an alignment a
slide stands for the mean report of the three nearest slides of other patients; aligned, every pair is projected by
maps that were fitted without its patient (5 folds). Chance and intervals over patients stand beside. Run:
    python benchmarks/own_reports.py DATA --out FOLDER
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from pathlib import Path

import numpy as np
from crossmodal import PseudoSlide, show, vectors, write_features, write_table
from real_reports import read_first_texts

from histoseek.api import Archive
from histoseek.encoders.recipe import Recipe
from histoseek.encoders.tile.registry import load_tile_encoder
from histoseek.statistics.clustering import normalise_rows
from histoseek.training.alignment.closed_form import measure_held_out_recalls
from histoseek.training.pairs import TrainingPair, archive_pairs
from histoseek.training.recall_at_k import recalls

NEIGHBOURS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    archive = make_archive(given.data, given.out)
    pairs = archive_pairs(archive)
    print(f"{len(pairs)} slides of {len({pair.patient_id for pair in pairs})} patients")
    slides, texts = vectors(archive, pairs)
    own = np.array([pair.patient_id for pair in pairs])
    similarity = np.where(own[:, None] == own, -np.inf, slides @ slides.T)
    nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :NEIGHBOURS]
    show(
        "without an alignment: the nearest slides' reports",
        recalls(normalise_rows(texts[nearest].mean(1)), texts, pairs, 0),
    )
    show("aligned on the other patients", measure_held_out_recalls(archive, pairs, 0))


def make_archive(data: Path, out: Path) -> Archive:
    """The slides with their patients' reports; made once."""
    path = out / "own.archive"
    if path.exists():
        return Archive.open(path)
    features = out / "own-features"
    features.mkdir(parents=True)
    encoder = load_tile_encoder("lite0")
    pairs = []
    reports = read_first_texts(data)
    for slide in list_slides(data, reports):
        write_features(slide, encoder, features / f"{slide.name}.h5")
        pairs.append(
            TrainingPair(slide.name, slide.name, slide.patient, reports[slide.patient], features, slide.diagnosis)
        )
    table = out / "own.csv"
    write_table(table, pairs)
    archive = Archive.create(path, Recipe(encoder="features:lite0"))
    archive.index([features], table, table)
    return archive


def list_slides(data: Path, reports: dict[str, str]) -> list[PseudoSlide]:
    """One slide a patient, of all its fields."""
    fields: dict[str, list[Path]] = defaultdict(list)
    organs: dict[str, str] = {}
    with (data / "manifest.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if row["patient_or_group"] in reports:
                fields[row["patient_or_group"]].append(data / row["file"])
                organs[row["patient_or_group"]] = row["organ"]
    return [PseudoSlide(patient, patient, organs[patient], tuple(files)) for patient, files in sorted(fields.items())]


if __name__ == "__main__":
    main()
