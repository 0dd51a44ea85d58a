"""A thumbnail in blocks of some 64 um: how bright, how coloured and how even each is."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Floats = NDArray[np.float32]

_EDGE_UM = 64.0
_LEAST_PX, _MOST_PX = 4, 32
_LEAST_BLOCKS = 32
_STRIP = 32
"""Rows of blocks that are measured at once."""
_STROKE = 12.0
"""Least area of a stroke in squares of its half width: a disc has 3, a line 4 times its length by its width."""
_RUN, _SHORTEST_RUN, _RUN_SHARE = 12, 8, 0.8
"""Blocks of a straight line: of a small part most of its width, as round parts have no such line."""
_STRAIGHT = 0.75


@dataclass(frozen=True, slots=True)
class Blocks:
    """The blocks of a picture, the last ones of a row and a column filled up by repetition.

    edge: in px; mean: float32 [H, W, 3]; spread: float32 [H, W], largest standard deviation of a channel of the
    lightly smoothed picture; grain: float32 [H, W], what smoothing took of a pixel, much of noise and little of
    texture; flat: bool [H, W], one single colour.
    """

    edge: int
    spacing_um_per_px: float
    mean: Floats
    spread: Floats
    grain: Floats
    flat: Mask

    @property
    def area_um2(self) -> float:
        """Area of one block."""
        return (self.edge * self.spacing_um_per_px) ** 2


def choose_edge(shape: tuple[int, ...], spacing_um_per_px: float) -> int:
    """Edge of the blocks of a picture in px."""
    most = max(_LEAST_PX, min(_MOST_PX, max(shape[:2]) // _LEAST_BLOCKS))
    return int(np.clip(round(_EDGE_UM / spacing_um_per_px), _LEAST_PX, most))


def measure_blocks(picture: Pixels, smooth: Pixels, spacing_um_per_px: float, edge: int) -> Blocks:
    """Cut a picture, uint8 [h, w, 3], into blocks; smooth: the same without its finest noise."""
    height, width = picture.shape[:2]
    rows, columns = -(-height // edge), -(-width // edge)
    parts = [
        _measure_strip(picture[y : y + _STRIP * edge], smooth[y : y + _STRIP * edge], edge, columns)
        for y in range(0, rows * edge, _STRIP * edge)
    ]
    mean, spread, grain, flat = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Blocks(edge, spacing_um_per_px, mean, spread, grain, flat)


def _measure_strip(picture: Pixels, smooth: Pixels, edge: int, columns: int) -> tuple[Floats, Floats, Floats, Mask]:
    rows = -(-len(picture) // edge)
    size = (columns, rows)
    missing = rows * edge - picture.shape[0], columns * edge - picture.shape[1]
    if any(missing):
        picture, smooth = (
            cv2.copyMakeBorder(part, 0, missing[0], 0, missing[1], cv2.BORDER_REPLICATE).astype(np.uint8, copy=False)
            for part in (picture, smooth)
        )
    centred = smooth.astype(np.float32) - 128
    mean = cv2.resize(centred, size, interpolation=cv2.INTER_AREA)
    squared = cv2.resize(centred * centred, size, interpolation=cv2.INTER_AREA)
    spread = np.sqrt(np.maximum(squared - mean * mean, 0).max(-1))
    steps = np.zeros(picture.shape, np.uint8)
    steps[:, 1:] = cv2.absdiff(picture[:, 1:], picture[:, :-1])
    steps[1:] = cv2.max(steps[1:], cv2.absdiff(picture[1:], picture[:-1]))
    # The first row and column of a block are compared with its neighbours, which may differ.
    inner = steps.reshape(rows, edge, columns, edge * 3)[:, 1:, :, 3:]
    flat = np.asarray(~inner.any(axis=(1, 3)), bool)
    removed = cv2.resize(cv2.absdiff(picture, smooth).astype(np.float32), size, interpolation=cv2.INTER_AREA).max(-1)
    return (mean + 128).astype(np.float32), spread.astype(np.float32), removed.astype(np.float32), flat


def enlarge(mask: Mask, blocks: Blocks, shape: tuple[int, ...]) -> Mask:
    """A mask of blocks as a mask of the picture's pixels."""
    size = (mask.shape[1] * blocks.edge, mask.shape[0] * blocks.edge)
    pixels = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    return pixels[: shape[0], : shape[1]].astype(bool)


def dilate(mask: Mask, radius: int) -> Mask:
    """A mask grown by a radius."""
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)).astype(bool)


def close(mask: Mask) -> Mask:
    """A mask without gaps of up to four blocks."""
    padded = np.pad(mask.astype(np.uint8), 4)
    return cv2.morphologyEx(padded, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))[4:-4, 4:-4].astype(bool)


def label_parts(mask: Mask) -> tuple[int, NDArray[np.int32], NDArray[np.int32]]:
    """Number of connected parts and the background, labels [h, w], areas in px by label."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return count, labels, stats[:, cv2.CC_STAT_AREA]


def list_border_labels(labels: NDArray[np.int32]) -> set[int]:
    """Labels other than 0 at the rim of a picture."""
    rim = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    return set(np.unique(rim).tolist()) - {0}


def has_straight_rim(part: Mask) -> bool:
    """Whether a part ends, where it doesn't end with the picture, along lines parallel to the picture's edges."""
    straight = total = 0
    for turned in (part, part.T):
        columns = np.flatnonzero(turned.any(0))
        run = int(np.clip(_RUN_SHARE * np.ptp(columns), _SHORTEST_RUN, _RUN)) if len(columns) else _RUN
        ends = turned[1:] != turned[:-1]
        # A line may waver by a block.
        lines = cv2.dilate(ends.astype(np.uint8), np.ones((3, 1), np.uint8))
        long = cv2.morphologyEx(lines, cv2.MORPH_OPEN, np.ones((1, run), np.uint8)).astype(bool)
        total += int(ends.sum())
        straight += int((ends & long).sum())
    return total > 0 and straight >= _STRAIGHT * total


def is_stroke(part: Mask) -> bool:
    """Whether a part is much longer than wide."""
    return bool(part.sum() >= _STROKE * measure_depth(part) ** 2)


def measure_depth(part: Mask) -> float:
    """Radius in blocks of the largest circle within a part."""
    return float(cv2.distanceTransform(np.pad(part.astype(np.uint8), 1), cv2.DIST_L2, 3).max())
