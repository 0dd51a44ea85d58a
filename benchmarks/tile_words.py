"""Words in the space of tiles: that the way from words to tiles, slides and regions works, and what it costs.

A tower is made here from real tiles: a linear map (ridge) from `lite0`'s features to MiniLM's vectors of class names,
fitted on the tiles of half of the patients or groups; everything is measured on the other half. It says nothing of a
published model. Pseudo-slides: the held-out tiles of one patient, or of several groups of one class where a group is
one tile. Run:
    python benchmarks/tile_words.py DATA --out FOLDER [--slides 10000]
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import cv2
import h5py
import numpy as np
from numpy.typing import NDArray

from histoseek.api import Archive
from histoseek.archive.layout import ArchiveLayout
from histoseek.archive.schema import SlideRecord, StoredSlide
from histoseek.archive.stores.registry import create_slides, open_slides
from histoseek.encoders.recipe import Recipe
from histoseek.encoders.text.registry import load_text_encoder
from histoseek.encoders.tile import lite0, registry
from histoseek.encoders.tile.registry import load_tile_encoder
from histoseek.errors import EncoderError
from histoseek.mosaics.signature import MosaicTiles, Signature
from histoseek.mosaics.tile_words import WordTiles, choose_tiles, compute_top_share, find_top_mass, mean_vector
from histoseek.mosaics.top_shares import CodeBlock
from histoseek.search.words.prompts import make_label_prompt, make_single_prompt
from histoseek.search.words.quality import compute_auc
from histoseek.statistics.clustering import normalise_rows

Floats = NDArray[np.float32]

PX = 224
NAME = "bench-words"
CLASSES = {
    "benign lung tissue": "normal lung tissue",
    "lung adenocarcinoma": "lung adenocarcinoma",
    "lung squamous cell carcinoma": "lung squamous cell carcinoma",
    "colon adenocarcinoma": "colon adenocarcinoma",
    "normal colon mucosa": "normal colon mucosa",
    "normal oral mucosa": "normal oral mucosa",
    "oral squamous cell carcinoma": "oral squamous cell carcinoma",
    "breast invasive carcinoma": "breast carcinoma",
    "prostate adenocarcinoma": "prostate adenocarcinoma",
    "kidney renal clear cell carcinoma": "clear cell renal cell carcinoma",
    "kidney renal papillary cell carcinoma": "papillary renal cell carcinoma",
}
QUERIES = {
    "normal lung tissue": ("normal lung tissue", "pulmonary parenchyma without tumour"),
    "lung adenocarcinoma": ("lung adenocarcinoma", "adenocarcinoma of the lung"),
    "lung squamous cell carcinoma": ("lung squamous cell carcinoma", "squamous carcinoma of the lung"),
    "colon adenocarcinoma": ("colon adenocarcinoma", "colonic adenocarcinoma"),
    "normal colon mucosa": ("normal colon mucosa", "normal large bowel mucosa"),
    "normal oral mucosa": ("normal oral mucosa", "healthy mucosa of the mouth"),
    "oral squamous cell carcinoma": ("oral squamous cell carcinoma", "squamous cell carcinoma of the mouth"),
    "breast carcinoma": ("breast carcinoma", "invasive ductal carcinoma of the breast"),
    "prostate adenocarcinoma": ("prostate adenocarcinoma", "prostatic acinar adenocarcinoma"),
}
TRAINING = ("{}", "a tile of {}", "this shows {}")
GROUPS_A_SLIDE = 8
PENALTY = 2000.0
DRAWS = 1000


@dataclass(frozen=True)
class Tiles:
    """Features [N, D] of tiles, their labels and groups (patients or original tiles)."""

    features: Floats
    labels: NDArray[np.str_]
    groups: NDArray[np.str_]

    def take(self, places: NDArray[np.bool_] | NDArray[np.int64]) -> Tiles:
        """Some of them."""
        return Tiles(self.features[places], self.labels[places], self.groups[places])


def read_tiles(data: Path, out: Path) -> Tiles:
    """Real tiles of 224 px with `lite0`'s features, which are kept."""
    kept = out / "features.npz"
    if not kept.is_file():
        rows = [row for row in csv.DictReader((data / "manifest.csv").open()) if row["diagnosis"] in CLASSES]
        pixels, names = zip(*((cut, row) for row in rows for cut in cut_tiles(data, row)), strict=True)
        encoder = load_tile_encoder("lite0")
        parts = [encoder.encode(np.stack(pixels[start : start + 32])) for start in range(0, len(pixels), 32)]
        labels = [CLASSES[row["diagnosis"]] for row in names]
        groups = [f"{row['source_dataset']} {row['patient_or_group']}" for row in names]
        np.savez(kept, features=np.concatenate(parts), labels=labels, groups=groups)
    stored = np.load(kept)
    return Tiles(stored["features"], stored["labels"], stored["groups"])


