"""A tile encoder's model, and what computes it: pieces small enough for the memory, on as many threads as pay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from histoseek.encoders.tile.base import TileCard
from histoseek.encoders.tile.preparation import prepare_pixels

if TYPE_CHECKING:
    from torch import nn

Precision = Literal["float32", "bf16", "fp16", "int8"]
Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

_FEWEST = 16
"""Tiles of a batch at least: handing them over costs little then."""

_COPIES = 8
"""Of a tile in float32, that are in memory at least while a network computes it."""


@dataclass(frozen=True, slots=True)
class Model:
    """What an encoder computes.

    module: gives the network, which maps normalised images [B, 3, S, S] to [B, D]; graph: gives the ONNX model of
    pixels, uint8 [B, S, S, 3], to features [B, D] without torch, where that is known.
    """

    card: TileCard
    weights_hash: str
    module: Callable[[], nn.Module]
    graph: Callable[[], bytes] | None = None


@dataclass(frozen=True, slots=True)
class Rate:
    """How an engine did in a trial: tiles a second, and the lowest cosine of its features to those in float32."""

    engine: str
    tiles_per_second: float
    lowest_cosine: float


class Engine(Protocol):
    """Computes a model.

    name: with the precision ("onnx float32"); parallel: from how many threads `run` is best called at once; most: tiles
    that it is given in one call at most; batch_memory_bytes: what those that are computed at once may take.
    """

    name: str
    parallel: int
    most: int
    batch_memory_bytes: int

    def run(self, pixels: Pixels) -> Floats:
        """Features [B, D] of pixels [B, S, S, 3] of the network's own edge."""

    def take_memory(self) -> int:
        """Bytes that its process or device has taken until now; 0 where that is not known."""


class PreparedEncoder:
    """A tile encoder with what computes it. rates: of the trial in which that was chosen, if there was one."""

    def __init__(self, model: Model, engine: Engine, rates: Sequence[Rate] = ()) -> None:
        self.card = model.card
        self.weights_hash = model.weights_hash
        self.rates = tuple(rates)
        self.engine = engine
        self._tile_bytes = 0

    @property
    def runtime(self) -> str:
        """What computes it, with the precision."""
        return self.engine.name

    @property
    def batch_size(self) -> int:
        """Tiles that are best given to `encode` at once."""
        return max(self._count_at_once() * self.engine.parallel, _FEWEST)

    def encode(self, pixels: Pixels) -> Floats:
        """Features [B, D] of tiles [B, S, S, 3]."""
        pixels = prepare_pixels(pixels, self.card.preparation)
        if not self._tile_bytes and len(pixels) > 2:
            self._measure_memory(pixels[:3])
        share = -(-len(pixels) // self.engine.parallel)
        step = max(min(share, self._count_at_once()), 1)
        parts = [pixels[start : start + step] for start in range(0, len(pixels), step)]
        if self.engine.parallel == 1 or len(parts) == 1:
            found = [self.engine.run(part) for part in parts]
        else:
            found = list(self._threads.map(self.engine.run, parts))
        return np.concatenate(found)

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.engine.parallel, thread_name_prefix="encoder")

    def _count_at_once(self) -> int:
        """Tiles in one call of the engine, by its memory."""
        bytes_each = self._tile_bytes or self.card.tile_bytes
        return min(max(self.engine.batch_memory_bytes // (self.engine.parallel * bytes_each), 1), self.engine.most)

    def _measure_memory(self, pixels: Pixels) -> None:
        """See what three tiles take more than one does; no less than the floats of some copies of the input."""
        self._tile_bytes = self.card.tile_bytes
        if not self.engine.take_memory():
            return
        self.engine.run(pixels[:1])
        before = self.engine.take_memory()
        self.engine.run(pixels)
        taken = max(self.engine.take_memory() - before, 0) // (len(pixels) - 1)
        self._tile_bytes = max(taken, _COPIES * 4 * pixels[0].size)


def read_resident_bytes() -> int:
    """Memory of this process that is in use; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
    except (OSError, ValueError, IndexError):
        return 0
