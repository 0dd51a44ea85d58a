"""Representative tiles within a budget, picked on one cheap low-magnification look at the slide."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from histoseek.geometry import Size
from histoseek.statistics.clustering import Clustering, kmeans
from histoseek.tiles.grid import TileSet

_CELL_PX = 14
"""Edge of a tile in the low-magnification picture: 8 um/px for tiles of 112 um."""

_GROUPS = 32
"""Most clusters of tiles; a budget of fewer than four tiles a cluster gets fewer clusters."""


def select_representatives(tiles: TileSet, picture: NDArray[np.uint8], slide: Size, budget: int, seed: int) -> TileSet:
    """At most `budget` tiles that stand for all.

    Colour and texture descriptors of all tiles, from `picture` (uint8 [h, w, 3], the whole slide at low
    magnification), are clustered; each cluster gives tiles in proportion to its size, nearest to its centre
    first. Weights say how many tiles each one stands for; they sum to len(tiles).
    """
    if len(tiles) <= budget:
        return tiles
    groups = kmeans(_standardise(compute_descriptors(tiles, picture, slide)), max(1, min(_GROUPS, budget // 4)), seed)
    sizes = np.bincount(groups.labels)
    quotas = _assign_quotas(sizes, budget)
    chosen = np.sort(np.concatenate([_select_nearest(groups, g, quota) for g, quota in enumerate(quotas)]))
    owner = groups.labels[chosen]
    return tiles.subset(chosen, (sizes[owner] / quotas[owner]).astype(np.float32))


def compute_descriptors(tiles: TileSet, picture: NDArray[np.uint8], slide: Size) -> NDArray[np.float32]:
    """Per tile [N, 11]: means of optical densities, saturation, edges at two scales and local contrast, and spreads
    of the first four."""
    columns, rows = ((tiles.coords[:, axis] - tiles.coords[:, axis].min()) // tiles.edge_level0 for axis in (0, 1))
    small = _align(picture, tiles, slide, Size(int(columns.max()) + 1, int(rows.max()) + 1))
    means, spreads = [], []
    for number, feature in enumerate(_make_feature_maps(small)):
        mean = _average_blocks(feature)
        means.append(mean[rows, columns])
        if number < 4:
            spread = np.sqrt(np.maximum(_average_blocks(feature * feature) - mean * mean, 0))
            spreads.append(spread[rows, columns])
    return np.stack(means + spreads, axis=1).astype(np.float32)


def _align(picture: NDArray[np.uint8], tiles: TileSet, slide: Size, cells: Size) -> NDArray[np.uint8]:
    """The part of the picture that the grid covers, resized so that a tile is _CELL_PX wide."""
    height, width = picture.shape[:2]
    left, top = (int(v) for v in tiles.coords.min(axis=0))
    right, bottom = left + cells.width * tiles.edge_level0, top + cells.height * tiles.edge_level0
    x0, x1 = (round(x * width / slide.width) for x in (left, right))
    y0, y1 = (round(y * height / slide.height) for y in (top, bottom))
    part = picture[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]
    shape = (cells.width * _CELL_PX, cells.height * _CELL_PX)
    return cv2.resize(part, shape, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _make_feature_maps(small: NDArray[np.uint8]) -> Iterator[NDArray[np.float32]]:
    density = -np.log((small.astype(np.float32) + 1) / 256)
    yield from (density[..., channel] for channel in range(3))
    yield (small.max(-1).astype(np.float32) - small.min(-1)) / 255
    grey = density.mean(-1)
    blurred = cv2.GaussianBlur(grey, (0, 0), 2.0)
    yield np.abs(cv2.Laplacian(grey, cv2.CV_32F)).astype(np.float32)
    edges = np.abs(cv2.Sobel(blurred, cv2.CV_32F, 1, 0)) + np.abs(cv2.Sobel(blurred, cv2.CV_32F, 0, 1))
    yield edges.astype(np.float32)
    yield np.abs(grey - blurred).astype(np.float32)


def _average_blocks(feature: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = feature.shape
    blocks = feature.reshape(height // _CELL_PX, _CELL_PX, width // _CELL_PX, _CELL_PX)
    return blocks.mean(axis=(1, 3))


def _standardise(values: NDArray[np.float32]) -> NDArray[np.float32]:
    spread = values.std(axis=0)
    return (values - values.mean(axis=0)) / np.where(spread > 1e-6, spread, 1)


def _assign_quotas(sizes: NDArray[np.int64], budget: int) -> NDArray[np.int64]:
    """Shares of the budget by cluster size: at least one each, never more than the cluster has."""
    wanted = sizes * budget / sizes.sum()
    quotas = np.clip(np.floor(wanted).astype(np.int64), 1, sizes)
    while quotas.sum() != budget:
        step = 1 if quotas.sum() < budget else -1
        possible = quotas < sizes if step > 0 else quotas > 1
        lack = np.where(possible, step * (wanted - quotas), -np.inf)
        quotas[int(lack.argmax())] += step
    return quotas


def _select_nearest(groups: Clustering, group: int, quota: int) -> NDArray[np.int64]:
    members = np.flatnonzero(groups.labels == group)
    order = np.argsort(groups.distances[members], kind="stable")
    return members[order[:quota]]
