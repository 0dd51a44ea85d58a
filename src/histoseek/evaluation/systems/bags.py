"""Tile features for the systems that start from them: read when needed, and only small summaries kept."""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np

from histoseek.encoders.bag import Bag
from histoseek.evaluation.cohort import Cohort
from histoseek.evaluation.systems.base import Floats, Ints

Summary = TypeVar("Summary")

_MEMORY_BYTES = 256 * 2**20


class BagReader:
    """Bags of a cohort. Those read last stay in memory, as many as `memory_bytes` hold."""

    def __init__(self, cohort: Cohort, memory_bytes: int = _MEMORY_BYTES) -> None:
        self._cohort = cohort
        self._room = memory_bytes
        self._bags_in_memory: OrderedDict[int, Bag] = OrderedDict()

    def __getitem__(self, place: int) -> Bag:
        """The bag of a slide; raises BadFeatureFile."""
        if place in self._bags_in_memory:
            self._bags_in_memory.move_to_end(place)
            return self._bags_in_memory[place]
        bag = self._cohort.bag(place)
        self._bags_in_memory[place] = bag
        self._room -= bag.features.nbytes
        while self._room < 0:
            self._room += self._bags_in_memory.popitem(last=False)[1].features.nbytes
        return bag


class Summaries(Generic[Summary]):
    """What `summarise` makes of the slides of a cohort, each made once, when it is first asked for."""

    def __init__(self, summarise: Callable[[int], Summary]) -> None:
        self._summarise = summarise
        self._summaries: dict[int, Summary] = {}

    def __getitem__(self, place: int) -> Summary:
        """The summary of one slide."""
        if place not in self._summaries:
            self._summaries[place] = self._summarise(place)
        return self._summaries[place]

    def get_many(self, places: Ints) -> list[Summary]:
        """Summaries of several slides, in their order."""
        return [self[int(place)] for place in places]


def slide_generator(seed: int, slide_id: str) -> np.random.Generator:
    """Random numbers that depend on a slide's id and the seed, and on no other slide."""
    return np.random.default_rng([seed, zlib.crc32(slide_id.encode())])


def sample_tiles(bags: BagReader, cohort: Cohort, database: Ints, tiles: int, seed: int) -> Floats:
    """Features of about `tiles` tiles of a database, float32 [T, D], as many from each slide as it has of its share."""
    share = -(-tiles // len(database))
    samples = []
    for place in database:
        features = bags[int(place)].features
        order = slide_generator(seed, cohort.slide_ids[place]).permutation(len(features))
        samples.append(features[np.sort(order[:share])])
    return np.concatenate(samples)
