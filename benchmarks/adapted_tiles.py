"""Adapting `lite0` to labelled tiles: inside one source, patients held out in folds, and from one source to another.

Inside: five folds over patients; those of a fold are asked once, by an encoder whose weights, epoch and blend were
chosen on the others. Across: adapted to all of one source, the slides of the other ask each other, and the slides of
the other source ask those that were trained on. MAP@5 before and after, with 95 % intervals of the difference over
patients and the paired permutation test. Needs the extra `torch`; about ten minutes of one core:
    python benchmarks/adapted_tiles.py DATA --out FOLDER [--folds 5] [--archives FOLDER]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from real.run import TASKS, image_archive

from histoseek.api import Archive
from histoseek.evaluation.significance import holm
from histoseek.progress import SilentReporter
from histoseek.training.split import split_patients
from histoseek.training.tiles.activations import Activations, compute_activations
from histoseek.training.tiles.adapt import train_blocks
from histoseek.training.tiles.cases import LabelledSlides, SlideParts, load_labelled_slides
from histoseek.training.tiles.network import SplitNetwork, load_split_network
from histoseek.training.tiles.retrieval import Gain, average_slides, compare_precisions, measure_precision
from histoseek.training.tiles.settings import TileAdaptSettings

INSIDE = {"LC25000 lung, 3 diagnoses": TASKS[0], "TCGA NSCLC, 2 diagnoses": TASKS[1]}
ORGAN = "MoNuSeg and CryoNuSeg, organ"


@dataclass(frozen=True)
class Source:
    """A data set: its slides, what the frozen blocks give for their tiles, and places of its patients' folds."""

    name: str
    slides: LabelledSlides
    activations: Activations


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--archives", type=Path, help="where benchmarks/real/run.py left its archives, else --out")
    parser.add_argument("--folds", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(1)
    given.out.mkdir(parents=True, exist_ok=True)
    archives, settings = given.archives or given.out, TileAdaptSettings(tiles=4, device="cpu")
    network = load_split_network("lite0", settings.blocks)
    sources = {
        name: read_source(name, image_archive(task, given.data, archives), "diagnosis", network, settings, given.out)
        for name, task in INSIDE.items()
    }
    organ = read_source(ORGAN, image_archive(TASKS[3], given.data, archives), "organ", network, settings, given.out)
    rows = [inside(source, settings, given.folds, given.out) for source in sources.values()]
    first, second = sources.values()
    for source, other in ((first, second), (second, first)):
        rows += across(source, (other, organ), settings, given.out)
    print("\n".join(as_table(rows)))


def read_source(
    name: str, archive: Archive, column: str, network: SplitNetwork, settings: TileAdaptSettings, out: Path
) -> Source:
    slides = load_labelled_slides(archive, column)
    for note in slides.notes:
        print(f"{name}: {note}", flush=True)
    work, views = out / slug(name), settings.views if name != ORGAN else 1
    found = compute_activations(network, slides.slides, settings.tiles, views, settings.seed, work, SilentReporter())
    print(f"{name}: {len(slides)} slides of {len(np.unique(slides.patients))} patients", flush=True)
    return Source(name, slides, found)


def inside(source: Source, settings: TileAdaptSettings, folds: int, out: Path) -> tuple[str, Gain]:
    """Every patient is held out once; the gain is over all folds' queries."""
    before, after, owners = [], [], []
    for number, fold in enumerate(make_folds(source.slides, folds)):
        started = time.monotonic()
        parts = hold_out(source.slides, fold, settings)
        vectors = adapt(source, parts, settings, out / f"{slug(source.name)}-fold-{number}", (source,))[source.name]
        for values, kept in zip(vectors, (before, after), strict=True):
            kept.append(precision(values, source.slides, parts.test, range(len(source.slides))))
        owners.append(source.slides.patients[list(parts.test)])
        means = np.nanmean(before[-1]), np.nanmean(after[-1])
        print(
            f"{source.name}, fold {number}: {means[0]:.3f} {means[1]:.3f}, {time.monotonic() - started:.0f} s",
            flush=True,
        )
    gain = compare_precisions(*map(np.concatenate, (before, after, owners)), settings.seed)
    return f"{source.name}: patients held out", gain


def across(source: Source, others: Sequence[Source], settings: TileAdaptSettings, out: Path) -> list[tuple[str, Gain]]:
    """Adapted to all patients of one source but those that choose epoch and blend, asked of others."""
    parts = hold_out(source.slides, frozenset(), settings)
    found = adapt(source, parts, settings, out / f"{slug(source.name)}-whole", (source, *others))
    rows = []
    for other in others:
        everyone, slides = range(len(other.slides)), other.slides
        pair = [precision(values, slides, everyone, everyone) for values in found[other.name]]
        rows.append(
            (f"adapted to {source.name}: {other.name}", compare_precisions(*pair, slides.patients, settings.seed))
        )
    other = others[0]
    joined = LabelledSlides((*other.slides.slides, *source.slides.slides), "diagnosis")
    queries, database = range(len(other.slides)), range(len(other.slides), len(joined))
    pair = [
        precision(np.concatenate([a, b]), joined, queries, database)
        for a, b in zip(found[other.name], found[source.name], strict=True)
    ]
    gain = compare_precisions(*pair, joined.patients[list(queries)], settings.seed)
    return [*rows, (f"adapted to {source.name}: {other.name}, asked of {source.name}", gain)]


def adapt(
    source: Source, parts: SlideParts, settings: TileAdaptSettings, work: Path, shown: Sequence[Source]
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Means of slides before and after, float32 [n, D] each, of the sources shown."""
    network = load_split_network("lite0", settings.blocks)
    before = {each.name: encode(network, each) for each in shown}
    done = train_blocks(network, source.activations, source.slides, parts, settings, work, SilentReporter())
    print(f"  epoch {done.best_epoch} of {len(done.epochs) - 1}, blend {done.blend}, {done.seconds:.0f} s", flush=True)
    return {each.name: (before[each.name], encode(network, each)) for each in shown}


def encode(network: SplitNetwork, source: Source) -> np.ndarray:
    parts, values = [], source.activations.values
    with torch.inference_mode():
        for start in range(0, len(values), 64):
            batch = torch.from_numpy(values[start : start + 64, 0].astype(np.float32))
            parts.append(network.compute_tail(batch).numpy())
    return average_slides(np.concatenate(parts), source.activations.slide_of, len(source.slides))


def precision(
    vectors: np.ndarray, slides: LabelledSlides, queries: Sequence[int], database: Sequence[int]
) -> np.ndarray:
    return measure_precision(vectors, slides.labels, slides.patients, queries, database)


def make_folds(slides: LabelledSlides, count: int) -> list[frozenset[str]]:
    """Patients of each fold, those of each label spread over all folds."""
    folds: list[set[str]] = [set() for _ in range(count)]
    for label in slides.classes:
        patients = sorted({slide.patient for slide in slides.slides if slide.label == label})
        for place, patient in enumerate(np.random.default_rng(0).permutation(patients)):
            folds[place % count].add(str(patient))
    return [frozenset(fold) for fold in folds]


def hold_out(slides: LabelledSlides, test: frozenset[str], settings: TileAdaptSettings) -> SlideParts:
    validation: set[str] = set()
    for label in slides.classes:
        rest = sorted({slide.patient for slide in slides.slides if slide.label == label} - test)
        validation |= split_patients(rest, settings.seed, settings.shares)[1]
    parts = [
        tuple(
            i for i, slide in enumerate(slides.slides) if (slide.patient in test, slide.patient in validation) == kind
        )
        for kind in ((False, False), (False, True), (True, False))
    ]
    return SlideParts(*parts)


def as_table(rows: Sequence[tuple[str, Gain]]) -> list[str]:
    corrected = holm(np.array([gain.p for _, gain in rows]))
    lines = [
        "| who asks whom | queries | patients | before | after | difference (95 %) | p (Holm) |",
        "|" + " --- |" * 7,
    ]
    for (name, gain), p in zip(rows, corrected, strict=True):
        interval = f"{gain.difference:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"
        counts = f"{gain.queries} | {gain.patients} | {gain.before:.3f} | {gain.after:.3f}"
        lines.append(f"| {name} | {counts} | {interval} | {gain.p:.3g} ({p:.3g}) |")
    return lines


def slug(name: str) -> str:
    return "".join(sign if sign.isalnum() else "-" for sign in name.lower())


if __name__ == "__main__":
    main()
