"""The tiles of a slide as regions, each by itself or neighbours together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.deadline import check_deadline
from histoseek.encoders.slide.regions import SlideRegion
from histoseek.search.regional.base import Floats, RegionSimilarities
from histoseek.search.words.comparison import PromptVectors
from histoseek.search.words.merging import MOST_PER_SLIDE, ScoredRegion, merge_tiles


@dataclass(frozen=True, slots=True, eq=False)
class TileSimilarities:
    """How well T tiles of a slide fit P texts: similarities float32 [P, T]; coords int32 [T, 2], their corners;
    edge_level0: in px, 0 where their places are not known."""

    similarities: Floats
    coords: NDArray[np.int32]
    edge_level0: int

    def as_regions(self) -> RegionSimilarities:
        """Each tile as a region."""
        tiles = np.arange(len(self.coords))[:, None]
        pairs = zip(tiles, self.coords[:, None], strict=True)
        regions = tuple(SlideRegion(tile, corner, self.edge_level0, 0) for tile, corner in pairs)
        return RegionSimilarities(regions, self.similarities)

    def merge(self, prompts: PromptVectors, zero: float) -> Sequence[ScoredRegion]:
        """The best regions of neighbours that fit."""
        scores = prompts.combine(self.similarities)
        return merge_tiles(scores, self.coords, self.edge_level0, zero, MOST_PER_SLIDE)


def merge_slides(
    compare: Callable[[str, Floats], TileSimilarities], slide_ids: Sequence[str], prompts: PromptVectors, zero: float
) -> Iterator[tuple[str, ScoredRegion]]:
    """The regions of some slides, with these; compare: gives the tiles of one beside vectors."""
    for slide_id in slide_ids:
        check_deadline()
        for region in compare(slide_id, prompts.vectors).merge(prompts, zero):
            yield slide_id, region
