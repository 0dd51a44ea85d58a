"""Where the words of a query are on a slide: the tiles that its score is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.schema import StoredSlide
from histoseek.encoders.bag import UNKNOWN_POSITION
from histoseek.geometry import Rect
from histoseek.mosaics.tile_words import WordTiles
from histoseek.search.explain.matches import MOST_READ, RegionExplainer
from histoseek.search.explanation import TextRegion
from histoseek.search.results import SearchResult
from histoseek.search.words.comparison import PromptVectors, TileWords

_NOTHING = 1e-6
"""A score that is not told from 0."""


@dataclass(frozen=True, slots=True)
class TileRegions:
    """Explains of the first results which tiles made their score for some words.

    offset: of the first result; further: what else tells regions.
    """

    tiles: TileWords
    prompts: PromptVectors
    offset: int
    further: RegionExplainer | None = None

    def explain(self, result: SearchResult, slide: StoredSlide) -> SearchResult:
        """The result with these tiles, the largest contribution first, before further regions."""
        result = self.further.explain(result, slide) if self.further else result
        if result.rank > self.offset + MOST_READ:
            return result
        own = self.tiles.store.word_tiles.of([result.slide_id]).get(result.slide_id)
        if own is None or own.codes.shape[1] != self.prompts.vectors.shape[1]:
            return result
        return replace(result, text_regions=(*self._list_regions(own, result), *result.text_regions))

    def _list_regions(self, tiles: WordTiles, result: SearchResult) -> Sequence[TextRegion]:
        parts, similarities = self.prompts.explain(tiles), tiles.compare(self.prompts.vectors)
        parts = parts * _find_lowering(float(parts.sum()), result)
        places = sorted(zip(*np.nonzero(parts), strict=True), key=lambda place: (-parts[place], place))
        return [
            TextRegion(
                mosaic=None,
                similarity=float(similarities[prompt, tile]),
                region=make_tile(tiles.coords[tile], tiles.edge_level0),
                words=self.prompts.prompts[prompt].name,
                contribution=float(parts[prompt, tile]),
            )
            for prompt, tile in places
        ]


def _find_lowering(whole: float, result: SearchResult) -> float:
    """What share of its tiles' score a slide kept whose report contradicts the query; 1 where it does not."""
    scores = [place.score for place in result.channels if place.name == "tile words" and place.weight > 0]
    return scores[0] / whole if scores and abs(whole) > _NOTHING else 1.0


def make_tile(corner: NDArray[np.int32], edge: int) -> Rect | None:
    """A tile in level-0 px, None where its place is not known."""
    x, y = int(corner[0]), int(corner[1])
    return None if not edge or UNKNOWN_POSITION in (x, y) else Rect(x, y, edge, edge)
