"""What is common in an archive: a mosaic vector that many slides have tells nothing of one of them."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.encoders.side_by_side import SideBySide
from histoseek.equality import EqualByContent
from histoseek.mosaics.barcodes import count_first_vectors, make_barcodes, mark_first_rows
from histoseek.mosaics.late_interaction import compute_largest_cosines, normalise

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]
Mosaics = NDArray[np.float16]

BACKGROUND_SLIDES = 64
"""Slides that stand for an archive: on real tiles 32 rank as well as all (benchmarks/mixed.py)."""

_MOST_COMMON = 0.999


def draw_background(slide_ids: Sequence[str]) -> list[str]:
    """The slides that stand for an archive of these: those with the least checksums of their ids.

    As good as random, the same whatever the order, and nearly the same after slides were added or removed.
    """
    return sorted(slide_ids, key=lambda slide_id: (zlib.crc32(slide_id.encode()), slide_id))[:BACKGROUND_SLIDES]


@dataclass(frozen=True, slots=True, eq=False)
class Background(EqualByContent):
    """Mosaics of S slides that stand for an archive: float16 [T, D], those of slide s at offsets[s]:offsets[s + 1]."""

    mosaics: Mosaics
    offsets: Ints

    def split(self, layout: SideBySide) -> tuple[Background, Background]:
        """The mosaics of each encoder of a space of two."""
        firsts = count_first_vectors(make_barcodes(self.mosaics), self.offsets, layout.first)
        is_first = mark_first_rows(self.offsets, firsts)
        starts = np.concatenate([[0], np.cumsum(firsts)])
        first, second = layout.cut(self.mosaics)
        return Background(first[is_first], starts), Background(second[~is_first], self.offsets - starts)

    def measure_commonness(self, mosaic: Mosaics) -> Doubles:
        """How near half of the slides come to each vector of a mosaic [Q, D]: the median over slides of the largest
        cosine, float64 [Q], at least 0 and less than 1."""
        largest = compute_largest_cosines(mosaic, self.mosaics, self.offsets)
        return np.asarray(np.clip(np.median(largest, axis=1), 0, _MOST_COMMON), np.float64)


@dataclass(frozen=True, slots=True)
class RareMatches:
    """How much of what is rare about a query a slide has as well; background: None takes nothing for common.

    Each vector of the query counts by how much nearer the slide comes to it than half of the archive's slides do:
    1 - (cosine - commonness) / (1 - commonness), at most 1, which is 0 for the same vector and 1 for one that is
    matched no better than usual. Not symmetric.
    """

    background: Background | None = None

    def measure(self, query: Mosaics, mosaics: Mosaics, offsets: Ints) -> Doubles:
        """The mean over a query's vectors [Q, D], for each of S slides, float64 [S], whose mosaics [T, D] lie at
        `offsets`; raises ConfigurationError for a slide without a mosaic vector."""
        largest = compute_largest_cosines(query, mosaics, offsets)
        return np.asarray(self._discount(query, largest).mean(axis=0), np.float64)

    def compare(self, query: Mosaics, result: Mosaics) -> Doubles:
        """Of each vector of a query [Q, D] and each of a slide [R, D], float64 [Q, R]."""
        return self._discount(query, normalise(query) @ normalise(result).T)

    def _discount(self, query: Mosaics, cosines: NDArray[np.float32]) -> Doubles:
        """Cosines of the query's vectors [Q, X] as distances."""
        common = np.zeros(len(query)) if self.background is None else self.background.measure_commonness(query)
        nearer = (cosines - common[:, None]) / (1 - common[:, None])
        return np.asarray(1 - np.clip(nearer, 0, 1), np.float64)
