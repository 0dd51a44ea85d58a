"""What mosaics are for: pseudo-slides of many real tiles whose label is their minority content.

Each pseudo-slide has 16 to 64 tiles, of which 10 to 30 % are tumour and the rest is other tissue; every real image
gives tiles to one pseudo-slide alone, and where images come from patients, all slides of one count as one patient's. A
tile is half an image wide, as in benchmarks/crossmodal.py, and encoded by lite0. Run:
    python benchmarks/mixed.py DATA --out FOLDER
Features of tiles that --out has already are used again.
"""

from __future__ import annotations

import argparse
import csv
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import h5py
import numpy as np
from numpy.typing import NDArray

from histoseek.api import Archive
from histoseek.encoders.recipe import Recipe
from histoseek.encoders.tile.registry import load_tile_encoder
from histoseek.evaluation.cohort import load_cohort
from histoseek.evaluation.neighbours import Fold, rank
from histoseek.evaluation.scores import Scores, score
from histoseek.evaluation.significance import bootstrap, permutation_test
from histoseek.evaluation.systems.registry import make_systems

Floats = NDArray[np.float32]

SYSTEMS = ("global", "mean-pooled", "symmetric", "maxsim", "closest", "rare", "hshr")
SHOWN = ("top-1", "mMV@5", "MAP@5")
FEWEST, MOST = 16, 64
LEAST_SHARE, LARGEST_SHARE = 0.1, 0.3
MOST_OF_PATIENT = 18
"""Tumour tiles of a slide where a patient's ten images make four."""

NOTHING = "no tumour"


@dataclass(frozen=True)
class Image:
    """One image's overlapping tiles, float32 [9, D], and whom it is from."""

    tiles: Floats
    group: str


@dataclass(frozen=True)
class Task:
    """labels: of pseudo-slides, and the folder of tiles that make each, "" for none; others: folders of the rest;
    slides_per_group: where several images are of one patient, slides made of each."""

    name: str
    labels: tuple[tuple[str, str], ...]
    others: tuple[str, ...]
    slides_per_group: int = 0


ACA, SCC, LUNG = "lc25000_lung/lung_aca", "lc25000_lung/lung_scc", "lc25000_lung/lung_n"
COLON_ACA, COLON = "lc25000_colon/colon_aca", "lc25000_colon/colon_n"
OSCC, ORAL = "oral_400x/oral_OSCC", "oral_400x/oral_Normal"
LUAD, LUSC = "uni_nsclc_demo/LUAD", "uni_nsclc_demo/LUSC"

TASKS = (
    Task("LC25000: adenocarcinoma or squamous in lung", (("adenocarcinoma", ACA), ("squamous", SCC)), (LUNG,)),
    Task("LC25000: adenocarcinoma in colon, or none", (("adenocarcinoma", COLON_ACA), (NOTHING, "")), (COLON,)),
    Task("Oral: squamous carcinoma in mucosa, or none", (("squamous", OSCC), (NOTHING, "")), (ORAL,)),
    Task("TCGA: LUAD or LUSC in lung (LC25000)", (("LUAD", LUAD), ("LUSC", LUSC)), (LUNG,), slides_per_group=4),
    Task(
        "One of four carcinomas in three tissues",
        (("lung adenocarcinoma", ACA), ("lung squamous", SCC), ("colon adenocarcinoma", COLON_ACA), ("oral", OSCC)),
        (LUNG, COLON, ORAL),
    ),
)


ORDINARY = (
    Task("LC25000: an image is a slide", (("adenocarcinoma", ACA), ("squamous", SCC), ("benign", LUNG)), ()),
    Task("TCGA: an image is a slide", (("LUAD", LUAD), ("LUSC", LUSC)), ()),
)
"""What mosaics must not harm."""


@dataclass(frozen=True)
class PseudoSlide:
    tiles: Floats
    label: str
    patient: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ordinary", action="store_true", help="slides of one image, which are of one kind")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    print("| task | system | " + " | ".join(SHOWN) + " |\n" + "| --- " * (len(SHOWN) + 2) + "|")
    tasks = ORDINARY if given.ordinary else TASKS
    found = [answer(task, given.data, given.out, given.seed) for task in tasks]
    print("\nAgainst `global`, over all tasks and their pseudo-patients (paired permutation test):\n")
    print("| system | " + " | ".join(SHOWN) + " |\n| --- " + "| --- " * len(SHOWN) + "|")
    for name in SYSTEMS[1:]:
        print(f"| {name} | {' | '.join(compare_all([(one[name], one['global']) for one in found], given.seed))} |")


def answer(task: Task, data: Path, out: Path, seed: int) -> dict[str, tuple[Scores, NDArray[np.int64]]]:
    """The scores of each system, and the patients of the queries."""
    folders = [folder for _, folder in task.labels if folder] + list(task.others)
    images = {folder: read_images(folder, data, out) for folder in folders}
    slides = list(draw_slides(task, images, seed) if task.others else list_images(task, images))
    cohort = load_cohort(make_archive(slides, out / "mixed"), "diagnosis")
    everyone = np.arange(len(cohort), dtype=np.int64)
    fold = Fold(everyone, everyone, (cohort.patients,))
    found = {}
    for system in make_systems(SYSTEMS, cohort, 0):
        scores = score(rank(system, fold, cohort.labels, 10), cohort.labels, cohort.classes, cohort.patients, seed)
        cells = [scores.get_metric(name) for name in SHOWN]
        shown = " | ".join(f"{cell.value:.3f} ({cell.low:.2f} to {cell.high:.2f})" for cell in cells)
        print(f"| {task.name}, {len(slides)} slides | {system.name} | {shown} |", flush=True)
        found[system.name] = scores, cohort.patients
    return found


