"""What measures regions against words: one protocol for anchors, tiles in the space of words, and aligned tiles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.filters.expression import Expression
from histoseek.encoders.bag import Bag
from histoseek.encoders.slide.regions import SlideRegion
from histoseek.equality import EqualByContent
from histoseek.search.words.comparison import PromptVectors
from histoseek.search.words.merging import ScoredRegion

Floats = NDArray[np.float32]
MeasureName = Literal["anchors", "tile words", "aligned tiles"]


@dataclass(frozen=True, slots=True, eq=False)
class RegionSimilarities(EqualByContent):
    """How well R regions of a slide fit P texts: similarities float32 [P, R], cosines."""

    regions: tuple[SlideRegion, ...]
    similarities: Floats


@dataclass(frozen=True, slots=True, eq=False)
class SlideSimilarities(EqualByContent):
    """How well the best region of each of S slides fits P texts: slide_ids text [S], similarities float32 [P, S]."""

    slide_ids: NDArray[np.str_]
    similarities: Floats


class RegionMeasure(Protocol):
    """Measures the regions of an archive's slides, as it stood when it was opened, against texts."""

    @property
    def name(self) -> MeasureName:
        """What it measures by, as results state it."""

    def encode(self, texts: Sequence[str]) -> Floats:
        """Vectors [P, J] of texts, each put in the ways that suit the space: of length one but for what is meant for
        another encoder beside the one that is asked."""

    def embed_query(self, text: str, without: Sequence[str] = ()) -> PromptVectors:
        """What a text asks of regions: its concepts and the text; without: texts of what is not wanted."""

    def measure_slides(self, vectors: Floats, where: Expression | None = None) -> SlideSimilarities:
        """The best kept region of every slide of a filter that has any: by what is kept of it in eight bits a number,
        so to within 0.01."""

    def measure_regions(self, slide_id: str, vectors: Floats) -> RegionSimilarities:
        """All regions of a slide of the archive, each of one scale or of one tile; from its cached features, or from
        what is kept of them where these can't be read."""

    def measure_bag(self, bag: Bag, vectors: Floats) -> Floats:
        """A bag as one region, float32 [P]: of what a user drew, from the tiles in it."""

    def measure_best_region(self, bag: Bag, vectors: Floats) -> Floats:
        """The best region of a slide that the archive does not have, float32 [P], by what would be kept of it: what
        `measure_slides` measures of those that it has."""

    def find_regions(
        self, slide_ids: Sequence[str], prompts: PromptVectors, zero: float, count: int
    ) -> Iterator[tuple[str, ScoredRegion]]:
        """Regions of some slides that do not overlap, at most MOST_PER_SLIDE of each, with their slides: at least those
        that are among the best `count` of all. zero: the score that counts as chance."""

    def find_best_scores(self, texts: Sequence[str]) -> list[float]:
        """The score of the best region of the archive for each of some texts by what they affirm."""
