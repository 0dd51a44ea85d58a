"""Regions and phrases: do models that were taught by reports of whole slides alone know which region shows what?

Slides are composed of tiles of several classes, in regions whose class is known; reports name some of what is there and
deny some of what is not. `simulated`: textures of the simulator; `real`: tiles of real lungs, colons and mouths, of
which no patient or original tile is in two parts. All models are trained and judged on the same parts: `align` in
closed form, `pathsearch`, `fgcr`, `fgcr` without each of its losses, and, untrained on reports, the words of a
vision-language model that is made here from single tiles with captions, an upper bound. Run:
    python benchmarks/regions.py DATA --out FOLDER [--kind real] [--seeds 3] [--ablate]
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import h5py
import numpy as np
from numpy.typing import NDArray

from histoseek.api import Archive
from histoseek.archive.reencode import reencode
from histoseek.archive.space_folders import SpaceChange
from histoseek.encoders.recipe import Recipe
from histoseek.encoders.text.registry import load_text_encoder
from histoseek.encoders.tile.registry import load_tile_encoder
from histoseek.encoders.weights import load_weights
from histoseek.progress import show_progress
from histoseek.search.regional.opening import open_region_measure
from histoseek.simulate.slide import make_staining, render_texture
from histoseek.simulate.textures import make_texture
from histoseek.statistics.clustering import normalise_rows
from histoseek.training.alignment.closed_form import align
from histoseek.training.pairs import PairedSlides
from histoseek.training.recall_at_k import RecallAtK, recalls
from histoseek.training.slides.encoder_file import train_slide_encoder
from histoseek.training.slides.settings import TrainingSettings
from histoseek.training.small_text import SmallTextSizes, make_small_text_encoder

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

PX, GRID, FIELD = 224, 12, 3
BATCH, DIMENSION, LEARNING_RATE = 32, 96, 1e-3
SIZES = {"depth": 3, "heads": 4, "head_dimension": 24, "mlp_dimension": 192}
TEXT_SIZES = SmallTextSizes(layers=2, width=96, context_tokens=128)
PARTS = {"train": 128, "validation": 32, "test": 48}
SHARES = {"train": 0.6, "validation": 0.15, "test": 0.25}
DRAWS = 1000
SIMULATED = {
    "glands": "acinar pattern",
    "sheets": "solid pattern",
    "papillae": "papillary pattern",
    "lymphocytes": "lymphocytic infiltrate",
    "stroma": "desmoplasia",
    "fat": "adipose tissue",
    "necrosis": "necrosis",
}
REAL = {
    "lung adenocarcinoma": "lung adenocarcinoma",
    "lung squamous cell carcinoma": "lung squamous cell carcinoma",
    "benign lung tissue": "",
    "colon adenocarcinoma": "colorectal adenocarcinoma",
    "normal colon mucosa": "colonic mucosa",
    "normal oral mucosa": "squamous epithelium",
    "oral squamous cell carcinoma": "oral squamous cell carcinoma",
}
"""What reports call each class; nothing of what is everywhere."""

OPENINGS = ("Sections show ", "Microscopy shows ", "The slide shows ", "Histology: there is ", "There is ")
DENIALS = ("No {} is seen.", "There is no {}.", "{} is not identified.")
ABLATED = ("contrastive", "anchor_prompts", "token_alignment", "prompt_classes", "masked_words")


@dataclass(frozen=True)
class Pool:
    """Tiles of one class in one part: features [N, D]."""

    features: Floats


@dataclass(frozen=True)
class Composed:
    """A composed slide: the class of each tile, int [N], row by row on a grid of GRID x GRID, and its report."""

    name: str
    part: str
    classes: Ints
    report: str
    group: str


@dataclass(frozen=True)
class Score:
    """A figure with its 95 % interval over slides."""

    name: str
    value: float
    low: float
    high: float
    chance: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kind", choices=("simulated", "real"), default="simulated")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--ablate", action="store_true")
    given = parser.parse_args()
    phrases = SIMULATED if given.kind == "simulated" else REAL
    everything: list[dict[str, object]] = []
    for seed in range(given.seeds):
        out = given.out / f"{given.kind}-{seed}"
        out.mkdir(parents=True, exist_ok=True)
        study = Study(out, phrases, make_pools(given.kind, given.data, seed, out / "pools"), seed, given.epochs)
        study.run(given.ablate)
        everything += study.rows
        (given.out / f"{given.kind}.json").write_text(json.dumps(everything, indent=1))
    summarise(everything)


class Study:
    """All models on one draw of slides."""

    def __init__(
        self, out: Path, phrases: Mapping[str, str], pools: Mapping[str, Sequence[Pool]], seed: int, epochs: int
    ) -> None:
        self.out, self.seed, self.epochs = out, seed, epochs
        self.classes, self.names = tuple(phrases), tuple(phrases.values())
        self.phrases = tuple(name for name in self.names if name)
        self.pools = pools
        self.slides = compose(self.names, seed)
        self.test = [slide for slide in self.slides if slide.part == "test"]
        self.rows: list[dict[str, object]] = []
        self.features = self._write()
        known = [slide for slide in self.slides if slide.part == "train"]
        reports, patients = [slide.report for slide in known], [slide.name for slide in known]
        self.text_encoder = make_small_text_encoder(
            out / "text", reports, patients, self.phrases, seed=seed, sizes=TEXT_SIZES
        )

    def run(self, ablate: bool) -> None:
        self._judge("made vision-language model", self._score_by_captions(), None)
        archive = self._index("pooled", self.slides)
        self._judge("align", *self._align())
        made: list[tuple[str, dict[str, float]]] = [("pathsearch", {}), ("fgcr", {})]
        made += [(f"fgcr without {loss}", {loss: 0.0}) for loss in ABLATED] if ablate else []
        for name, losses in made:
            self._judge(name, *self._train(archive, name, losses))

    def _train(
        self, archive: Archive, name: str, losses: Mapping[str, float]
    ) -> tuple[list[Floats], Sequence[RecallAtK]]:
        model = name.split(maxsplit=1)[0]
        path = self.out / f"{name.replace(' ', '-')}.safetensors"
        settings = TrainingSettings(
            model=model,
            epochs=self.epochs,
            batch=BATCH,
            tiles=GRID * GRID,
            learning_rate=LEARNING_RATE,
            losses=losses,
            text_layers=TEXT_SIZES.layers,
            dimension=DIMENSION,
            sizes=SIZES if model == "fgcr" else {},
            seed=self.seed,
            split=self.out / "split.csv",
            patience=self.epochs,
        )
        started = time.perf_counter()
        if not path.exists():
            with show_progress("steps", total=None) as reporter:
                trained = train_slide_encoder(
                    PairedSlides.from_archive(archive), path, settings, self.text_encoder, reporter=reporter
                )
            assert trained is not None
            tests = trained.result.test.after.recalls
            (path.with_suffix(".recalls")).write_text(json.dumps([asdict(one) for one in tests]))
        print(f"{name}: {time.perf_counter() - started:.0f} s", flush=True)
        measured = [RecallAtK(**one) for one in json.loads(path.with_suffix(".recalls").read_text())]
        there = self._index(name, self.slides)
        weights = load_weights(path)
        assert weights.card.text is not None
        reencode(there, SpaceChange(weights, text_encoder=weights.card.text.encoder))
        return self._measure(there), measured

    def _align(self) -> tuple[list[Floats], Sequence[RecallAtK]]:
        known = self._index("align", [slide for slide in self.slides if slide.part != "test"])
        align(known)
        self._add(known, self.test)
        ids = [slide.name for slide in self.test]
        slides, texts = (known.store.vectors(ids, f"shared_{part}vector") for part in ("", "report_"))
        pairs = {pair.slide_id: pair for pair in PairedSlides.from_archive(known).pairs}
        return self._measure(known), recalls(slides, texts, [pairs[one] for one in ids], self.seed)

    def _measure(self, archive: Archive) -> list[Floats]:
        """How well the tiles of each test slide fit each phrase, float32 [P, N], by the regions that they are in."""
        measure = open_region_measure(archive, archive.store.snapshot())
        vectors = measure.encode(self.phrases)
        scores = []
        for slide in self.test:
            regions = measure.measure_regions(slide.name, vectors)
            own = np.full((len(self.phrases), len(slide.classes)), -1.0, np.float32)
            for region, similarity in zip(regions.regions, regions.similarities.T, strict=True):
                own[:, region.tiles] = np.maximum(own[:, region.tiles], similarity[:, None])
            scores.append(own)
        return scores

    def _score_by_captions(self) -> list[Floats]:
        """By a ridge from single tiles of the train part to the vectors of their captions."""
        encoder = load_text_encoder("minilm")
        pools = [(name, pool) for name, pool in zip(self.names, self.pools["train"], strict=True) if name]
        features = np.concatenate([pool.features for _, pool in pools])
        texts = np.concatenate([np.repeat(encoder.encode([name]), len(pool.features), 0) for name, pool in pools])
        centre = features.mean(0)
        gram = (features - centre).T @ (features - centre)
        ridge = gram + 0.1 * np.trace(gram) / len(gram) * np.eye(len(gram))
        matrix = np.linalg.solve(ridge, (features - centre).T @ texts)
        vectors = encoder.encode(self.phrases)
        return [vectors @ normalise_rows((self._features_of(slide) - centre) @ matrix).T for slide in self.test]

    def _judge(self, name: str, scores: Sequence[Floats], measured: Sequence[RecallAtK] | None) -> None:
        truth = [
            np.stack([slide.classes == self.names.index(phrase) for phrase in self.phrases]) for slide in self.test
        ]
        fields = [(pool_fields(score), pool_fields(one)) for score, one in zip(scores, truth, strict=True)]
        figures = judge_regions(fields, self.seed)
        for recall in measured or ():
            if recall.answer == "group" and recall.queries:
                title = f"{recall.direction} recall@{recall.k}"
                figures.append(Score(title, recall.value, recall.low, recall.high, recall.chance))
        for figure in figures:
            self.rows.append({"model": name, "seed": self.seed, **asdict(figure)})
            print(f"{name:28} {figure.name:28} {figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})", flush=True)

    def _features_of(self, slide: Composed) -> Floats:
        with h5py.File(self.features / f"{slide.name}.h5") as file:
            return np.asarray(file["features"][:], np.float32)

    def _write(self) -> Path:
        folder = self.out / "features"
        folder.mkdir(exist_ok=True)
        places = np.stack(np.meshgrid(np.arange(GRID), np.arange(GRID)), -1).reshape(-1, 2) * PX
        for number, slide in enumerate(self.slides):
            rng = np.random.default_rng([self.seed, 7, number])
            pools = self.pools[slide.part]
            rows = [pools[one].features[rng.integers(len(pools[one].features))] for one in slide.classes]
            with h5py.File(folder / f"{slide.name}.h5", "w") as file:
                file["features"], file["coords"] = np.stack(rows), places
                file["coords"].attrs["patch_size_level0"] = PX
        with (self.out / "split.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("slide_id", "part"), *((one.name, one.part) for one in self.slides)])
        return folder

    def _index(self, name: str, slides: Sequence[Composed]) -> Archive:
        path = self.out / f"{name.replace(' ', '-')}.archive"
        shutil.rmtree(path, ignore_errors=True)
        archive = Archive.create(path, Recipe(encoder="features:lite0"))
        self._add(archive, slides)
        return archive

    def _add(self, archive: Archive, slides: Sequence[Composed]) -> None:
        table = archive.path.with_suffix(".csv")
        with table.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["slide_id", "patient_id", "diagnosis", "report"])
            rows.writerows([one.name, f"p-{one.name}", one.group, one.report] for one in slides)
        archive.index([self.features / f"{one.name}.h5" for one in slides], table, table)


def compose(names: Sequence[str], seed: int) -> list[Composed]:
    """Slides of two to four classes in regions around random points, and reports that name and deny."""
    slides = []
    for number, part in enumerate(part for part, count in PARTS.items() for _ in range(count)):
        rng = np.random.default_rng([seed, number])
        present = rng.choice(len(names), rng.integers(2, 5), replace=False)
        points = rng.uniform(0, GRID, (len(present) + 2, 2))
        owners = np.concatenate([present, rng.choice(present, 2)])
        places = np.stack(np.meshgrid(np.arange(GRID), np.arange(GRID)), -1).reshape(-1, 2) + 0.5
        nearest = ((places[:, None] - points) ** 2).sum(-1).argmin(1)
        classes = owners[nearest].astype(np.int64)
        there = [one for one in np.unique(classes) if (classes == one).mean() >= 0.05]
        named = [names[one] for one in rng.permutation(there) if names[one]]
        absent = [name for one, name in enumerate(names) if name and one not in classes]
        denied = rng.choice(absent, min(len(absent), int(rng.integers(1, 4))), replace=False)
        group = " + ".join(sorted(named)) or "nothing named"
        slides.append(Composed(f"s{seed}-{number:04d}", part, classes, write_report(named, denied, rng), group))
    return slides


def write_report(named: Sequence[str], denied: Sequence[str], rng: np.random.Generator) -> str:
    listed = " and ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else [*named, "nothing else"][:1])
    sentences = [f"{rng.choice(OPENINGS)}{listed}."]
    sentences += [str(rng.choice(DENIALS)).format(name) for name in denied]
    return " ".join(sentence[0].upper() + sentence[1:] for sentence in sentences)


def pool_fields(tiles: NDArray[np.generic]) -> Floats:
    """Means over fields of FIELD x FIELD tiles: [P, GRID * GRID] to float32 [P, F]."""
    side = GRID // FIELD
    blocks = tiles.reshape(len(tiles), side, FIELD, side, FIELD).astype(np.float32)
    return blocks.mean((2, 4)).reshape(len(tiles), -1)


def judge_regions(fields: Sequence[tuple[Floats, Floats]], seed: int) -> list[Score]:
    """Of scores [P, F] and shares of truth [P, F] of each slide: a field shows a phrase that most of it is of."""
    rng = np.random.default_rng([seed, 11])
    slides = [(scores, shares > 0.5) for scores, shares in fields]
    draws = rng.integers(len(slides), size=(DRAWS, len(slides)))

    def interval(
        name: str, measure: Callable[[Sequence[tuple[Floats, NDArray[np.bool_]]]], tuple[float, float]]
    ) -> Score:
        value, chance = measure(slides)
        drawn = [measure([slides[i] for i in draw])[0] for draw in draws[: DRAWS // 5]]
        low, high = np.nanquantile(drawn, [0.025, 0.975])
        return Score(name, value, float(low), float(high), chance)

    return [
        interval("pointing accuracy", point),
        interval("phrase -> region AP", rank_regions),
        interval("region -> phrase mAP", rank_phrases),
    ]


def point(slides: Sequence[tuple[Floats, NDArray[np.bool_]]]) -> tuple[float, float]:
    """Whether the best field of a slide for a phrase that some of it shows is one of those; mean over both."""
    hits, chances = [], []
    for scores, truth in slides:
        for own, right in zip(scores, truth, strict=True):
            if right.any():
                hits.append(right[own.argmax()])
                chances.append(right.mean())
    return float(np.mean(hits)), float(np.mean(chances))


def rank_regions(slides: Sequence[tuple[Floats, NDArray[np.bool_]]]) -> tuple[float, float]:
    """Average precision of the fields of all slides for a phrase, mean over phrases."""
    scores = np.concatenate([scores for scores, _ in slides], axis=1)
    truth = np.concatenate([truth for _, truth in slides], axis=1)
    kept = [(own, right) for own, right in zip(scores, truth, strict=True) if right.any()]
    return float(np.mean([average_precision(own, right) for own, right in kept])), float(truth.mean())


def rank_phrases(slides: Sequence[tuple[Floats, NDArray[np.bool_]]]) -> tuple[float, float]:
    """Average precision of the phrases for a field that shows one, mean over fields."""
    scores = np.concatenate([scores for scores, _ in slides], axis=1).T
    truth = np.concatenate([truth for _, truth in slides], axis=1).T
    shown = truth.any(1)
    ranks = 1 + (scores[shown] > scores[shown][truth[shown]][:, None]).sum(1)
    count = scores.shape[1]
    return float((1 / ranks).mean()), float(np.mean(1 / np.arange(1, count + 1)))


def average_precision(scores: Floats, right: NDArray[np.bool_]) -> float:
    order = np.argsort(-scores, kind="stable")
    hits = right[order]
    return float((np.cumsum(hits)[hits] / (np.flatnonzero(hits) + 1)).mean())


def make_pools(kind: str, data: Path, seed: int, folder: Path) -> dict[str, list[Pool]]:
    """Tiles of each class by part, encoded, and kept in a folder."""
    if not folder.exists():
        pictures = draw_simulated(seed) if kind == "simulated" else read_real(data, seed)
        encoder = load_tile_encoder("lite0")
        folder.mkdir()
        for part, by_class in pictures.items():
            for number, tiles in enumerate(by_class):
                stacks = [np.stack(tiles[at : at + 64]) for at in range(0, len(tiles), 64)]
                np.save(folder / f"{part}-{number}.npy", np.concatenate([encoder.encode(stack) for stack in stacks]))
    counts = range(len(SIMULATED if kind == "simulated" else REAL))
    return {part: [Pool(np.load(folder / f"{part}-{number}.npy")) for number in counts] for part in PARTS}


def draw_simulated(seed: int) -> dict[str, list[list[NDArray[np.uint8]]]]:
    """Tiles of each texture, of as many stainings of patients as 12 for a part."""
    drawn: dict[str, list[list[NDArray[np.uint8]]]] = {}
    for p, part in enumerate(PARTS):
        drawn[part] = []
        for component in SIMULATED:
            tiles = []
            for patient in range(12):
                number = (seed * 10 + p) * 100 + patient
                picture = render_texture(make_texture(component, number, 0.5), make_staining(number % 3, number, 1.0))
                tiles += [picture[y : y + PX, x : x + PX] for y in (0, 400, 800) for x in (0, 400, 800)]
            drawn[part].append(tiles)
    return drawn


def read_real(data: Path, seed: int) -> dict[str, list[list[NDArray[np.uint8]]]]:
    """Tiles of each class, upright and mirrored; of its patients or originals each is in one part."""
    with (data / "manifest.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["diagnosis"] in REAL and row["width"] == "224"]
    read: dict[str, list[list[NDArray[np.uint8]]]] = {part: [] for part in PARTS}
    for label in REAL:
        own = [row for row in rows if row["diagnosis"] == label]
        groups = sorted({row["patient_or_group"] for row in own})
        shuffled = np.random.default_rng([seed, 3]).permutation(len(groups))
        ends = np.cumsum([round(SHARES[part] * len(groups)) for part in PARTS])
        for part, begin, end in zip(PARTS, [0, *ends[:-1]], [*ends[:-1], len(groups)], strict=True):
            chosen = {groups[i] for i in shuffled[begin:end]}
            pictures = [
                cv2.cvtColor(cv2.imread(str(data / row["file"])), cv2.COLOR_BGR2RGB)
                for row in own
                if row["patient_or_group"] in chosen
            ]
            read[part].append([*pictures, *(np.ascontiguousarray(one[:, ::-1]) for one in pictures)])
    return read


def summarise(rows: Sequence[Mapping[str, object]]) -> None:
    """A table over the seeds: means, and the widest bounds."""
    names = list(dict.fromkeys(str(row["name"]) for row in rows))
    print("\n| model | " + " | ".join(names) + " |\n| --- |" + " --- |" * len(names))
    for model in dict.fromkeys(str(row["model"]) for row in rows):
        cells = []
        for name in names:
            own = [row for row in rows if row["model"] == model and row["name"] == name]
            value, low, high = (np.mean([float(str(row[key])) for row in own]) for key in ("value", "low", "high"))
            cells.append(f"{value:.2f} ({low:.2f} to {high:.2f})" if own else "")
        print(f"| {model} | " + " | ".join(cells) + " |")
    chance = {name: np.mean([float(str(row["chance"])) for row in rows if row["name"] == name]) for name in names}
    print("| chance | " + " | ".join(f"{chance[name]:.2f}" for name in names) + " |")


if __name__ == "__main__":
    main()
