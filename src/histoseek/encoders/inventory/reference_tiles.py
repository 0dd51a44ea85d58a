"""Tiles that are the same on every machine, made by whole numbers alone, to compare what encoders make of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

REFERENCE_TILES = 4

_STAINS = ((225, 160, 195), (198, 120, 178), (236, 205, 222), (150, 95, 160))
"""Of eosin and haematoxylin, one for each tile's ground."""

_NUCLEUS = (84, 52, 124)
_CELL_PX = 28
_PROJECTED = 16


def make_reference_tiles(tile_px: int) -> NDArray[np.uint8]:
    """Tiles [REFERENCE_TILES, tile_px, tile_px, 3] with dark discs on a grained ground, like nuclei in tissue."""
    rows, columns = np.indices((tile_px, tile_px), dtype=np.int64)
    tiles = np.empty((REFERENCE_TILES, tile_px, tile_px, 3), np.uint8)
    for tile in range(REFERENCE_TILES):
        grain = (rows * rows * 3 + columns * columns * 5 + rows * columns * (7 + tile)) // 64 % 23 - 11
        shift = (rows // _CELL_PX * 11 + tile * 5) % _CELL_PX
        across, down = (columns + shift) % _CELL_PX - _CELL_PX // 2, rows % _CELL_PX - _CELL_PX // 2
        radius = 4 + ((columns + shift) // _CELL_PX * 3 + rows // _CELL_PX * 5 + tile) % 6
        is_nucleus = across * across + down * down < radius * radius
        for channel in range(3):
            ground = np.where(is_nucleus, _NUCLEUS[channel], _STAINS[tile][channel])
            tiles[tile, :, :, channel] = np.clip(ground + grain, 0, 255)
    return tiles


def project_vectors(features: NDArray[np.float32]) -> tuple[float, ...]:
    """What vectors [N, D] are known by on a card: sums of their numbers with fixed signs, of length one.

    Directions that are near stay near (Johnson and Lindenstrauss 1984), so that a few numbers tell a wrong vector.
    """
    flat = np.asarray(features, np.float64).reshape(-1)
    places = np.arange(len(flat), dtype=np.uint64)[None] + np.arange(_PROJECTED, dtype=np.uint64)[:, None] * 2**20
    signs = (places * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(40)) % 2 * 2.0 - 1
    sums = signs @ flat
    return tuple(round(float(value), 4) for value in sums / max(float(np.linalg.norm(sums)), 1e-12))


def measure_agreement(mine: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """The smallest cosine between rows [N, D] of the two."""
    lengths = np.linalg.norm(mine, axis=1) * np.linalg.norm(others, axis=1)
    return float(((mine * others).sum(axis=1) / np.maximum(lengths, 1e-12)).min())
