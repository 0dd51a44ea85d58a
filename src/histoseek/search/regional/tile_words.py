"""Regions against words in the space of tiles: every tile by itself, as its encoder's text tower sees it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from histoseek.archive.filters.expression import Expression
from histoseek.archive.folder import ArchiveFolder
from histoseek.encoders.bag import Bag
from histoseek.errors import BadFeatureFile
from histoseek.mosaics.tile_words import compute_top_share, find_top_mass
from histoseek.search.regional.base import Floats, MeasureName, RegionSimilarities, SlideSimilarities
from histoseek.search.regional.kept_vectors import measure_best
from histoseek.search.regional.tiles import TileSimilarities, merge_slides
from histoseek.search.words.comparison import PromptVectors, TileWords
from histoseek.search.words.merging import ScoredRegion
from histoseek.search.words.prompts import make_label_prompt


@dataclass(frozen=True, slots=True)
class TileWordMeasure:
    """A `RegionMeasure` by the words of the archive's tile encoder."""

    archive: ArchiveFolder
    words: TileWords
    name: MeasureName = "tile words"

    def encode(self, texts: Sequence[str]) -> Floats:
        """Each text as an ensemble of the ways and names in which a label is put."""
        return self.words.embed_prompts([make_label_prompt(text) for text in texts]).vectors

    def embed_query(self, text: str, without: Sequence[str] = ()) -> PromptVectors:
        """Its prompts; bases are what slides as a whole have."""
        return self.words.embed_query(text, without)

    def measure_slides(self, vectors: Floats, where: Expression | None = None) -> SlideSimilarities:
        """The best kept tile of each slide."""
        return measure_best(self.words.store, self.words.rows, vectors, where)

    def measure_regions(self, slide_id: str, vectors: Floats) -> RegionSimilarities:
        """All tiles of a slide, or those kept with it."""
        return self._compare(slide_id, vectors).as_regions()

    def measure_bag(self, bag: Bag, vectors: Floats) -> Floats:
        """As a slide of its own: the mean of the tiles that fit best, of three at least."""
        similarities = self._project(bag, vectors)
        weights = bag.weights / bag.weights.sum(dtype=np.float64)
        mass = find_top_mass(len(bag))
        return np.array([compute_top_share(own, weights, mass) for own in similarities], np.float32)

    def measure_best_region(self, bag: Bag, vectors: Floats) -> Floats:
        """Its best tile of those that an archive keeps."""
        return self.words.space.project(bag).compare(vectors).max(axis=1)

    def find_regions(
        self, slide_ids: Sequence[str], prompts: PromptVectors, zero: float, count: int
    ) -> Iterator[tuple[str, ScoredRegion]]:
        """Neighbouring tiles that fit, of all slides."""
        return merge_slides(self._compare, slide_ids, prompts, zero)

    def find_best_scores(self, texts: Sequence[str]) -> list[float]:
        """By kept tiles."""
        return self.words.find_best(texts, by_tile=True)

    def _compare(self, slide_id: str, vectors: Floats) -> TileSimilarities:
        try:
            bag = self.archive.bags.load(slide_id)
        except BadFeatureFile:
            kept = self.words.store.word_tiles.of([slide_id])[slide_id]
            return TileSimilarities(kept.compare(vectors), kept.coords, kept.edge_level0)
        return TileSimilarities(self._project(bag, vectors), bag.coords, bag.tile_size_level0)

    def _project(self, bag: Bag, vectors: Floats) -> Floats:
        return np.asarray(vectors @ self.words.space.require_tower().project_tiles(bag.features).T, np.float32)
