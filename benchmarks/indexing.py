"""Indexing one large slide: reading, encoding, budgeted and complete, beside a naive way in the same run.

    histoseek simulate is for cohorts; this script draws its own slide of 40,000 x 40,000 px at 0.25 um/px:
    python benchmarks/indexing.py FOLDER [--edge 40000]

The naive way reads tile by tile through OpenSlide and encodes each batch with the plain torch module, one after the
other. Each part runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from histoseek.geometry import Size
from histoseek.progress import SilentReporter
from histoseek.simulate.slide import SlideSpec, write_slide

NAIVE_TILES = 512


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--edge", type=int, default=40_000)
    parser.add_argument("--part", help="one part alone; `waiting` needs no large slide")
    arguments = parser.parse_args()
    slide = arguments.folder / f"large-{arguments.edge}.tiff"
    if arguments.part:
        print(json.dumps({**PARTS[arguments.part](slide), "peak_mb": peak_mb()}))
        return
    if not slide.exists():
        arguments.folder.mkdir(parents=True, exist_ok=True)
        start = time.perf_counter()
        write_slide(
            SlideSpec("large", Size(arguments.edge, arguments.edge), 0.25, "adenocarcinoma", "site-0", "p", 7), slide
        )
        print(f"slide drawn in {time.perf_counter() - start:.0f} s", flush=True)
    for part in PARTS:
        command = [sys.executable, __file__, str(arguments.folder), "--edge", str(arguments.edge), "--part", part]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
        print(f"{part}: {done.stdout.strip() or done.stderr[-800:]}", flush=True)


def peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def budgeted(slide: Path) -> dict[str, float]:
    return indexed(slide, 256)


def complete(slide: Path) -> dict[str, float]:
    return indexed(slide, None)


def indexed(slide: Path, budget: int | None) -> dict[str, float]:
    """Our pipeline on one slide; the encoder's own time is measured on tiles that lie ready, in the same process."""
    from histoseek.encoders.recipe import Recipe
    from histoseek.encoders.slide_bags import encode_prepared, prepare_slide
    from histoseek.encoders.tile.registry import load_tile_encoder
    from histoseek.slides.sources.file import FileSource

    encoder = load_tile_encoder("lite0")
    own_rate = encoder_rate(encoder, encoder.card.batch_size(512))
    start = time.perf_counter()
    prepared = prepare_slide(FileSource(slide), Recipe(tile_budget=budget), encoder.card.tile_px, None)
    ready = time.perf_counter()
    bag = encode_prepared(prepared, encoder, 2, SilentReporter())
    wall = time.perf_counter() - start
    prepared.slide.close()
    return {
        "tiles": len(bag),
        "wall_s": round(wall, 2),
        "prepare_s": round(ready - start, 2),
        "encoder_alone_s": round(len(bag) / own_rate, 2),
        "wall_over_encoder": round(wall * own_rate / len(bag), 3),
        "encoder_tiles_per_s": round(own_rate, 1),
    }


def encoder_rate(encoder: object, batch: int) -> float:
    import numpy as np

    pixels = np.random.default_rng(0).integers(0, 256, (batch, 224, 224, 3), dtype=np.uint8)
    encoder.encode(pixels)
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < 4:
        encoder.encode(pixels)
        count += batch
    return count / (time.perf_counter() - start)


def torch_encoder(slide: Path) -> dict[str, float]:
    from histoseek.encoders.tile.registry import load_tile_encoder

    os.environ["HISTOSEEK_RUNTIME"] = "torch"
    return {"tiles_per_s": round(encoder_rate(load_tile_encoder("lite0"), 32), 1)}


def naive(slide: Path) -> dict[str, float]:
    """Tile by tile with OpenSlide and the plain module, on the first tiles of the same grid."""
    import numpy as np
    import openslide
    import torch

    from histoseek.encoders.recipe import Recipe
    from histoseek.encoders.slide_bags import prepare_slide
    from histoseek.encoders.tile import lite0
    from histoseek.slides.sources.file import FileSource

    prepared = prepare_slide(FileSource(slide), Recipe(tile_budget=None), 224, None)
    coords, edge = prepared.tiles.coords, prepared.tiles.edge_level0
    module = lite0.load_module(lite0.packaged_weights()).eval()
    reader = openslide.OpenSlide(str(slide))
    start = time.perf_counter()
    with torch.inference_mode():
        for first in range(0, NAIVE_TILES, 32):
            tiles = [
                np.asarray(reader.read_region((int(x), int(y)), 0, (edge, edge)).convert("RGB").resize((224, 224)))
                for x, y in coords[first : first + 32]
            ]
            module((torch.from_numpy(np.stack(tiles)).permute(0, 3, 1, 2).float() / 255 - 0.498) / 0.502)
    wall = time.perf_counter() - start
    return {
        "tiles": NAIVE_TILES,
        "wall_s": round(wall, 2),
        "wall_s_all_tiles": round(wall * len(coords) / NAIVE_TILES, 1),
    }


def reading(slide: Path) -> dict[str, float]:
    """Regions of 448 px at level 0, two threads: OpenSlide and libvips, same places."""
    from concurrent.futures import ThreadPoolExecutor

    from histoseek.slides.readers.openslide import OpenSlideReader
    from histoseek.slides.readers.vips import find_fast_reader

    reference = OpenSlideReader(slide)
    fast = find_fast_reader(slide, reference)
    middle = reference.levels[0].size.width // 2
    places = [(middle + 448 * (i % 32), middle + 448 * (i // 32)) for i in range(32 * 24)]
    rates = {}
    for name, source in (("openslide", reference), ("libvips", fast)):
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda place, s=source: s.read(0, *place, 448, 448), places[:20]))
            start = time.perf_counter()
            list(pool.map(lambda place, s=source: s.read(0, *place, 448, 448), places))
            rates[name] = len(places) / (time.perf_counter() - start)
    return {**{k: round(v) for k, v in rates.items()}, "ratio": round(rates["libvips"] / rates["openslide"], 2)}


def waiting(slide: Path) -> dict[str, float]:
    """Eight slides of 4,096 px, 64 tiles each, through `index`: how long the encoder waited for tiles, by its log."""
    import logging
    import tempfile

    from histoseek.api import Archive
    from histoseek.encoders.recipe import Recipe
    from histoseek.simulate.cohort_spec import CohortSpec, write_cohort

    folder = slide.parent / "several"
    if not folder.exists():
        write_cohort(CohortSpec(patients=4, slides_per_patient=2, sites=1, size_px=4096), folder)
    found: list[tuple[int, float, float]] = []

    class Waits(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record.args)

    log = logging.getLogger("histoseek.encoders.slide_bags")
    log.setLevel(logging.DEBUG)
    log.addHandler(Waits())
    with tempfile.TemporaryDirectory() as place:
        start = time.perf_counter()
        Archive.create(Path(place) / "a", Recipe(tile_budget=64), text_encoder="none").index([folder])
        wall = time.perf_counter() - start
    tiles, seconds, waited = (sum(column) for column in zip(*found, strict=True))
    later = sum(wait for _, _, wait in found[1:])
    return {
        "slides": len(found),
        "tiles": tiles,
        "wall_s": round(wall, 2),
        "encoding_s": round(seconds, 2),
        "waited_s": round(waited, 2),
        "waited_after_the_first_slide_s": round(later, 2),
    }


PARTS = {
    "waiting": waiting,
    "reading": reading,
    "torch_encoder": torch_encoder,
    "budgeted": budgeted,
    "complete": complete,
    "naive": naive,
}


if __name__ == "__main__":
    main()
