"""Training that learns: recall in four directions before, after `align` and after `train`, on patients held out.

Pseudo-slides: a real field, or the tiles of one patient or group, cut into overlapping tiles of 224 px. Reports: real
texts of the same diagnosis (PathGen captions by TCGA project, REG 2025), drawn without replacement, so that no text is
in two pairs; class terms in sentences where there are no such texts. `--cohort N` takes N simulated slides with their
own reports instead. Run:
    python benchmarks/crossmodal.py DATA --out FOLDER [--epochs 40]
    python benchmarks/crossmodal.py --cohort 500 --out FOLDER
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import cv2
import h5py
import numpy as np
from rich.progress import track

from histoseek.api import Archive
from histoseek.encoders.recipe import Recipe
from histoseek.encoders.tile.registry import load_tile_encoder
from histoseek.progress import show_progress
from histoseek.statistics.clustering import normalise_rows
from histoseek.training.alignment.closed_form import align
from histoseek.training.pairs import PairedSlides, TrainingPair, archive_pairs
from histoseek.training.recall_at_k import RecallAtK, recalls
from histoseek.training.slides.settings import TrainingSettings
from histoseek.training.slides.train import prepare_split, train
from histoseek.training.split import Shares

NEIGHBOURS = 5
TERMS = {
    "benign lung tissue": ("lung parenchyma", "alveolar tissue", "pulmonary tissue", "lung tissue", "alveolated lung"),
    "colorectal adenoma": ("tubular adenoma of the colon", "colorectal adenoma", "adenomatous polyp of the colon"),
    "normal colon mucosa": ("colonic mucosa", "large bowel mucosa", "mucosa of the colon"),
    "colorectal adenocarcinoma, poorly differentiated": ("poorly differentiated adenocarcinoma of the colon",),
    "colorectal adenocarcinoma, moderately-to-poorly differentiated": (
        "moderately to poorly differentiated adenocarcinoma of the colon",
    ),
}
OPENINGS = (
    "",
    "Sections show ",
    "Histology shows ",
    "The specimen shows ",
    "Microscopy: ",
    "There is ",
    "Fragments of ",
)
NORMAL_ENDINGS = (
    " without evidence of malignancy.",
    ", benign, no tumour seen.",
    " with normal architecture.",
    ", unremarkable.",
    " without atypia or inflammation.",
)
TUMOUR_ENDINGS = (".", ", with atypia.", " in the sections examined.", ", as sampled.")
PROJECTS = {
    "lung adenocarcinoma": "LUAD",
    "lung squamous cell carcinoma": "LUSC",
    "breast invasive carcinoma": "BRCA",
    "prostate adenocarcinoma": "PRAD",
    "kidney renal clear cell carcinoma": "KIRC",
    "kidney renal papillary cell carcinoma": "KIRP",
    "bladder urothelial carcinoma": "BLCA",
    "colon adenocarcinoma": "COAD",
    "stomach adenocarcinoma": "STAD",
    "brain lower grade glioma": "LGG",
}


@dataclass(frozen=True)
class PseudoSlide:
    name: str
    patient: str
    diagnosis: str
    files: tuple[Path, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--cohort", type=int)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--tiles", type=int, default=64)
    parser.add_argument("--dimension", type=int, default=256)
    parser.add_argument("--learning-rate", type=float, default=3e-4)
    parser.add_argument("--diversity", type=float, default=1.0)
    parser.add_argument("--text-layers", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    archive = cohort_archive(given.cohort, given.out) if given.cohort else real_archive(given.data, given.out)
    settings = TrainingSettings(
        epochs=given.epochs,
        batch=given.batch,
        tiles=given.tiles,
        dimension=given.dimension,
        learning_rate=given.learning_rate,
        losses={"diversity": given.diversity},
        text_layers=given.text_layers,
        seed=given.seed,
        shares=Shares(0.6, 0.15, 0.25),
        patience=given.epochs,
    )
    run(archive, settings, given.out)


def run(archive: Archive, settings: TrainingSettings, out: Path) -> None:
    pairs = archive_pairs(archive)
    split = prepare_split(pairs, settings)
    assert not {p.text_key for p in split.test} & {p.text_key for p in split.train} or "cohort" in archive.path.name
    counts = [
        f"{len(part)} of {len({p.patient_id for p in part})}" for part in (split.train, split.validation, split.test)
    ]
    print(f"pairs of patients: train {counts[0]}, validation {counts[1]}, test {counts[2]}")
    show("before: nearest slides' reports", before(archive, [*split.train, *split.validation], split.test))
    aligned, seconds = after_align(archive, [*split.train, *split.validation], split.test, out)
    show(f"after align ({seconds:.1f} s)", aligned)
    started = time.perf_counter()
    with show_progress("steps", total=None) as reporter:
        result = train(PairedSlides.from_archive(archive), "minilm", settings, out / "training", reporter)
    show("untrained network", result.test.before.recalls)
    title = f"after train ({time.perf_counter() - started:.0f} s, best epoch {result.best_epoch} of {result.epochs})"
    show(title, result.test.after.recalls)
    before_after = (each.losses["diversity"] for each in (result.test.before, result.test.after))
    print("mosaic diversity loss: {:.3f} before, {:.3f} after".format(*before_after))
    for note in result.notes:
        print(f"note: {note}")


def before(archive: Archive, known: Sequence[TrainingPair], test: Sequence[TrainingPair]) -> list[RecallAtK]:
    """Without any alignment: a slide stands for the mean report of the nearest slides with reports."""
    slides, texts = vectors(archive, known)
    queries, reports = vectors(archive, test)
    nearest = np.argsort(-(queries @ slides.T), axis=1, kind="stable")[:, :NEIGHBOURS]
    across = recalls(normalise_rows(texts[nearest].mean(1)), reports, test, 0)
    within = [r for r in recalls(queries, queries, test, 0) if r.direction == "slide->slide"]
    return [*within, *(r for r in across if r.direction != "slide->slide")]


def after_align(
    archive: Archive, known: Sequence[TrainingPair], test: Sequence[TrainingPair], out: Path
) -> tuple[Sequence[RecallAtK], float]:
    """`align` on an archive of the known pairs alone; the test pairs go through its maps."""
    copy = Archive.create(out / f"known-{time.time_ns()}", Recipe(encoder="features:lite0"))
    folder, table = exported(archive, known, copy.path.with_name(copy.path.name + "-features"))
    copy.index([folder], table, table)
    seconds = align(copy).seconds
    alignment = copy.language.alignment
    assert alignment
    from histoseek.training.pairs import load_pair_bag

    signer = copy.signer
    bags = (replace(load_pair_bag(pair), encoder=signer.tile_encoder) for pair in test)
    slides = np.stack([signer.sign(bag).global_vector for bag in bags])
    return recalls(alignment.slides(slides), alignment.texts(vectors(archive, test)[1]), test, 0), seconds


def exported(archive: Archive, pairs: Sequence[TrainingPair], folder: Path) -> tuple[Path, Path]:
    from histoseek.training.pairs import load_pair_bag

    folder.mkdir(parents=True)
    for pair in pairs:
        bag = load_pair_bag(pair)
        with h5py.File(folder / f"{pair.slide_id}.h5", "w") as file:
            file["features"], file["coords"] = bag.features, bag.coords
            file["coords"].attrs["patch_size_level0"] = bag.tile_size_level0
    write_table(folder.with_suffix(".csv"), pairs)
    return folder, folder.with_suffix(".csv")


def write_table(path: Path, pairs: Sequence[TrainingPair]) -> None:
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["slide_id", "patient_id", "diagnosis", "report"])
        table.writerows([p.slide_id, p.patient_id, p.diagnosis, p.report] for p in pairs)


def vectors(archive: Archive, pairs: Sequence[TrainingPair]) -> tuple[np.ndarray, np.ndarray]:
    ids = [pair.slide_id for pair in pairs]
    return archive.store.vectors(ids, "global_vector"), archive.store.vectors(ids, "report_vector")


def show(title: str, found: Sequence[RecallAtK]) -> None:
    print(f"\n{title}\n\n| direction | right is | R@1 | 95 % | chance | R@5 | 95 % | chance | queries |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    rows: dict[tuple[str, str], list[RecallAtK]] = defaultdict(list)
    for recall in found:
        if recall.queries:
            rows[(recall.direction, recall.answer)].append(recall)
    for (direction, answer), (one, five) in rows.items():
        cells = [f"{r.value:.3f} | {r.low:.3f} to {r.high:.3f} | {r.chance:.3f}" for r in (one, five)]
        print(f"| {direction} | {answer} | {cells[0]} | {cells[1]} | {one.queries} |", flush=True)


def real_archive(data: Path, out: Path) -> Archive:
    path = out / "real.archive"
    if path.exists():
        return Archive.open(path)
    features = out / "features"
    features.mkdir(exist_ok=True)
    slides = pseudo_slides(data)
    encoder = load_tile_encoder("lite0")
    for slide in track(slides, "encoding"):
        write_features(slide, encoder, features / f"{slide.name}.h5")
    texts = reports(slides, data)
    pairs = [
        TrainingPair(s.name, s.name, s.patient, text, features, s.diagnosis)
        for s, text in zip(slides, texts, strict=True)
    ]
    write_table(out / "slides.csv", pairs)
    archive = Archive.create(path, Recipe(encoder="features:lite0"))
    archive.index([features], out / "slides.csv", out / "slides.csv")
    return archive


def pseudo_slides(data: Path) -> list[PseudoSlide]:
    groups: dict[tuple[str, str], list[tuple[Path, str]]] = defaultdict(list)
    with (data / "manifest.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            known = row["diagnosis"] in PROJECTS or row["diagnosis"] in TERMS or "moderately diff" in row["diagnosis"]
            if known and row["source_dataset"] and "nct" not in row["file"]:
                path = data / row["file"]
                groups[(path.parent.name, row["patient_or_group"])].append((path, row["diagnosis"]))
    slides = []
    for (folder, patient), found in sorted(groups.items()):
        for number, diagnosis in enumerate(sorted({diagnosis for _, diagnosis in found})):
            files = tuple(path for path, label in found if label == diagnosis)
            slides.append(
                PseudoSlide(f"{folder}-{patient}-{number}".replace("/", "-"), f"{folder}-{patient}", diagnosis, files)
            )
    return slides


def write_features(slide: PseudoSlide, encoder: object, path: Path) -> None:
    """Overlapping tiles of a field; those of small pictures are half its edge, and enlarged."""
    tiles, coords = [], []
    for number, file in enumerate(slide.files):
        picture = cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)
        edge = 224 if min(picture.shape[:2]) > 400 else 112
        for y in range(0, picture.shape[0] - edge + 1, edge // 2):
            for x in range(0, picture.shape[1] - edge + 1, edge // 2):
                tiles.append(
                    cv2.resize(picture[y : y + edge, x : x + edge], (224, 224), interpolation=cv2.INTER_LINEAR)
                )
                coords.append((x * 224 // edge + number * 2240, y * 224 // edge))
    features = np.concatenate([encoder.encode(np.stack(tiles[i : i + 32])) for i in range(0, len(tiles), 32)])  # type: ignore[attr-defined]
    with h5py.File(path, "w") as file:
        file["features"], file["coords"] = features, np.array(coords)
        file["coords"].attrs["patch_size_level0"] = 224


def reports(slides: Sequence[PseudoSlide], data: Path) -> list[str]:
    """A text of its diagnosis for each slide, no text twice; "" where there are no more of them."""
    rng = np.random.default_rng(0)
    pools: dict[str, Iterator[str]] = {}
    texts = texts_by_diagnosis(data)
    for diagnosis in sorted({slide.diagnosis for slide in slides}):
        pool = sorted(texts.get(diagnosis, set())) or class_terms(diagnosis)
        pools[diagnosis] = iter([pool[i] for i in rng.permutation(len(pool))])
    return [next(pools[slide.diagnosis], "") for slide in slides]


def texts_by_diagnosis(data: Path) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    with (data / "reports" / "tcga_patient_to_cancer_type.csv").open(newline="") as file:
        project = dict(list(row.values())[:2] for row in csv.DictReader(file))
    diagnosis_of = {code: diagnosis for diagnosis, code in PROJECTS.items()}
    for entry in json.loads((data / "reports" / "pathgen_sample_captions.json").read_text()):
        diagnosis = diagnosis_of.get(project.get(entry["wsi_id"][:12], ""))
        if diagnosis:
            found[diagnosis].add(entry["caption"])
    moderate = "colorectal adenocarcinoma, moderately differentiated"
    for entry in json.loads((data / "reports" / "reg2025_reports.json").read_text()):
        report = " ".join(entry["report"].split())
        if report.startswith(("Colon", "Rectum")) and report.endswith("Adenocarcinoma, moderately differentiated"):
            found[moderate].add(report)
    return found


def class_terms(diagnosis: str) -> list[str]:
    endings = NORMAL_ENDINGS if "benign" in diagnosis or "normal" in diagnosis else TUMOUR_ENDINGS
    return [f"{o}{t}{e}" for o, t, e in product(OPENINGS, TERMS[diagnosis], endings)]


def cohort_archive(count: int, out: Path) -> Archive:
    from histoseek.simulate.cohort_spec import CohortSpec, write_cohort

    path = out / "cohort.archive"
    if not path.exists():
        spec = CohortSpec(patients=count // 2, slides_per_patient=2, sites=3, size_px=1024, site_effect=0.5)
        with show_progress("simulated slides", total=count) as reporter:
            write_cohort(spec, out / "cohort", reporter)
        archive = Archive.create(path)
        archive.index([out / "cohort"], out / "cohort" / "metadata.csv", out / "cohort" / "reports.csv")
    return Archive.open(path)


if __name__ == "__main__":
    main()
