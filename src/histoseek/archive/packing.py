"""The tiles of a mosaic in one column: the engine takes its time for each column that is read."""

from __future__ import annotations

import numpy as np

from histoseek.mosaics.signature import MosaicTiles, Signature

_INT, _FLOAT = np.dtype("<i4"), np.dtype("<f4")


def pack_tiles(signature: Signature) -> bytes:
    """The tiles of a signature as bytes.

    Little-endian int32: the tiles' edge in level-0 px, the number M of mosaic vectors, the tiles of each [M], x and y
    of all tiles [T, 2]; then float32 weights [T].
    """
    tiles = signature.mosaic_tiles
    counts = [len(part.weights) for part in tiles]
    head = np.array([signature.tile_size_level0, len(tiles), *counts], _INT)
    coords = np.concatenate([part.coords for part in tiles]).astype(_INT)
    weights = np.concatenate([part.weights for part in tiles]).astype(_FLOAT)
    return head.tobytes() + coords.tobytes() + weights.tobytes()


def unpack_tiles(packed: bytes) -> tuple[tuple[MosaicTiles, ...], int]:
    """The tiles of each mosaic vector, and their edge in level-0 px."""
    numbers = np.frombuffer(packed, _INT)
    edge, vectors = int(numbers[0]), int(numbers[1])
    counts = numbers[2 : 2 + vectors]
    first, total = 2 + vectors, int(counts.sum())
    coords = numbers[first : first + 2 * total].reshape(-1, 2).astype(np.int32)
    weights = numbers[first + 2 * total :].view(_FLOAT).astype(np.float32)
    ends = np.cumsum(counts)[:-1]
    parts = zip(np.split(coords, ends), np.split(weights, ends), strict=True)
    return tuple(MosaicTiles(*part) for part in parts), edge
