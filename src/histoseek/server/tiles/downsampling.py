"""Levels of halved size from a pyramid of any steps: averages by area that don't depend on how a level is cut.

A level is the area average of the next finer level of the slide: first over blocks, cut at the right and lower edges,
then by a remaining step between 1 and 2 with weights of 1/256. Where the slide's level ends a pixel early because its
scanner dropped an odd row or column, the last one is repeated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from histoseek.deadline import check_deadline
from histoseek.geometry import Level, Rect, Size
from histoseek.slides.readers.base import Pixels

Read = Callable[[int, int, int, int, int], Pixels]
"""Reads level, x, y, width, height of a pyramid, in the level's own pixels."""

_CELL_PX = 2048
"""Edge of what is read in one go: it bounds the memory of a tile that covers a whole slide."""

_RESAMPLED_PX = 512
"""Edge of what is weighted in one go."""


@dataclass(frozen=True, slots=True)
class Shrink:
    """A level made from one of the slide's: means of `block` x `block` pixels, then a step of 1 <= `rest` < 2."""

    source: Level
    block: int
    rest: float

    @property
    def is_copy(self) -> bool:
        """Whether the pixels are the slide's own."""
        return self.block == 1 and self.rest == 1.0


def choose_shrink(levels: Sequence[Level], downsample: float) -> Shrink:
    """How to make a level of this downsample, at least 1, from the coarsest of the levels that is fine enough."""
    nominal = [(_round_downsample(level, levels[0].size), level) for level in levels]
    step, source = max((pair for pair in nominal if pair[0] <= downsample), key=lambda pair: pair[0])
    block = 1 << (math.frexp(downsample / step)[1] - 1)
    return Shrink(source, block, downsample / step / block)


def shrink_region(read: Read, shrink: Shrink, rect: Rect) -> Pixels:
    """A rectangle of the shrunken level, in its own pixels, as uint8 [height, width, 3]."""
    if shrink.rest == 1.0:
        return _assemble_cells(rect, max(1, _CELL_PX // shrink.block), lambda cell: _average_cell(read, shrink, cell))
    return _assemble_cells(rect, _RESAMPLED_PX, lambda cell: _resample(read, shrink, cell))


def average_blocks(pixels: Pixels, block: int) -> Pixels:
    """Averages over blocks of this edge, from the top left; those at the right and lower edges are of what there is."""
    if block == 1:
        return pixels
    height, width = pixels.shape[:2]
    bands = np.split(pixels, [height // block * block])
    return np.concatenate([_average_band(band, width, block) for band in bands if len(band)])


def _round_downsample(level: Level, full: Size) -> float:
    """The level's downsample; the power of two that it was made with when the difference is less than a pixel.

    Scanners drop the odd row or column, so that a level of half the size reports a downsample of 2.0005.
    """
    power = 2 ** round(math.log2(level.downsample))
    width, height = level.size.width, level.size.height
    same_size = abs(width - full.width / power) < 1 and abs(height - full.height / power) < 1
    drift_px = abs(level.downsample / power - 1) * level.size.longer_edge
    return float(power) if same_size or drift_px < 1 else level.downsample


def _assemble_cells(rect: Rect, edge: int, make: Callable[[Rect], Pixels]) -> Pixels:
    """A rectangle made in squares of at most this edge."""
    if rect.width <= edge and rect.height <= edge:
        return make(rect)
    out = np.empty((rect.height, rect.width, 3), np.uint8)
    for y in range(0, rect.height, edge):
        for x in range(0, rect.width, edge):
            check_deadline()
            cell = Rect(rect.x + x, rect.y + y, min(edge, rect.width - x), min(edge, rect.height - y))
            out[y : y + edge, x : x + edge] = make(cell)
    return out


def _resample(read: Read, shrink: Shrink, rect: Rect) -> Pixels:
    down, across = (
        _Cover.from_range(rect.y, rect.height, shrink.rest),
        _Cover.from_range(rect.x, rect.width, shrink.rest),
    )
    covered = Rect(across.first, down.first, across.count, down.count)
    pixels = shrink_region(read, replace(shrink, rest=1.0), covered).astype(np.int32)
    rows = sum(down.weights[k][:, None, None] * pixels[down.places[k]] for k in range(3))
    both = sum(across.weights[k][:, None] * rows[:, across.places[k]] for k in range(3))
    return np.asarray((both + 2**15) >> 16, np.uint8)


def _average_cell(read: Read, shrink: Shrink, cell: Rect) -> Pixels:
    size, block = shrink.source.size, shrink.block
    # A cell that lies beyond the level's end is of the last blocks.
    x, y = min(cell.x, (size.width - 1) // block) * block, min(cell.y, (size.height - 1) // block) * block
    right, bottom = min(cell.right * block, size.width), min(cell.bottom * block, size.height)
    pixels = average_blocks(read(shrink.source.index, x, y, right - x, bottom - y), block)
    missing = (cell.height - pixels.shape[0], cell.width - pixels.shape[1])
    return np.pad(pixels, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge") if any(missing) else pixels


def _average_band(band: Pixels, width: int, block: int) -> Pixels:
    """The means of rows of blocks that are all of one height, which may be less than `block`."""
    parts = [part for part in np.split(band, [width // block * block], axis=1) if part.shape[1]]
    rows = -(-len(band) // block)
    return np.concatenate([_average_areas(part, Size(-(-part.shape[1] // block), rows)) for part in parts], axis=1)


def _average_areas(pixels: Pixels, size: Size) -> Pixels:
    averages = cv2.resize(np.ascontiguousarray(pixels), (size.width, size.height), interpolation=cv2.INTER_AREA)
    return np.asarray(averages, np.uint8)


@dataclass(frozen=True, slots=True)
class _Cover:
    """Which pixels the pixels of a coarser line cover, at most three each, and by how much, in 1/256."""

    first: int
    count: int
    places: NDArray[np.intp]
    weights: NDArray[np.int32]

    @classmethod
    def from_range(cls, start: int, count: int, step: float) -> _Cover:
        begin, end = np.arange(start, start + count) * step, np.arange(start + 1, start + count + 1) * step
        places = np.floor(begin).astype(np.intp) + np.arange(3)[:, None]
        shares = np.clip(np.minimum(end, places + 1) - np.maximum(begin, places), 0, None) / step
        weights = np.round(256 * shares).astype(np.int32)
        weights[1] += 256 - weights.sum(axis=0)
        first = int(places[0, 0])
        return cls(first, int(places[-1, -1]) - first + 1, places - first, weights)