def compare_all(
    pairs: Sequence[tuple[tuple[Scores, NDArray[np.int64]], tuple[Scores, NDArray[np.int64]]]], seed: int
) -> list[str]:
    """Differences of SHOWN over the queries of all tasks, with intervals and p; patients of tasks are different."""
    values, patients, first = [], [], 0
    for (one, codes), (other, _) in pairs:
        columns = [one.names.index(name) for name in SHOWN]
        values.append(one.per_query[:, columns] - other.per_query[:, columns])
        patients.append(codes[one.queries] + first)
        first += int(codes.max()) + 1
    differences, owners = np.concatenate(values), np.concatenate(patients)
    low, high = bootstrap(differences, owners, seed, least=-1)
    p = permutation_test(differences, owners, seed)
    rows = zip(np.nanmean(differences, axis=0), low, high, p, strict=True)
    return [f"{mean:+.3f} ({a:+.3f} to {b:+.3f}, p {value:.4f})" for mean, a, b, value in rows]


def list_images(task: Task, images: dict[str, list[Image]]) -> Iterator[PseudoSlide]:
    """Each image as a slide of nine tiles."""
    for label, folder in task.labels:
        for image in images[folder]:
            yield PseudoSlide(image.tiles, label, image.group)


def draw_slides(task: Task, images: dict[str, list[Image]], seed: int) -> Iterator[PseudoSlide]:
    """Pseudo-slides until images run out."""
    rng = np.random.default_rng(seed)
    rest = shuffled([image for folder in task.others for image in images[folder]], rng)
    pools = {(folder, ""): shuffled(images[folder], rng) for _, folder in task.labels if folder}
    plan = [(label, folder, "") for _ in range(10_000) for label, folder in task.labels]
    if task.slides_per_group:
        groups = {(label, folder, image.group) for label, folder in task.labels for image in images[folder]}
        pools = {(f, group): [image for image in images[f] if image.group == group] for _, f, group in groups}
        plan = shuffled(sorted(groups) * task.slides_per_group, rng)
    for number, (label, folder, group) in enumerate(plan):
        count = round(float(np.exp(rng.uniform(np.log(FEWEST), np.log(MOST)))))
        few = max(1, round(count * rng.uniform(LEAST_SHARE, LARGEST_SHARE))) if folder else 0
        pool = pools.get((folder, group), [])
        few = min(few, MOST_OF_PATIENT) if task.slides_per_group else few
        parts = take(pool, few, rng), take(rest, count - few, rng)
        if any(part is None for part in parts):
            return
        tiles = np.concatenate([part for part in parts if part is not None])
        yield PseudoSlide(tiles, label, group or f"pseudo-patient-{number}")


def shuffled(items: list, rng: np.random.Generator) -> list:  # type: ignore[type-arg]
    return [items[i] for i in rng.permutation(len(items))]


def take(pool: list[Image], count: int, rng: np.random.Generator) -> Floats | None:
    """So many tiles, of as many images as that needs, which leave the pool; None when it has too few."""
    if 9 * len(pool) < count:
        return None
    images = [pool.pop() for _ in range(-(-count // 9))]
    tiles = np.concatenate([image.tiles for image in images]) if images else np.zeros((0, 1280), np.float32)
    return tiles[rng.permutation(len(tiles))[:count]]


def make_archive(slides: Sequence[PseudoSlide], out: Path) -> Archive:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    with (out / "slides.csv").open("w", newline="") as table:
        writer = csv.writer(table)
        writer.writerow(["slide_id", "patient_id", "diagnosis"])
        for number, slide in enumerate(slides):
            with h5py.File(out / f"mixed-{number:04d}.h5", "w") as file:
                file["features"] = slide.tiles
                side = int(np.ceil(np.sqrt(len(slide.tiles))))
                file["coords"] = 224 * np.stack(np.divmod(np.arange(len(slide.tiles)), side), axis=1)
                file["coords"].attrs["patch_size_level0"] = 224
            writer.writerow([f"mixed-{number:04d}", slide.patient, slide.label])
    archive = Archive.create(out / "archive", Recipe(encoder="features:lite0"), text_encoder="none")
    archive.index([out], out / "slides.csv")
    return archive


def read_images(folder: str, data: Path, out: Path) -> list[Image]:
    """The images of a folder of tiles, in the order of the manifest, encoded once."""
    path = out / f"{folder.replace('/', '-')}.npz"
    if not path.exists():
        with (data / "manifest.csv").open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["file"].startswith(f"tiles/{folder}/")]
        encoder = load_tile_encoder("lite0")
        tiles = np.stack([encoder.encode(cut(data / row["file"])) for row in rows])
        np.savez(path, tiles=tiles, groups=np.array([row["patient_or_group"] for row in rows]))
    held = np.load(path)
    return [Image(tiles, str(group)) for tiles, group in zip(held["tiles"], held["groups"], strict=True)]


def cut(path: Path) -> NDArray[np.uint8]:
    picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    starts = [(y, x) for y in (0, 56, 112) for x in (0, 56, 112)]
    return np.stack(
        [cv2.resize(picture[y : y + 112, x : x + 112], (224, 224), interpolation=cv2.INTER_LINEAR) for y, x in starts]
    )


if __name__ == "__main__":
    main()