def cut_tiles(data: Path, row: Mapping[str, str]) -> Iterator[NDArray[np.uint8]]:
    """A picture at about 0.5 um/px, cut."""
    picture = cv2.imread(str(data / row["file"]))
    if row["source_dataset"].startswith("MoNuSeg"):
        picture = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    height, width = picture.shape[:2]
    for y in range(0, height - PX + 1, PX):
        for x in range(0, width - PX + 1, PX):
            yield np.ascontiguousarray(picture[y : y + PX, x : x + PX, ::-1])


def split(tiles: Tiles) -> NDArray[np.bool_]:
    """Which tiles are trained on: those of half of the groups of each label."""
    rng, training = np.random.default_rng(0), np.zeros(len(tiles.labels), np.bool_)
    for label in np.unique(tiles.labels):
        groups = rng.permutation(np.unique(tiles.groups[tiles.labels == label]))
        training |= np.isin(tiles.groups, groups[: len(groups) // 2]) & (tiles.labels == label)
    return training


@dataclass
class Tower:
    """A linear map from tile features to MiniLM's space, and MiniLM; available: whether this machine has it."""

    centre: Floats
    scale: Floats
    matrix: Floats
    bias: Floats
    available: bool = True
    dimension: int = 384
    weights_hash: str = "be" * 8
    logit_scale: float = 1.0

    @classmethod
    def fit(cls, tiles: Tiles) -> Tower:
        """Ridge from standardised features to the vectors of the tiles' class names."""
        centre, scale = tiles.features.mean(0), tiles.features.std(0) + 1e-6
        known = (tiles.features - centre) / scale
        texts = [TRAINING[place % len(TRAINING)].format(label) for place, label in enumerate(tiles.labels)]
        wanted = encode(texts)
        bias = wanted.mean(0)
        gram = known.T @ known + PENALTY * np.eye(known.shape[1])
        return cls(centre, scale, np.linalg.solve(gram, known.T @ (wanted - bias)).astype(np.float32), bias)

    def encode_texts(self, texts: Sequence[str]) -> Floats:
        """MiniLM's vectors."""
        return encode(texts)

    def project_tiles(self, features: Floats) -> Floats:
        """In MiniLM's space."""
        if features.shape[1] != len(self.centre):
            raise ValueError("features of another encoder")
        return normalise_rows(((features - self.centre) / self.scale @ self.matrix + self.bias).astype(np.float32))

    def load(self, path: Path | None) -> Tower:
        """For the registry."""
        if not self.available:
            raise EncoderError(NAME, "its words are not on this machine", "Run the benchmark")
        return self


_texts: dict[str, Floats] = {}


def encode(texts: Sequence[str]) -> Floats:
    """MiniLM's vectors, each text once."""
    new = [text for text in dict.fromkeys(texts) if text not in _texts]
    for start in range(0, len(new), 64):
        some = new[start : start + 64]
        _texts.update(zip(some, load_text_encoder("minilm").encode(some), strict=True))
    return np.stack([_texts[text] for text in texts]).astype(np.float32)


def interval(values: NDArray[np.float64], groups: NDArray[np.str_]) -> str:
    """A mean with its 95 % interval, groups drawn with replacement."""
    names, place = np.unique(groups, return_inverse=True)
    sums, counts = np.bincount(place, values), np.bincount(place)
    drawn = np.random.default_rng(0).integers(0, len(names), (DRAWS, len(names)))
    low, high = np.quantile(sums[drawn].sum(1) / counts[drawn].sum(1), [0.025, 0.975])
    return f"{values.mean():.3f} ({low:.3f} to {high:.3f})"


def label_tiles(tower: Tower, held: Tiles) -> Iterator[str]:
    """Zero-shot labels of tiles and precision of the first tiles, with one prompt and with ensembles."""
    labels = sorted(set(held.labels.tolist()))
    projected = tower.project_tiles(held.features)
    truth = np.array([labels.index(label) for label in held.labels.tolist()])
    yield "| prompts | tiles labelled rightly | mean of the classes | of the first 10 tiles of each class right |"
    yield "| --- | --- | --- | --- |"
    for name, make in (("one a label", make_single_prompt), ("ensembles", make_label_prompt)):
        vectors = np.stack([mean_vector(encode(make(label).texts)) for label in labels])
        similarities = projected @ vectors.T
        right = (similarities.argmax(1) == truth).astype(np.float64)
        classes = np.mean([right[truth == place].mean() for place in range(len(labels))])
        first = np.mean([(truth[np.argsort(-own)[:10]] == place).mean() for place, own in enumerate(similarities.T)])
        yield f"| {name} | {interval(right, held.groups)} | {classes:.3f} | {first:.3f} |"


def find_tiles(tower: Tower, held: Tiles) -> Iterator[str]:
    """text -> tiles: what of a class's tiles is among the first ten, and among as many as the class has; by words that
    were trained on, and by others."""
    projected = tower.project_tiles(held.features)
    yield "| words | prompts | queries | of the first 10 right | recall among as many as there are | by chance |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for place, words in enumerate(("as trained", "others")):
        queries = [(label, texts[place]) for label, texts in QUERIES.items() if (held.labels == label).any()]
        for name, make in (("one", make_single_prompt), ("ensemble", make_label_prompt)):
            rows = []
            for label, text in queries:
                relevant = held.labels == label
                order = np.argsort(-(projected @ mean_vector(encode(make(text).texts))), kind="stable")
                rows.append((relevant[order[:10]].mean(), relevant[order[: relevant.sum()]].mean(), relevant.mean()))
            first, recall, chance = np.mean(rows, axis=0)
            yield f"| {words} | {name} | {len(queries)} | {first:.3f} | {recall:.3f} | {chance:.3f} |"


@dataclass(frozen=True)
class PseudoSlide:
    """Tiles of one label and disjoint groups."""

    name: str
    label: str
    features: Floats


def make_slides(held: Tiles) -> list[PseudoSlide]:
    """One of each patient with several tiles, else of several groups of a class."""
    slides = []
    for label in np.unique(held.labels):
        loose: list[int] = []
        for group in np.unique(held.groups[held.labels == label]):
            own = np.flatnonzero((held.groups == group) & (held.labels == label))
            if len(own) >= 4:
                slides.append(PseudoSlide(f"s{len(slides):03d}", str(label), held.features[own]))
            else:
                loose += own.tolist()
        for start in range(0, len(loose) - GROUPS_A_SLIDE + 1, GROUPS_A_SLIDE):
            own = np.array(loose[start : start + GROUPS_A_SLIDE])
            slides.append(PseudoSlide(f"s{len(slides):03d}", str(label), held.features[own]))
    return slides


def make_archive(folder: Path, slides: Sequence[PseudoSlide], *, with_reports: bool) -> Archive:
    """Of feature files; every other slide has a report that names its label in one of two ways."""
    files = folder / "features"
    files.mkdir(parents=True)
    for slide in slides:
        with h5py.File(files / f"{slide.name}.h5", "w") as file:
            file["features"] = slide.features
            file["coords"] = np.stack(np.divmod(np.arange(len(slide.features)), 4), 1) * PX
            file["coords"].attrs["patch_size_level0"] = PX
    archive = Archive.create(folder / "archive", Recipe(encoder=f"features:{NAME}"))
    rows = [
        {"slide_id": slide.name, "report": f"Final diagnosis: {slide.label}. Microscopy as described."}
        for place, slide in enumerate(slides)
        if place % 2
    ]
    archive.index([files], reports=rows if with_reports else None)
    return archive


def search_slides(folder: Path, tower: Tower, slides: Sequence[PseudoSlide]) -> Iterator[str]:
    """text -> slides without reports, with reports of half of the slides, and with both."""
    label_of = {slide.name: slide.label for slide in slides}
    bare = make_archive(folder / "bare", slides, with_reports=False)
    half = make_archive(folder / "half", slides, with_reports=True)
    yield "| archive | way | R-precision | of the first 5 right | slides without a report among those found |"
    yield "| --- | --- | --- | --- | --- |"
    for archive, name, way, available in (
        (bare, "no reports", "tile words", True),
        (half, "reports of half", "reports alone", False),
        (half, "reports of half", "reports and tile words", True),
    ):
        tower.available = available
        opened = Archive.open(archive.path)
        found = [(label, rank_slides(opened, text, len(slides))) for label, text in list_queries()]
        figures = measure_rankings(found, label_of, np.ones(len(slides)))
        rng = np.random.default_rng(0)
        drawn = [np.bincount(rng.integers(0, len(slides), len(slides)), minlength=len(slides)) for _ in range(200)]
        spread = np.quantile([measure_rankings(found, label_of, counts) for counts in drawn], [0.025, 0.975], axis=0)
        cells = [f"{figures[k]:.3f} ({spread[0, k]:.3f} to {spread[1, k]:.3f})" for k in range(3)]
        yield f"| {name} | {way} | {' | '.join(cells)} |"
    tower.available = True
    for single in (True, False):
        best = bare.label_zero_shot(sorted({slide.label for slide in slides}), single=single).best
        right = np.array([best[slide.name] == slide.label for slide in slides], np.float64)
        rightly = interval(right, np.array([slide.name for slide in slides]))
        way = f"label_zero_shot, {'one prompt' if single else 'ensembles'}: labelled rightly"
        yield f"| no reports | {way} | {rightly} | | |"


def list_queries() -> list[tuple[str, str]]:
    """Labels with a text that asks for each."""
    return [(label, text) for label, texts in QUERIES.items() for text in texts]


def rank_slides(archive: Archive, text: str, count: int) -> list[str]:
    """All slides that a text leads to, best first."""
    return [result.slide_id for result in archive.search(text=text, k=count) if result.score > 0]


def measure_rankings(
    found: Sequence[tuple[str, Sequence[str]]], label_of: Mapping[str, str], counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Means over queries: R-precision, precision of the first five, and what is found among the first R of the relevant
    slides without a report; counts: how many times each slide is there."""
    times = dict(zip(label_of, counts, strict=True))
    rows = []
    for label, ranking in found:
        relevant = {name for name, own in label_of.items() if own == label}
        bare = {name for name in relevant if int(name[1:]) % 2 == 0}
        whole, without = sum(times[name] for name in relevant), sum(times[name] for name in bare)
        if not (whole and without):
            continue
        first = take_first(ranking, times, whole)
        right = sum(count for name, count in first.items() if name in relevant)
        few = take_first(ranking, times, min(5, whole))
        rightly = sum(count for name, count in few.items() if name in relevant) / min(5, whole)
        rows.append((right / whole, rightly, sum(first.get(name, 0.0) for name in bare) / without))
    return np.mean(rows, axis=0)


def take_first(ranking: Sequence[str], times: Mapping[str, float], most: float) -> dict[str, float]:
    """The first so many of a ranking in which slides are there several times."""
    taken: dict[str, float] = {}
    for name in ranking:
        own = min(times[name], most - sum(taken.values()))
        if own > 0:
            taken[name] = own
    return taken


def compare_choices(tower: Tower, held: Tiles) -> Iterator[str]:
    """Pseudo-slides of 256 tiles, half with 8 to 39 tiles of another class: how many tiles to keep, which share counts,
    and what to do with words that are denied."""
    labels = sorted(set(held.labels.tolist()))
    vectors = np.stack([mean_vector(encode(make_label_prompt(label).texts)) for label in labels])
    slides, parts = mix_slides(tower, held, labels)
    there = np.array([[place in own for own in parts] for place in range(len(labels))])
    yield "| tiles kept | best 1.2 % | 2 % | 3 % | 5 % | 8 % |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for count in (16, 32, 48, 256):
        kept = [(own[chosen], shares) for own in slides for chosen, shares in [choose_tiles(own, np.ones(256), count)]]
        cells = []
        for mass in (0.012, 0.02, 0.03, 0.05, 0.08):
            scores = np.array(
                [[compute_top_share(own, w, mass) for own, w in ((v @ k.T, w) for k, w in kept)] for v in vectors]
            )
            cells.append(np.mean([compute_auc(own, has) for own, has in zip(scores, there, strict=True)]))
        yield f"| {count} | {' | '.join(f'{cell:.3f}' for cell in cells)} |"
    yield ""
    yield from compare_denials(slides, there, vectors)


def mix_slides(tower: Tower, held: Tiles, labels: Sequence[str]) -> tuple[list[Floats], list[set[int]]]:
    """Projected tiles of 160 slides, and the classes on each."""
    rng = np.random.default_rng(0)
    pool = {label: np.flatnonzero(held.labels == label) for label in labels}
    slides, parts = [], []
    for _ in range(160):
        main, other = (int(one) for one in rng.choice(len(labels), 2))
        few = int(rng.integers(8, 40)) if rng.random() < 0.5 and other != main else 0
        own = np.concatenate([rng.choice(pool[labels[main]], 256 - few), rng.choice(pool[labels[other]], few)])
        noise = rng.normal(0, 0.35, (256, held.features.shape[1])).astype(np.float32) * tower.scale
        slides.append(tower.project_tiles(held.features[own] + noise))
        parts.append({main, other} if few else {main})
    return slides, parts


def compare_denials(slides: Sequence[Floats], there: NDArray[np.bool_], vectors: Floats) -> Iterator[str]:
    """ "A, no B": slides with A and without B against those with both, and against all others."""
    mass, weights = find_top_mass(256), np.full(256, 1 / 256, np.float32)
    tops = np.array([[compute_top_share(vector @ own.T, weights, mass) for own in slides] for vector in vectors])
    usual = np.median(tops, axis=1, keepdims=True)
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for a, b in ((a, b) for a in range(len(vectors)) for b in range(len(vectors)) if a != b):
        good, bad = there[a] & ~there[b], there[a] & there[b]
        if min(good.sum(), bad.sum()) < 2:
            continue
        by_tile = np.array([compute_top_share((vectors[a] - vectors[b]) @ own.T, weights, mass) for own in slides])
        ways = {
            "ignored": tops[a],
            "taken off tile by tile (A - B)": by_tile,
            "taken off slide by slide": tops[a] - tops[b],
            "taken off where above the archive's median slide": tops[a] - np.maximum(0, tops[b] - usual[b]),
        }
        for name, scores in ways.items():
            either = good | bad
            found[name].append((compute_auc(scores[either], good[either]), compute_auc(scores, good)))
    yield "| words that are denied | against slides with both | against all other slides |"
    yield "| --- | --- | --- |"
    for name, pairs in found.items():
        with_both, all_others = np.mean(pairs, axis=0)
        yield f"| {name} | {with_both:.3f} | {all_others:.3f} |"


def measure_scale(folder: Path, count: int, dimension: int = 512) -> Iterator[str]:
    """Rows of so many slides with random tiles: disk, memory and time."""
    rng = np.random.default_rng(0)
    layouts = {name: ArchiveLayout(folder / name) for name in ("plain", "words")}
    plain, store = create_slides(layouts["plain"], 64), create_slides(layouts["words"], 64)
    store.word_tiles.ensure("be" * 8)
    start = time.perf_counter()
    for first in range(0, count, 500):
        slides = [make_row(rng, number, dimension) for number in range(first, min(count, first + 500))]
        store.upsert(slides)
        plain.upsert([replace(slide, word_tiles=None) for slide in slides])
    written = time.perf_counter() - start
    sizes = [
        sum(path.stat().st_size for path in (folder / name).rglob("*") if path.is_file()) for name in ("plain", "words")
    ]
    before = measure_memory()
    view = open_slides(layouts["words"]).snapshot()
    start = time.perf_counter()
    rows = view.word_tiles.rows("be" * 8, dimension)
    read = time.perf_counter() - start
    held = measure_memory() - before
    vectors = normalise_rows(rng.standard_normal((136, dimension)).astype(np.float32))
    times = {queries: time_queries(rows.block.measure, vectors[:queries]) for queries in (1, 2, 136)}
    whole = time_queries(repeat_block(rows.block, 10).measure, vectors[:1])
    columns = ("slides", "in the store more, MB", "written, s", "read at first, s", "memory then, MB", "one prompt, ms")
    yield f"| {' | '.join(columns)} | two, ms | 136 at once, s | one prompt, ten times the slides, ms |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    yield (
        f"| {count} | {(sizes[1] - sizes[0]) / 1e6:.0f} | {written:.0f} | {read:.1f} | {held:.0f} | "
        f"{1000 * times[1]:.0f} | {1000 * times[2]:.0f} | {times[136]:.1f} | {1000 * whole:.0f} |"
    )


def repeat_block(block: CodeBlock, copies: int) -> CodeBlock:
    """The same slides several times over."""
    counts = np.tile(np.diff(block.offsets), copies)
    parts = np.tile(block.codes, (copies, 1)), np.tile(block.scales, copies), np.tile(block.weights, copies)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    return CodeBlock(*parts, offsets, np.tile(block.masses, copies))


def measure_memory() -> float:
    """What this process holds, in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def time_queries(measure: object, vectors: Floats) -> float:
    """The least of five, after one that compiles: the machine has other work as well."""
    measure(vectors)  # type: ignore[operator]
    times = []
    for _ in range(5 if len(vectors) < 10 else 2):
        start = time.perf_counter()
        measure(vectors)  # type: ignore[operator]
        times.append(time.perf_counter() - start)
    return min(times)


def make_row(rng: np.random.Generator, number: int, dimension: int) -> StoredSlide:
    """A slide with 32 random tiles."""
    vectors = normalise_rows(rng.standard_normal((32, dimension)).astype(np.float32))
    coords = rng.integers(0, 9000, (32, 2)).astype(np.int32)
    tiles = replace(WordTiles.choose(vectors, coords, np.ones(32, np.float32), PX, "be" * 8), tile_count=256)
    mosaic = normalise_rows(rng.standard_normal((2, 64)).astype(np.float32)).astype(np.float16)
    signature = Signature.create(
        mosaic[0].astype(np.float32),
        mosaic,
        np.full(2, 0.5, np.float32),
        tuple(MosaicTiles(coords[:1], np.ones(1, np.float32)) for _ in range(2)),
        PX,
    )
    now = datetime.now(UTC)
    record = SlideRecord(f"s{number:06d}", f"/s{number}.svs", "f", 9000, 9000, 0.5, 256, now, now)
    return StoredSlide(record, signature, word_tiles=tiles.pack())


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--slides", type=int, default=10_000, help="of the table of sizes; 0 leaves it out")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    tiles = read_tiles(options.data, options.out)
    training = split(tiles)
    tower, held = Tower.fit(tiles.take(training)), tiles.take(~training)
    card = replace(lite0.CARD, name=NAME, has_words=True)
    registry.FAMILIES = (*registry.FAMILIES, registry.TileEncoderFamily(card, lite0.load, tower.load))
    slides = make_slides(held)
    print(f"{training.sum()} tiles trained on, {len(held.labels)} of {len(set(held.groups.tolist()))} other groups\n")
    print(*label_tiles(tower, held), "", sep="\n")
    print(*find_tiles(tower, held), "", sep="\n")
    print(f"{len(slides)} pseudo-slides, {len(list_queries())} queries\n")
    print(*search_slides(options.out, tower, slides), "", sep="\n")
    print(*compare_choices(tower, held), "", sep="\n")
    if options.slides:
        print(*measure_scale(options.out / "scale", options.slides), sep="\n")


if __name__ == "__main__":
    main()
