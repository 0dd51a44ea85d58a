"""Streaming tiles off a slide: parallel reads, bounded memory, the order of the tile set."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
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


class TileReading:
    """Tiles of a slide that are read by the threads of a pool, in bounded memory, from the moment this is made.

    ahead: how many tiles are read before they are taken; prepare: what the threads do to each few of them, uint8
    [n, edge_px, edge_px, 3].
    """

    def __init__(
        self,
        slide: Slide,
        tiles: TileSet,
        pool: ThreadPoolExecutor,
        ahead: int,
        prepare: Callable[[Pixels], Pixels] = lambda pixels: pixels,
    ) -> None:
        self._slide, self._tiles, self._pool, self._prepare = slide, tiles, pool, prepare
        starts = range(0, len(tiles), _CHUNK)
        self._waiting = iter([range(start, min(start + _CHUNK, len(tiles))) for start in starts])
        self._pending: deque[Future[Pixels]] = deque()
        self._submit(-(-ahead // _CHUNK))

    def take_batches(self, batch: int) -> Iterator[Pixels]:
        """The tiles in order, as uint8 [<= batch, ...]; raises what reading raised."""
        yield from _regroup(self._take(), batch)

    def close(self) -> None:
        """Read no more; returns when no thread is at the slide any longer."""
        self._waiting = iter(())
        pending, self._pending = self._pending, deque()
        for future in pending:
            future.cancel()
        wait([future for future in pending if not future.cancelled()])

    def _take(self) -> Iterator[Pixels]:
        while self._pending:
            done = self._pending.popleft().result()
            self._submit(1)
            yield done

    def _submit(self, chunks: int) -> None:
        self._pending.extend(self._pool.submit(self._read, chunk) for chunk in islice(self._waiting, chunks))

    def _read(self, chunk: range) -> Pixels:
        return self._prepare(np.stack([read_tile(self._slide, self._tiles, i) for i in chunk]))


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
