"""How long a search from words to regions takes, by anchors, in an archive of so many slides.

Their anchors are random directions, and all have the same bag of tiles; the weights are untrained, of FGCR at the
publication's sizes but for its depth.

    python benchmarks/region_search.py --out FOLDER --slides 5000 --tiles 2000
"""

from __future__ import annotations

import argparse
import os
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import torch
from numpy.typing import NDArray

from histoseek import Archive
from histoseek.archive.schema import StoredSlide
from histoseek.encoders.bag import load_bag, sidecar_path
from histoseek.encoders.recipe import Recipe
from histoseek.encoders.slide.base import RegionalEncoder
from histoseek.encoders.slide.fgcr.architecture import FgcrArchitecture
from histoseek.encoders.slide.registry import find_family
from histoseek.encoders.text.own import OwnTextEncoder
from histoseek.encoders.text.registry import register_text_encoder
from histoseek.encoders.weights import FeatureSpace, TextPart, Weights, WeightsCard
from histoseek.mosaics.signature import MosaicTiles, Signature
from histoseek.search.regional.opening import open_region_measure
from histoseek.statistics.clustering import normalise_rows

SIZES = FgcrArchitecture(input_dimension=256, depth=1, mosaic_size=64)
QUERIES = ("signet ring cells", "adenocarcinoma with necrosis", "normal colonic mucosa", "lymphocytic infiltrate")

Floats = NDArray[np.float32]


def encode(texts: Sequence[str]) -> Floats:
    """Another random direction for each text: what encoders take is not measured here."""
    seeds = (zlib.crc32(text.encode()) for text in texts)
    return np.stack([np.random.default_rng(seed).standard_normal(32) for seed in seeds]).astype(np.float32)


def make_weights(texts: OwnTextEncoder) -> Weights:
    """Untrained, with a random projection of texts."""
    torch.manual_seed(0)
    network = find_family(SIZES.family).network(SIZES)
    tensors = {f"visual.{name}": value.numpy().copy() for name, value in network.state_dict().items()}
    tensors["text_projection.weight"] = np.random.default_rng(0).standard_normal((256, 32)).astype(np.float32)
    tensors["text_projection.bias"] = np.zeros(256, np.float32)
    card = WeightsCard(
        name="untrained",
        architecture=SIZES,
        mode="anchored",
        features=FeatureSpace("test"),
        text=TextPart(register_text_encoder(texts), 32),
        data="random numbers",
        licence="Apache-2.0",
        source="a benchmark",
        seed=0,
        version="0",
        created="2026-01-01T00:00:00+00:00",
    )
    return Weights.from_tensors(card, tensors)


def make_archive(folder: Path, tiles: int) -> Archive:
    """One slide with a report, encoded by the network."""
    (folder / "features").mkdir(parents=True)
    rng, side = np.random.default_rng(0), int(np.ceil(np.sqrt(tiles)))
    for name in ("first", "second"):
        with h5py.File(folder / "features" / f"{name}.h5", "w") as file:
            file["features"] = rng.standard_normal((tiles, 256)).astype(np.float32)
            file["coords"] = np.array([(512 * (i % side), 512 * (i // side)) for i in range(tiles)])
            file["coords"].attrs["patch_size_level0"] = 512
    (folder / "reports.csv").write_text("slide_id,report\nfirst,Adenocarcinoma of the colon.\n")
    texts = OwnTextEncoder("random-texts", encode, dimension=32)
    archive = Archive.create(
        folder / "archive", Recipe(encoder="features:test"), weights=make_weights(texts), text_encoder=texts
    )
    archive.index([folder / "features"], reports=folder / "reports.csv")
    return archive


def add_slides(archive: Archive, count: int) -> int:
    """So many more slides with random anchors, and the bag of the first; how many anchors each has."""
    rng = np.random.default_rng(1)
    [first] = archive.store.get(["second"])
    bag_path, anchors = archive.layout.bag("second"), len(first.signature.mosaic)
    for start in range(0, count, 250):
        slides = [make_slide(first, rng, number) for number in range(start, min(count, start + 250))]
        archive.store.upsert(slides)
        for slide in slides:
            path = archive.layout.bag(slide.record.slide_id)
            path.parent.mkdir(exist_ok=True)
            os.link(bag_path, path)
            os.link(sidecar_path(bag_path), sidecar_path(path))
    return anchors


def make_slide(first: StoredSlide, rng: np.random.Generator, number: int) -> StoredSlide:
    """Like another one, with its own anchors."""
    mosaic = normalise_rows(rng.standard_normal(first.signature.mosaic.shape).astype(np.float32))
    vector = normalise_rows(mosaic.mean(axis=0, keepdims=True))[0]
    tiles = tuple(MosaicTiles(part.coords, part.weights) for part in first.signature.mosaic_tiles)
    signature = Signature.create(vector, mosaic.astype(np.float16), first.signature.shares, tiles, 512)
    record = replace(first.record, slide_id=f"s{number:06d}", uri=f"/slides/s{number:06d}.svs")
    return replace(first, record=record, signature=signature)


def measure_median(work: object, repeats: int) -> tuple[float, float]:
    """p50 and p95 in ms of calls with 0, 1, ..."""
    times = []
    for number in range(repeats):
        start = time.perf_counter()
        work(number)  # type: ignore[operator]
        times.append(1000 * (time.perf_counter() - start))
    return float(np.median(times)), float(np.quantile(times, 0.95))


def measure(archive: Archive, slides: int, anchors: int) -> Iterator[str]:
    """Rows of a table."""
    store = archive.store.snapshot()
    regions = open_region_measure(archive, store)
    start = time.perf_counter()
    regions.measure_slides(regions.encode(QUERIES[:1]))
    yield f"| {slides} slides x {anchors} anchors read at first | {1000 * (time.perf_counter() - start):.0f} | |"
    start = time.perf_counter()
    archive.search(text=QUERIES[0], to="regions")
    yield f"| first search, which measures what chance gives | {1000 * (time.perf_counter() - start):.0f} | |"
    for count in (1, 100):
        vectors = regions.encode([f"text {number}" for number in range(count)])
        p50, p95 = measure_median(lambda _, own=vectors: regions.measure_slides(own), 21 if count == 1 else 5)
        yield f"| best anchor of all slides, {count} texts | {p50:.1f} | {p95:.1f} |"
    for k in (5, 20):
        p50, p95 = measure_median(
            lambda number, k=k: archive.search(text=f"{QUERIES[number % 4]} {number}", to="regions", k=k), 24
        )
        yield f"| whole search, k = {k} | {p50:.1f} | {p95:.1f} |"
    assert isinstance(archive.signer.slide_encoder, RegionalEncoder)
    bag_path = archive.layout.bag("s000000")
    p50, p95 = measure_median(lambda _: archive.signer.slide_encoder.list_regions(load_bag(bag_path)), 11)
    yield f"| of which for each slide shown: bag and outlines | {p50:.1f} | {p95:.1f} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--slides", type=int, default=5000)
    parser.add_argument("--tiles", type=int, default=2000)
    arguments = parser.parse_args()
    archive = make_archive(arguments.out, arguments.tiles)
    anchors = add_slides(archive, arguments.slides)
    archive.store.optimize()
    print("| work | p50, ms | p95, ms |\n| --- | --- | --- |")
    for line in measure(archive, arguments.slides, anchors):
        print(line, flush=True)


if __name__ == "__main__":
    main()
