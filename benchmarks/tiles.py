"""Deep Zoom tiles a second: the tile service against OpenSlide's DeepZoomGenerator with Pillow, same tiles, same run.

python benchmarks/tiles.py FOLDER [SLIDES ...] [--views 40] [--repeats 5]

A simulated slide of 16,384 px is made in FOLDER once and kept there; SLIDES are further slides to measure. "screens"
are five by three tiles at random places and magnifications; "full" are tiles of the slide's own level, each once, row
by row; "half" those of the level below. Both sides cut the same tiles and write JPEG of the same quality; neither keeps
finished ones. They take turns; the medians are printed, with the lowest and highest ratio of a turn.
"""

from __future__ import annotations

import argparse
import io
import random
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import openslide
from openslide.deepzoom import DeepZoomGenerator

from histoseek.geometry import Size
from histoseek.server.tiles.deepzoom import DeepZoom
from histoseek.server.tiles.jpeg import QUALITY
from histoseek.server.tiles.service import TileService
from histoseek.simulate.slide import SlideSpec, write_slide
from histoseek.slides.slide import open_slide
from histoseek.slides.sources.file import FileSource

SCREEN = Size(5, 3)
SIMULATED_PX = 16_384
MOST_TILES = 600
SPACING_UM_PER_PX = 0.25

Place = tuple[int, int, int]
Tile = Callable[[int, int, int], bytes]


@dataclass(frozen=True)
class Work:
    """The tiles to make of a slide, and how many of them the slide stores as they are."""

    path: Path
    kind: str
    tile_px: int
    places: list[Place]
    stored: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("slides", type=Path, nargs="*")
    parser.add_argument("--views", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    print("| slide | tile, px | which | tiles | stored | threads | service, tiles/s | OpenSlide, tiles/s | ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for path in (*given.slides, simulated(given.folder)):
        for work in works_of(path, given.views):
            for threads in (1, 2):
                print(line(work, threads, given.repeats), flush=True)


def simulated(folder: Path) -> Path:
    path = folder / f"simulated-{SIMULATED_PX}.tif"
    if not path.exists():
        size = Size(SIMULATED_PX, SIMULATED_PX)
        write_slide(SlideSpec("simulated", size, SPACING_UM_PER_PX, "adenocarcinoma", "site", "patient", 1), path)
    return path


def works_of(path: Path, views: int) -> list[Work]:
    image = DeepZoom(open_slide(path, SPACING_UM_PER_PX))
    finest = image.grid.max_level
    kinds = {"screens": screens(image, views), "full": rows(image, finest), "half": rows(image, finest - 1)}
    works = [
        Work(
            path, kind, image.grid.tile_px, places, sum(image.read_stored_jpeg(*place) is not None for place in places)
        )
        for kind, places in kinds.items()
    ]
    image.close()
    return works


def rows(image: DeepZoom, level: int) -> list[Place]:
    tiles = image.grid.count_tiles(level)
    return [(level, column, row) for row in range(tiles.height) for column in range(tiles.width)][:MOST_TILES]


def screens(image: DeepZoom, views: int) -> list[Place]:
    """Level, column and row of the tiles of screens on levels that have more than one tile."""
    rng = random.Random(0)
    levels = [n for n in range(image.grid.max_level + 1) if image.grid.count_tiles(n) != Size(1, 1)]
    places: list[Place] = []
    for _ in range(views):
        level = rng.choice(levels)
        tiles = image.grid.count_tiles(level)
        left = rng.randint(0, max(0, tiles.width - SCREEN.width))
        top = rng.randint(0, max(0, tiles.height - SCREEN.height))
        columns, lines = range(left, tiles.width)[: SCREEN.width], range(top, tiles.height)[: SCREEN.height]
        places += [(level, column, row) for row in lines for column in columns]
    return places


def line(work: Work, threads: int, repeats: int) -> str:
    turns = [(rate(of_service, work, threads), rate(of_openslide, work, threads)) for _ in range(repeats)]
    ours, theirs = (statistics.median(side) for side in zip(*turns, strict=True))
    ratios = [one / other for one, other in turns]
    spread = f"{ours / theirs:.1f} ({min(ratios):.1f} to {max(ratios):.1f})"
    what = (work.path.name, work.tile_px, work.kind, len(work.places), work.stored, threads)
    cells = (*what, f"{ours:.0f}", f"{theirs:.0f}", spread)
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def rate(side: Callable[[Work], Tile], work: Work, threads: int) -> float:
    """Tiles a second with a freshly opened slide; opening it is not counted."""
    tile = side(work)
    with ThreadPoolExecutor(threads) as pool:
        start = time.perf_counter()
        made = sum(len(data) > 0 for data in pool.map(lambda place: tile(*place), work.places))
        return made / (time.perf_counter() - start)


def of_service(work: Work) -> Tile:
    service = TileService(max_open_slides=4, cache_mb=0)
    source = FileSource(work.path)
    service.describe(source, SPACING_UM_PER_PX)
    return lambda level, column, row: service.make_tile(source, level, column, row)


def of_openslide(work: Work) -> Tile:
    generator = DeepZoomGenerator(openslide.OpenSlide(str(work.path)), work.tile_px, 0)

    def tile(level: int, column: int, row: int) -> bytes:
        file = io.BytesIO()
        generator.get_tile(level, (column, row)).save(file, "JPEG", quality=QUALITY)
        return file.getvalue()

    return tile


if __name__ == "__main__":
    main()
