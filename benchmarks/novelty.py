"""What is said to be unlike an archive: strangers of many kinds, and patients who belong there but were held out.

Three archives of real tiles, made as benchmarks/real does; those that --out has are used again. Strangers are asked as
files, as a user would. The last column is a simpler rule: the p-value of the distance to the nearest slide's global
vector. Photographs are of no data set here: name a folder of them. Run:
    python benchmarks/novelty.py DATA --out FOLDER [--photographs FOLDER] [--most 40]
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from real.run import TASKS, image_archive

from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.schema import name_owner
from histoseek.encoders.bag import Bag, load_bag
from histoseek.errors import SlideError
from histoseek.ranking.novelty import NoveltyModel, TileSample, draw_tiles, fit_novelty
from histoseek.search.encode.image import prepare_image
from histoseek.search.options import FALSE_ALARMS
from histoseek.search.queries import ImageQuery, SlideFile, TileImage
from histoseek.statistics.intervals import percentile_interval, wilson_interval

ARCHIVES = (TASKS[0], TASKS[1], TASKS[3])
SPACINGS = {"monuseg": 0.25, "cryonuseg": 0.25, "glas": 0.62}
FOLDS, EDGE, DRAWN = 5, 512, 12

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Stranger:
    kind: str
    path: Path
    spacing_um_per_px: float | None


@dataclass(frozen=True)
class Asked:
    """What an archive's recipe makes of a file, tiles' features and the global vector; empty where it refuses it."""

    kind: str
    features: Floats
    vector: Floats
    is_slide: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--photographs", type=Path)
    parser.add_argument("--most", type=int, default=12)
    given = parser.parse_args()
    (given.out / "strangers").mkdir(parents=True, exist_ok=True)
    strangers = [*list_fields(given.data, given.most), *draw(given.data, given.out / "strangers")]
    strangers += [Stranger("photographs", path, 0.5) for path in list_pictures(given.photographs)]
    known: dict[tuple[float, Stranger], Asked] = {}
    for task in ARCHIVES:
        archive, spacing = image_archive(task, given.data, given.out), task.spacing_um_per_px
        print(f"\n### {task.name}\n")
        print("\n".join(measure_own(archive)), flush=True)
        some = [one for one in strangers if not belongs(one, task.folders)]
        known |= {(spacing, one): ask(archive, one) for one in some if (spacing, one) not in known}
        asked = [known[spacing, one] for one in some]
        print("\n".join(measure_strangers(archive, asked)), flush=True)


def belongs(stranger: Stranger, folders: Sequence[str]) -> bool:
    """Whether a stranger is none: of the archive's own data."""
    return any(folder in stranger.path.parts for folder in folders)


