"""The grid, the reader, and representatives."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from histoseek.errors import NoTissue
from histoseek.geometry import Rect, Size
from histoseek.slides.slide import Slide, open_slide
from histoseek.slides.sources.file import FileSource
from histoseek.tiles.grid import TileSet, TileShape, lay_tissue_grid
from histoseek.tiles.reader import TileReading, read_tile
from histoseek.tiles.representative import select_representatives
from histoseek.tissue.mask import TissueMask


class Checkerboard:
    """A PixelReader whose pixels tell their place."""

    vendor = "test"
    spacing_um_per_px = 0.5

    def __init__(self, width: int, height: int) -> None:
        from histoseek.geometry import Level

        self.levels = (Level(0, Size(width, height), 1.0),)

    def read(self, level: int, x: int, y: int, width: int, height: int) -> np.ndarray:
        ys, xs = np.mgrid[y : y + height, x : x + width]
        return np.stack([xs % 256, ys % 256, (xs // 256 + ys // 256) % 256], -1).astype(np.uint8)

    def close(self) -> None:
        pass


def slide_of(width: int, height: int) -> Slide:
    return Slide(FileSource(Path("board")), Checkerboard(width, height), 0.5)


def full_mask(width: int, height: int, scale: int = 16) -> TissueMask:
    shape = (max(1, height // scale), max(1, width // scale))
    return TissueMask(np.ones(shape, bool), np.full((*shape, 3), 200, np.uint8), 0.5 * scale, 0.0, 0.0)


@settings(max_examples=60)
@given(st.integers(1, 3000), st.integers(1, 3000), st.sampled_from([64, 224]), st.sampled_from([0.5, 0.7, 1.0, 2.0]))
def test_grid_covers_without_overlap_inside_the_slide(width: int, height: int, edge_px: int, spacing: float) -> None:
    tiles = lay_tissue_grid(slide_of(width, height), full_mask(width, height), TileShape(edge_px, spacing))
    edge = tiles.edge_level0
    assert edge == round(edge_px * spacing / 0.5)
    assert len(tiles) == max(1, width // edge) * max(1, height // edge)
    assert (tiles.coords >= 0).all()
    for axis, length in enumerate((width, height)):
        starts = np.unique(tiles.coords[:, axis])
        assert (np.diff(starts) == edge).all()
        assert starts[-1] + edge <= max(length, edge)
    assert len(np.unique(tiles.coords, axis=0)) == len(tiles)


def test_tiles_without_tissue_are_left_out() -> None:
    mask = full_mask(2240, 2240)
    mask.mask[:, : mask.mask.shape[1] // 2] = False
    tiles = lay_tissue_grid(slide_of(2240, 2240), mask, TileShape(224, 0.5))
    assert len(tiles) == 50
    assert tiles.coords[:, 0].min() == 1120


def test_thin_tissue_still_gives_its_best_tiles_and_none_is_an_error() -> None:
    mask = full_mask(2240, 2240)
    mask.mask[:] = False
    mask.mask[10, 20:40] = True
    tiles = lay_tissue_grid(slide_of(2240, 2240), mask, TileShape(224, 0.5))
    assert 1 <= len(tiles) <= 4
    mask.mask[:] = False
    with pytest.raises(NoTissue, match="no tile"):
        lay_tissue_grid(slide_of(2240, 2240), mask, TileShape(224, 0.5))


@settings(max_examples=15)
@given(st.integers(1, 40), st.integers(1, 30), st.integers(1, 4))
def test_batches_hold_all_tiles_in_order(count: int, batch: int, workers: int) -> None:
    slide = slide_of(4000, 4000)
    rng = np.random.default_rng(count)
    coords = rng.integers(0, 3900, (count, 2)).astype(np.int32)
    tiles = TileSet(coords, 32, TileShape(32, 0.5), np.ones(count, np.float32))
    with ThreadPoolExecutor(workers) as pool:
        batches = list(TileReading(slide, tiles, pool, 2 * batch).take_batches(batch))
    assert all(len(part) == batch for part in batches[:-1])
    joined = np.concatenate(batches)
    for pixels, (x, y) in zip(joined, coords, strict=True):
        assert np.array_equal(pixels, slide.read_level(0, int(x), int(y), 32, 32))


def test_reading_ends_and_reads_no_more_than_a_little_ahead() -> None:
    slide = slide_of(4000, 4000)
    reads: list[int] = []
    original = slide.read_at
    slide.read_at = lambda *arguments: reads.append(1) or original(*arguments)  # type: ignore[method-assign]
    coords = np.zeros((4000, 2), np.int32)
    tiles = TileSet(coords, 16, TileShape(16, 0.5), np.ones(4000, np.float32))
    with ThreadPoolExecutor(2) as pool:
        reading = TileReading(slide, tiles, pool, 32)
        batches = reading.take_batches(16)
        next(batches)
        reading.close()
        read = len(reads)
        assert 16 <= read < 64
        time.sleep(0.05)
        assert len(reads) == read, "nobody is at the slide when it has been closed"


def test_reading_begins_before_anyone_asks_and_prepares_in_its_threads() -> None:
    slide = slide_of(400, 400)
    tiles = TileSet(np.zeros((20, 2), np.int32), 16, TileShape(16, 0.5), np.ones(20, np.float32))
    names = set()
    done = threading.Event()

    def halve(pixels: np.ndarray) -> np.ndarray:
        names.add(threading.current_thread().name)
        done.set()
        return pixels[:, ::2, ::2]

    with ThreadPoolExecutor(2, thread_name_prefix="tiles") as pool:
        reading = TileReading(slide, tiles, pool, 8, halve)
        assert done.wait(30)
        [*batches] = reading.take_batches(16)
    assert [part.shape for part in batches] == [(16, 8, 8, 3), (4, 8, 8, 3)]
    assert all(name.startswith("tiles") for name in names)


def test_a_slide_smaller_than_a_tile_is_mirrored(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (50, 80, 3), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "small.png")
    with open_slide(tmp_path / "small.png", 0.5) as slide:
        mask = TissueMask(np.ones((50, 80), bool), picture, 0.5, 0.0, 0.0)
        tiles = lay_tissue_grid(slide, mask, TileShape(100, 0.5))
        tile = read_tile(slide, tiles, 0)
    assert np.array_equal(tile, np.pad(picture, ((0, 50), (0, 20), (0, 0)), mode="symmetric"))


def test_area_resampling_of_tiles() -> None:
    slide = slide_of(2000, 2000)
    tiles = TileSet(np.array([[100, 60]], np.int32), 64, TileShape(32, 1.0), np.ones(1, np.float32))
    naive = slide.read_level(0, 100, 60, 64, 64).reshape(32, 2, 32, 2, 3).astype(float).mean(axis=(1, 3))
    assert np.abs(read_tile(slide, tiles, 0) - naive).max() <= 1
    assert np.array_equal(read_tile(slide, tiles, 0), slide.read_at(1.0, Rect(100, 60, 64, 64), Size(32, 32)))


def three_kinds(per_side: int = 40) -> tuple[TileSet, np.ndarray, Size]:
    """A picture with kinds of tissue in shares of 80, 15 and 5 percent, in columns."""
    rng = np.random.default_rng(0)
    edge, cell = 224, 8
    picture = np.empty((per_side * cell, per_side * cell, 3), np.uint8)
    columns = np.arange(per_side * cell) / (per_side * cell)
    for (low, high), colour in zip(
        ((0, 0.8), (0.8, 0.95), (0.95, 1.1)), ((230, 150, 200), (120, 60, 150), (240, 230, 240)), strict=True
    ):
        picture[:, (columns >= low) & (columns < high)] = colour
    picture = np.clip(picture + rng.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)
    places = np.arange(per_side) * edge
    coords = np.stack(np.meshgrid(places, places), -1).reshape(-1, 2).astype(np.int32)
    weights = np.ones(len(coords), np.float32)
    return TileSet(coords, edge, TileShape(edge, 0.5), weights), picture, Size(per_side * edge, per_side * edge)


@pytest.mark.parametrize("budget", [1, 3, 16, 100, 256])
def test_representatives_keep_to_the_budget_and_stand_for_all(budget: int) -> None:
    tiles, picture, size = three_kinds()
    chosen = select_representatives(tiles, picture, size, budget, seed=1)
    assert len(chosen) == budget
    assert chosen.weights.sum() == pytest.approx(len(tiles), rel=1e-4)
    everywhere = {tuple(place) for place in tiles.coords.tolist()}
    assert len({tuple(place) for place in chosen.coords.tolist()} & everywhere) == budget


def test_rare_kinds_are_represented_in_proportion() -> None:
    tiles, picture, size = three_kinds()
    chosen = select_representatives(tiles, picture, size, 100, seed=1)
    share = chosen.coords[:, 0] / size.width
    counts = [((share >= low) & (share < high)).sum() for low, high in ((0, 0.8), (0.8, 0.95), (0.95, 1))]
    assert counts[0] == pytest.approx(80, abs=8)
    assert counts[1] == pytest.approx(15, abs=5)
    assert counts[2] >= 2


def test_same_seed_same_tiles_and_no_budget_needed_means_all() -> None:
    tiles, picture, size = three_kinds()
    one, two = (select_representatives(tiles, picture, size, 64, seed=3) for _ in range(2))
    assert np.array_equal(one.coords, two.coords)
    assert select_representatives(tiles, picture, size, len(tiles), seed=0) is tiles


def test_tiles_that_are_mostly_glass_are_left_out_and_so_are_closed_holes() -> None:
    mask = full_mask(2240, 2240)
    mask.mask[:, 70 + 5 :] = False
    tiles = lay_tissue_grid(slide_of(2240, 2240), mask, TileShape(224, 0.5))
    assert len(tiles) == 50, "the sixth column is 5 of 14 px tissue"
    assert tiles.tissue == pytest.approx(np.ones(50))
    assert tiles.subset(np.array([3]), np.ones(1, np.float32)).tissue == pytest.approx([1])
    hole = np.ones(mask.mask.shape, bool)
    hole[:28, :28] = False
    closed = TissueMask(mask.mask, mask.thumbnail, 8.0, 0.0, 0.0, stained=mask.mask & hole)
    assert len(lay_tissue_grid(slide_of(2240, 2240), closed, TileShape(224, 0.5))) == 46


def test_slides_of_thin_tissue_use_the_tiles_that_hold_most_of_it() -> None:
    mask = full_mask(2240, 2240)
    mask.mask[:] = False
    mask.mask[5:8] = True
    mask.mask[47, ::14] = True
    tiles = lay_tissue_grid(slide_of(2240, 2240), mask, TileShape(224, 0.5))
    assert {int(y) for y in tiles.coords[:, 1]} == {0}
    assert len(tiles) == 10
    assert tiles.tissue is not None
    assert 0 < tiles.tissue.min() <= tiles.tissue.max() < 0.5
