"""Regions against words in the space that slides and texts share: tiles, or mosaic vectors on the tiles they are of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from histoseek.encoders.bag import Bag
from histoseek.encoders.slide.base import TilewiseEncoder
from histoseek.errors import BadFeatureFile
from histoseek.search.regional.base import Floats, MeasureName, RegionSimilarities
from histoseek.search.regional.shared_space import SharedSpaceMeasure
from histoseek.search.regional.tiles import TileSimilarities, merge_slides
from histoseek.search.words.comparison import PromptVectors
from histoseek.search.words.merging import ScoredRegion

_SLIDES_LOOKED_INTO = 32
"""Slides whose every tile is compared with texts that have nothing to do with the archive."""


@dataclass(frozen=True, slots=True)
class AlignedTileMeasure(SharedSpaceMeasure):
    """A `RegionMeasure` for archives that are aligned, or whose slide encoder was trained with texts.

    tiles: a slide encoder in whose space single tiles have a place; None for one that mixes them, whose mosaic vectors
    count for the tiles that carry them.
    """

    tiles: TilewiseEncoder | None
    name: MeasureName = "aligned tiles"

    def measure_regions(self, slide_id: str, vectors: Floats) -> RegionSimilarities:
        """All tiles of a slide, or those kept with its mosaic."""
        return self._compare(slide_id, vectors).as_regions()

    def measure_bag(self, bag: Bag, vectors: Floats) -> Floats:
        """By its global vector, as a slide of its own."""
        own = self.space.archive.signer.slide_encoder.encode(bag).global_vector
        return np.asarray(vectors @ self.space.alignment.slides(own[None])[0], np.float32)

    def find_regions(
        self, slide_ids: Sequence[str], prompts: PromptVectors, zero: float, count: int
    ) -> Iterator[tuple[str, ScoredRegion]]:
        """Neighbouring tiles that fit, of all slides."""
        return merge_slides(self._compare, slide_ids, prompts, zero)

    def find_best_scores(self, texts: Sequence[str]) -> list[float]:
        """By mosaic vectors and, where tiles have a place, by those of the slides that are best for most texts.

        No deadline ends it: what takes too long would be begun anew by every search.
        """
        directions = self.space.make_directions(texts)
        by_slide = self.space.rows.block.find_best(directions)
        best = by_slide.max(axis=1, initial=-1)
        if self.tiles is not None and by_slide.size:
            places = Counter(by_slide.argmax(axis=1).tolist()).most_common(_SLIDES_LOOKED_INTO)
            for place, _ in places:
                own = self._compare(str(self.space.rows.slide_ids[place]), directions)
                best = np.maximum(best, own.similarities.max(axis=1))
        return [float(score) for score in best]

    def _compare(self, slide_id: str, vectors: Floats) -> TileSimilarities:
        if self.tiles is None:
            return self.space.compare_kept_tiles(slide_id, vectors)
        try:
            bag = self.space.archive.bags.load(slide_id)
        except BadFeatureFile:
            return self.space.compare_kept_tiles(slide_id, vectors)
        placed = self.space.alignment.slides(self.tiles.encode_tiles(bag.features))
        return TileSimilarities(np.asarray(vectors @ placed.T, np.float32), bag.coords, bag.tile_size_level0)