def list_fields(data: Path, most: int) -> Iterator[Stranger]:
    """Real fields and tiles of other data sets, at most so many of each kind, those of lung apart."""
    with (data / "manifest.csv").open(newline="") as file:
        organs = {row["file"]: row["organ"] for row in csv.DictReader(file)}
    for folder in sorted((data / "tiles").iterdir()):
        paths = [path for path in sorted(folder.rglob("*.*")) if path.is_file()]
        for path in paths[:: -(-len(paths) // most)]:
            organ = organs.get(str(path.relative_to(data)), "")
            name = f"{folder.name}, lung" if organ == "lung" else folder.name
            if path.name.startswith(("BACK", "DEB", "MUC", "ADI")):
                name = "nct_crc: background, debris, mucus, fat"
            yield Stranger(name, path, SPACINGS.get(folder.name, 0.5))
    for name in ("CMU-1-Small-Region.svs", "TCGA-5P-A9K0_1.svs"):
        yield Stranger("slides of skin and kidney", data / "slides" / name, None)
    yield Stranger("fluorescence slide", data / "slides" / "test3-DAPI-2-387.ndpi", None)


def draw(data: Path, out: Path) -> Iterator[Stranger]:
    """Pictures that no microscope made, DRAWN of each kind."""
    generator = np.random.default_rng(0)
    tissue = [read(path) for path in sorted((data / "tiles" / "monuseg").iterdir())[:DRAWN]]
    kinds: dict[str, Callable[[int], Pixels]] = {
        "random pixels": lambda _: generator.integers(0, 256, (EDGE, EDGE, 3), np.uint8),
        "random pixels, smoothed": lambda _: smooth(generator),
        "pixels of tissue, shuffled": lambda i: generator.permutation(tissue[i].reshape(-1, 3)).reshape(-1, EDGE, 3),
        "tissue, 16 px blocks shuffled": lambda i: shuffle_blocks(tissue[i], generator),
        "tissue out of focus": lambda i: cv2.GaussianBlur(tissue[i], (0, 0), 8).astype(np.uint8),
        "tissue without colour": lambda i: np.repeat(tissue[i].mean(2, keepdims=True), 3, 2).astype(np.uint8),
        "tissue, colours inverted": lambda i: 255 - tissue[i],
        "glass with dust": lambda _: draw_glass(generator),
        "pen on glass": lambda _: draw_pen(generator),
        "printed text": lambda _: draw_text(generator),
    }
    for kind, make in kinds.items():
        for number in range(DRAWN):
            path = out / f"{kind.replace(' ', '-').replace(',', '')}-{number:02d}.png"
            Image.fromarray(make(number)).save(path)
            yield Stranger(kind, path, 0.5)


def read(path: Path) -> Pixels:
    return np.asarray(Image.open(path).convert("RGB").crop((0, 0, EDGE, EDGE)))


def smooth(generator: np.random.Generator) -> Pixels:
    field = cv2.GaussianBlur(generator.normal(size=(EDGE, EDGE, 3)), (0, 0), float(generator.uniform(1, 12)))
    scaled: Pixels = ((field - field.min()) / np.ptp(field) * 255).astype(np.uint8)
    return scaled


def shuffle_blocks(pixels: Pixels, generator: np.random.Generator) -> Pixels:
    side = EDGE // 16
    blocks = pixels.reshape(side, 16, side, 16, 3).transpose(0, 2, 1, 3, 4).reshape(-1, 16, 16, 3)
    mixed = generator.permutation(blocks).reshape(side, side, 16, 16, 3)
    whole: Pixels = mixed.transpose(0, 2, 1, 3, 4).reshape(EDGE, EDGE, 3)
    return whole


def draw_glass(generator: np.random.Generator) -> Pixels:
    field = generator.uniform(225, 250) + generator.normal(size=(EDGE, EDGE, 3)) * generator.uniform(0.5, 4)
    for _ in range(int(generator.integers(2, 20))):
        place, radius = generator.integers(0, EDGE, 2), int(generator.integers(1, 6))
        cv2.circle(field, (int(place[0]), int(place[1])), radius, generator.uniform(60, 180, 3).tolist(), -1)
    return np.clip(field, 0, 255).astype(np.uint8)


def draw_pen(generator: np.random.Generator) -> Pixels:
    field = np.full((EDGE, EDGE, 3), 235, np.uint8)
    line = generator.integers(0, EDGE, (8, 1, 2)).astype(np.int32)
    cv2.polylines(field, [line], False, generator.choice([0, 20, 60, 120, 200], 3).tolist(), 25, cv2.LINE_AA)
    return field


def draw_text(generator: np.random.Generator) -> Pixels:
    field = np.full((EDGE, EDGE, 3), 255, np.uint8)
    for height in range(15, EDGE, 18):
        words = "".join(generator.choice(list("abcdefghij klmnop"), 60))
        cv2.putText(field, words, (4, height), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
    return field


def list_pictures(folder: Path | None) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if path.suffix in (".png", ".jpg")] if folder else []


def draw_samples(archive: ArchiveFolder) -> tuple[list[TileSample], list[Bag]]:
    """What `calibrate` draws of the slides, and their bags."""
    generator = np.random.default_rng(0)
    records = archive.records()
    owners = np.unique([name_owner(record) for record in records], return_inverse=True)[1]
    bags = [load_bag(archive.layout.bag(record.slide_id)) for record in records]
    samples = []
    for owner, bag in zip(owners, bags, strict=True):
        rows, spread, patch = draw_tiles(bag.coords, generator)
        samples.append(TileSample(int(owner), bag.features[rows], spread, patch))
    return samples, bags


def measure_own(archive: ArchiveFolder) -> Iterator[str]:
    """Patients held out in five folds, flagged at 5 %: as they are, and patches of them as regions or pictures."""
    samples, bags = draw_samples(archive)
    owners = np.unique([sample.owner for sample in samples])
    flags: dict[str, list[tuple[int, bool]]] = {}
    for part in np.array_split(np.random.default_rng(1).permutation(owners), FOLDS):
        model = fit_novelty([one for one in samples if one.owner not in part])
        for sample, bag in zip(samples, bags, strict=True):
            if sample.owner in part:
                for size in (1, 4):
                    if size <= len(sample.patch):
                        tiles = sample.features[sample.patch[:size]]
                        add_flag(flags, f"{size} tile{'s' * (size > 1)} as a picture", sample.owner, model, tiles)
                add_flag(flags, "slides", sample.owner, model, bag.features, is_whole=True)
    yield "| own patients, held out | asked | flagged by mistake |"
    yield "| --- | --- | --- |"
    for kind, values in flags.items():
        codes = np.unique([owner for owner, _ in values], return_inverse=True)[1]
        flagged = np.array([flag for _, flag in values], float)
        sums = np.stack([np.bincount(codes, flagged), np.bincount(codes)], axis=1).astype(np.float64)
        low, high = percentile_interval(partial(find_share, sums), len(sums), 0)
        yield f"| {kind} | {len(values)} | {flagged.mean():.3f} ({low[0]:.3f} to {high[0]:.3f}) |"
    yield ""


def find_share(sums: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares flagged of resamples, [r, 1]; sums: flagged and asked of each patient, [P, 2]."""
    flagged, asked = (weights @ sums).T
    shares: NDArray[np.float64] = (flagged / asked)[:, None]
    return shares


def add_flag(
    flags: dict[str, list[tuple[int, bool]]],
    kind: str,
    owner: int,
    model: NoveltyModel,
    tiles: Floats,
    is_whole: bool = False,
) -> None:
    flags.setdefault(kind, []).append((owner, model.measure(tiles, is_whole=is_whole) <= FALSE_ALARMS))


def ask(archive: ArchiveFolder, stranger: Stranger) -> Asked:
    is_slide = stranger.spacing_um_per_px is None
    query: ImageQuery = SlideFile(stranger.path)
    if stranger.spacing_um_per_px is not None:
        query = TileImage(stranger.path, stranger.spacing_um_per_px)
    try:
        image = prepare_image(archive, query, 1)
    except SlideError:
        return Asked(stranger.kind, np.empty((0, 0), np.float32), np.empty(0, np.float32), is_slide)
    [features], [signature] = image.features, image.signatures
    assert features is not None
    return Asked(stranger.kind, features, signature.global_vector, is_slide)


def measure_strangers(archive: ArchiveFolder, asked: Sequence[Asked]) -> Iterator[str]:
    """What is flagged of each kind at 5 % false alarms, those that were read; refused ones are counted apart."""
    samples, _ = draw_samples(archive)
    model = fit_novelty(samples)
    owners = np.array([sample.owner for sample in samples])
    records = archive.records()
    vectors = archive.store.vectors([record.slide_id for record in records], "global_vector")
    near = np.where(owners[:, None] == owners, np.inf, 1 - vectors @ vectors.T).min(axis=1)
    yield "| strangers | asked | refused | flagged | by the nearest global vector |"
    yield "| --- " * 5 + "|"
    for kind in dict.fromkeys(one.kind for one in asked):
        some = [one for one in asked if one.kind == kind]
        there = [one for one in some if len(one.features)]
        now = [model.measure(one.features, is_whole=one.is_slide) <= FALSE_ALARMS for one in there]
        nearest = [float((1 - vectors @ one.vector).min()) for one in there]
        before = [(1 + (near >= one).sum()) / (1 + len(near)) < FALSE_ALARMS for one in nearest]
        yield f"| {kind} | {len(some)} | {len(some) - len(there)} | {share(now)} | {share(before)} |"


def share(flags: Sequence[bool]) -> str:
    if not flags:
        return "-"
    low, high = wilson_interval(float(np.mean(flags)), len(flags))
    return f"{np.mean(flags):.2f} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    main()
