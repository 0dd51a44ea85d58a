"""SISH-style search (Chen et al. 2022, Nature Biomedical Engineering 6): mosaic tiles under integers, guided search.

After the published description, without its trained parts. What differs:
- A tile's integer comes from its features' three first principal components (of the fold's database), 128 steps each,
  the first component most significant. SISH has the codes of a VQ-VAE trained on tiles, the coarsest most significant.
- The index is a sorted array and not a van Emde Boas tree: the same neighbours, found by bisection.
- A hit is nearer than three quarters of the database's tile pairs are to each other. SISH's limit of 128 bits suits its
  own features only.
- SISH weighs a tile by the entropy of the *diagnoses* among its hits. No labels are looked at here: the entropy is that
  of the slides hit, so that a tile which is everywhere counts less than one found in few slides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.evaluation.cohort import Cohort
from histoseek.evaluation.systems.bags import BagReader, Summaries, sample_tiles
from histoseek.evaluation.systems.base import Floats, Ints
from histoseek.evaluation.systems.tile_codes import STEPS, TileCoder
from histoseek.evaluation.systems.tile_mosaics import select_mosaic_tiles
from histoseek.mosaics.barcodes import Words, make_barcodes

_SAMPLED_TILES = 4096
_SAMPLED_PAIRS = 10_000
_NEAR_PAIRS = 0.25
_PROBES = 10
_NEIGHBOURS = 64


@dataclass(frozen=True, slots=True)
class _Mosaic:
    """A slide's m mosaic tiles: integer codes, int64 [m], and barcodes, uint64 [m, W]."""

    codes: Ints
    barcodes: Words


@dataclass(frozen=True, slots=True)
class _Index:
    """All T tiles of a database, sorted by code.

    codes: int64 [T]; barcodes: uint64 [T, W]; owners: int64 [T], whose they are, as places in the database; slides:
    how many there are; limit: the largest Hamming distance of a hit.
    """

    codes: Ints
    barcodes: Words
    owners: Ints
    slides: int
    limit: float


class Sish:
    """From 0 for a slide and itself to 1 for slides that were not retrieved.

    Each mosaic tile of the query is looked up: the neighbours of its integer, and of ten integers below and above at
    steps of the most significant digit, that are near enough in Hamming distance. A slide's likeness is the mean over
    the tiles of 1 - Hamming distance / bits of its nearest hit (0 without any), weighted by 1 / (1 + entropy).
    """

    name = "sish"

    def __init__(self, cohort: Cohort, bags: BagReader, seed: int) -> None:
        self._cohort = cohort
        self._bags = bags
        self._seed = seed
        self._tiles = Summaries(lambda place: select_mosaic_tiles(bags[place], seed))

    def fit(self, database: Ints) -> None:
        """Fit the codes."""
        coder = TileCoder.fit(sample_tiles(self._bags, self._cohort, database, _SAMPLED_TILES, self._seed))
        self._bits = coder.dimension - 1
        self._mosaics = Summaries(lambda place: self._make_mosaic(place, coder))

    def distances(self, queries: Ints, database: Ints) -> Floats:
        """Query by query."""
        index = _build_index(self._mosaics.get_many(database), self._seed)
        return np.array(
            [self._measure_distances(mosaic, index) for mosaic in self._mosaics.get_many(queries)], np.float32
        )

    def _make_mosaic(self, place: int, coder: TileCoder) -> _Mosaic:
        features = self._bags[place].features[self._tiles[place]]
        return _Mosaic(coder.codes(features), make_barcodes(features))

    def _measure_distances(self, query: _Mosaic, index: _Index) -> Floats:
        likeness, weights = np.zeros(index.slides), 0.0
        for code, barcode in zip(query.codes, query.barcodes, strict=True):
            candidates = _find_candidates(int(code), index.codes)
            distances = _hamming_distances(barcode, index.barcodes[candidates])
            hits, distances = candidates[distances <= index.limit], distances[distances <= index.limit]
            owners = index.owners[hits]
            weight = 1 / (1 + _entropy(np.bincount(owners)))
            nearest = np.zeros(index.slides)
            np.maximum.at(nearest, owners, 1 - distances / self._bits)
            likeness += weight * nearest
            weights += weight
        return np.asarray(1 - likeness / weights, np.float32)


def _build_index(mosaics: list[_Mosaic], seed: int) -> _Index:
    codes = np.concatenate([mosaic.codes for mosaic in mosaics])
    words = np.concatenate([mosaic.barcodes for mosaic in mosaics])
    owners = np.repeat(np.arange(len(mosaics)), [len(mosaic.codes) for mosaic in mosaics])
    order = np.argsort(codes, kind="stable")
    first, second = np.random.default_rng(seed).integers(len(words), size=(2, _SAMPLED_PAIRS))
    limit = float(np.quantile(_hamming_distances(words[first], words[second]), _NEAR_PAIRS))
    return _Index(codes[order], words[order], owners[order], len(mosaics), limit)


def _find_candidates(code: int, codes: Ints) -> Ints:
    """Which of the sorted codes are next to `code` or to a probe at a step of the most significant digit."""
    probes = code + STEPS**2 * np.arange(-_PROBES, _PROBES + 1)
    first = np.maximum(np.searchsorted(codes, probes, side="left") - _NEIGHBOURS, 0)
    after = np.minimum(np.searchsorted(codes, probes, side="right") + _NEIGHBOURS, len(codes))
    first[1:] = np.maximum(first[1:], after[:-1])
    return np.concatenate([np.arange(*ends) for ends in zip(first, after, strict=True)])


def _hamming_distances(words: Words, other_words: Words) -> NDArray[np.int64]:
    return np.bitwise_count(words ^ other_words).sum(axis=-1, dtype=np.int64)


def _entropy(counts: Ints) -> float:
    """In nats; 0 for no counts."""
    shares = counts[counts > 0] / max(1, counts.sum())
    return float(-(shares * np.log(shares)).sum())
