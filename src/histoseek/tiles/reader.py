"""Streaming tiles off a slide: parallel reads, bounded memory, the order of the tile set."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from histoseek.geometry import Rect, Size
from histoseek.slides.slide import Slide
from histoseek.tiles.grid import TileSet

Pixels = NDArray[np.uint8]

_CHUNK = 8
"""Tiles that one thread reads in one go: enough to make hand-over cheap, few enough to balance."""


def read_tile(slide: Slide, tiles: TileSet, index: int) -> Pixels:
    """One tile as uint8 [edge_px, edge_px, 3]; what lies beyond a slide smaller than a tile is mirrored."""
    x, y = (int(v) for v in tiles.coords[index])
    edge, out = tiles.edge_level0, tiles.shape.edge_px
    width, height = min(edge, slide.size.width - x), min(edge, slide.size.height - y)
    if (width, height) == (edge, edge):
        return slide.read_at(tiles.shape.spacing_um_per_px, Rect(x, y, edge, edge), Size(out, out))
    size = Size(max(1, round(width * out / edge)), max(1, round(height * out / edge)))
    part = slide.read_at(tiles.shape.spacing_um_per_px, Rect(x, y, width, height), size)
    return np.pad(part, ((0, out - size.height), (0, out - size.width), (0, 0)), mode="symmetric")


def read_batches(slide: Slide, tiles: TileSet, batch: int, workers: int) -> Iterator[Pixels]:
    """All tiles in order, as uint8 [<= batch, edge_px, edge_px, 3].

    At most two batches are read ahead of the consumer, by `workers` threads that end with the iterator.
    """
    chunks = [range(i, min(i + _CHUNK, len(tiles))) for i in range(0, len(tiles), _CHUNK)]
    ahead = max(workers, 2 * -(-batch // _CHUNK))
    pool = ThreadPoolExecutor(workers, thread_name_prefix="tiles")
    try:
        yield from _regroup(_read_in_order(pool, slide, tiles, chunks, ahead), batch)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _read_in_order(
    pool: ThreadPoolExecutor, slide: Slide, tiles: TileSet, chunks: list[range], ahead: int
) -> Iterator[Pixels]:
    def read(chunk: range) -> Pixels:
        return np.stack([read_tile(slide, tiles, i) for i in chunk])

    waiting = iter(chunks)
    pending: deque[Future[Pixels]] = deque(pool.submit(read, chunk) for chunk in islice(waiting, ahead))
    while pending:
        done = pending.popleft().result()
        pending.extend(pool.submit(read, chunk) for chunk in islice(waiting, 1))
        yield done


def _regroup(parts: Iterator[Pixels], batch: int) -> Iterator[Pixels]:
    held: list[Pixels] = []
    count = 0
    for part in parts:
        held.append(part)
        count += len(part)
        while count >= batch:
            joined = np.concatenate(held)
            yield joined[:batch]
            held, count = [joined[batch:]], count - batch
    if count:
        yield np.concatenate(held)
