"""What measures regions against words: one protocol for anchors, tiles in the space of words, and aligned tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from histoseek.encoders.bag import Bag
from histoseek.encoders.slide.base import SlideRegion
from histoseek.equality import EqualByContent

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class RegionSimilarities(EqualByContent):
    """How well R regions of a slide fit P texts: similarities float32 [P, R], cosines.

    edge_level0: of the tiles in px, 0 where their places are not known; then the regions have no outline.
    """

    regions: tuple[SlideRegion, ...]
    similarities: Floats
    edge_level0: int


@dataclass(frozen=True, slots=True, eq=False)
class SlideSimilarities(EqualByContent):
    """How well the best region of each of S slides fits P texts: slide_ids text [S], similarities float32 [P, S]."""

    slide_ids: NDArray[np.str_]
    similarities: Floats


class RegionMeasure(Protocol):
    """Measures the regions of an archive's slides, as it stood when it was opened, against texts."""

    @property
    def name(self) -> str:
        """What it measures by, as results state it: "anchors", "tile words" or "aligned tiles"."""

    def encode(self, texts: Sequence[str]) -> Floats:
        """Vectors [P, J] of length one of texts."""

    def measure_slides(self, vectors: Floats) -> SlideSimilarities:
        """The best kept region of every slide that has any."""

    def measure_regions(self, slide_id: str, vectors: Floats) -> RegionSimilarities:
        """All regions of a slide of the archive, each of one scale or of one tile; from its cached features, or from
        what is kept of them where these can't be read."""

    def measure_bag(self, bag: Bag, vectors: Floats) -> Floats:
        """A bag as one region, float32 [P]: of what a user drew, from the tiles in it."""
