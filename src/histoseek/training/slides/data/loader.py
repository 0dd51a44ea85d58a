"""From pairs to batches of sampled bags: read by threads, one batch ahead, features kept while there is room."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray

from histoseek.encoders.slide.batches import BagBatch, cells_of
from histoseek.errors import InputError
from histoseek.training.pairs import TrainingPair, load_pair_bag
from histoseek.training.slides.data.sampling import TileClusters, cluster_tiles, sample_tiles


@dataclass(frozen=True, slots=True)
class SlideTiles:
    """All tiles of a slide: features float32 [N, D], cells int64 [N, 2]; has_places: whether these are known."""

    features: NDArray[np.float32]
    cells: NDArray[np.int64]
    has_places: bool


class BagLoader:
    """Gives the bags of pairs, `tiles` tiles each at most; the same for the same seed, draw and slide.

    Features stay in memory as long as they fit into `memory_bytes`, the first that come; groups of tiles, 4 bytes a
    tile, always stay. Use it as a context: it owns threads.
    """

    def __init__(self, tiles: int, seed: int, memory_bytes: int, threads: int) -> None:
        self._tiles = tiles
        self._seed = seed
        self._room = memory_bytes
        self._kept: dict[str, SlideTiles] = {}
        self._clusters: dict[str, TileClusters] = {}
        self._lock = Lock()
        self._dimension = 0
        self._readers = ThreadPoolExecutor(threads, "bags")
        self._ahead = ThreadPoolExecutor(1, "batch")

    def __enter__(self) -> BagLoader:
        return self

    def __exit__(self, *_: object) -> None:
        for pool in (self._ahead, self._readers):
            pool.shutdown(wait=True, cancel_futures=True)

    def dimension(self, pair: TrainingPair) -> int:
        """Dimension of the features, which all slides must share, from one of them."""
        self._dimension = self._slide(pair).features.shape[1]
        return self._dimension

    def require_places(self, pairs: Sequence[TrainingPair]) -> None:
        """Raise InputError, which names the slide, unless all tiles of all slides have coordinates."""
        for pair, slide in zip(pairs, self._readers.map(self._slide, pairs), strict=True):
            if not slide.has_places:
                what = "its features have no coordinates, and regions are places on a slide"
                advice = "Take feature files with coords and patch_size_level0, or train --model pathsearch"
                raise InputError(pair.slide_id, what, advice)

    def batch(self, pairs: Sequence[TrainingPair], draw: int) -> BagBatch:
        """The sampled bags of B pairs on the CPU, padded to the largest of them.

        Raises BadFeatureFile, or InputError for features of another dimension than the first's.
        """
        return _pad(list(self._readers.map(lambda pair: self._sample(pair, draw), pairs)))

    def batches(self, chunks: Iterable[Sequence[TrainingPair]], draw: int) -> Iterator[BagBatch]:
        """The bags of each chunk of pairs, the next being read while one is in use."""
        waiting = None
        for chunk in chunks:
            coming = self._ahead.submit(self.batch, chunk, draw)
            if waiting is not None:
                yield waiting.result()
            waiting = coming
        if waiting is not None:
            yield waiting.result()

    def _sample(self, pair: TrainingPair, draw: int) -> SlideTiles:
        slide = self._slide(pair)
        if slide.features.shape[1] != (self._dimension or slide.features.shape[1]):
            what = f"features of dimension {slide.features.shape[1]}, the others have {self._dimension}"
            raise InputError(pair.slide_id, what, "Train on features of one encoder")
        if pair.slide_id not in self._clusters:
            self._clusters[pair.slide_id] = cluster_tiles(slide.features, pair.slide_id, self._seed)
        chosen = sample_tiles(self._clusters[pair.slide_id], self._tiles, pair.slide_id, self._seed, draw)
        return SlideTiles(slide.features[chosen], slide.cells[chosen], slide.has_places)

    def _slide(self, pair: TrainingPair) -> SlideTiles:
        if pair.slide_id in self._kept:
            return self._kept[pair.slide_id]
        bag = load_pair_bag(pair)
        slide = SlideTiles(bag.features, cells_of(bag), bag.has_places)
        size = slide.features.nbytes + slide.cells.nbytes
        with self._lock:
            if size <= self._room and pair.slide_id not in self._kept:
                self._kept[pair.slide_id] = slide
                self._room -= size
        return slide


def cut_bags(bags: BagBatch, rows: slice) -> BagBatch:
    """Some of the bags, without the padding that only the others needed."""
    longest = int(bags.mask[rows].sum(1).max())
    return BagBatch(bags.features[rows, :longest], bags.cells[rows, :longest], bags.mask[rows, :longest])


def move_bags(bags: BagBatch, device: torch.device) -> BagBatch:
    """The bags on another device."""
    return BagBatch(bags.features.to(device), bags.cells.to(device), bags.mask.to(device))


def _pad(slides: Sequence[SlideTiles]) -> BagBatch:
    longest = max(len(slide.features) for slide in slides)
    features = torch.zeros(len(slides), longest, slides[0].features.shape[1])
    cells = torch.zeros(len(slides), longest, 2, dtype=torch.int64)
    mask = torch.zeros(len(slides), longest, dtype=torch.bool)
    for row, slide in enumerate(slides):
        count = len(slide.features)
        features[row, :count] = torch.from_numpy(slide.features)
        cells[row, :count] = torch.from_numpy(slide.cells)
        mask[row, :count] = True
    return BagBatch(features, cells, mask)
