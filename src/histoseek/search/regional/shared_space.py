"""The space that an archive's slides and texts share, as regions are measured in it: by mosaic vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.filters.expression import Expression
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.stores.code_rows import CodeRows
from histoseek.archive.stores.slides import SlideTable
from histoseek.encoders.alignment import Alignment
from histoseek.encoders.bag import UNKNOWN_POSITION, are_placed
from histoseek.search.regional.base import Floats, SlideSimilarities
from histoseek.search.regional.kept_vectors import measure_best
from histoseek.search.regional.tiles import TileSimilarities
from histoseek.search.words.comparison import AskedWords
from histoseek.search.words.prompts import Prompt, make_prompts, make_query_prompts


@dataclass(frozen=True)
class SharedSpace:
    """An archive with an alignment that holds for its mosaics, and its store as it stood when it was opened.

    mask: float32 [J], 0 for the numbers of texts that are for an encoder beside the one that is asked; None for one
    encoder alone.
    """

    archive: ArchiveFolder
    store: SlideTable
    alignment: Alignment
    mask: Floats | None = None

    @cached_property
    def rows(self) -> CodeRows:
        """The mosaic vectors of all slides."""
        return self.store.mosaic_codes.rows(self.alignment, self.archive.require_space().alignment_weights)

    def encode(self, texts: Sequence[str]) -> Floats:
        """Vectors [P, J] of texts as they are, whose products with mosaic vectors are cosines."""
        vectors = self.alignment.texts(self.archive.language.sentences(texts))
        return vectors if self.mask is None else vectors * self.mask

    def ask(self, text: str, without: Sequence[str] = ()) -> AskedWords:
        """What a text asks: each of its concepts under its own name, as trainings put it; bases are what the best
        region of a slide usually has."""
        prompts = [replace(prompt, texts=(prompt.name,)) for prompt in make_query_prompts(text, without)]
        vectors, bases = self.encode([prompt.name for prompt in prompts]), np.zeros(len(prompts))
        unwanted = [place for place, prompt in enumerate(prompts) if prompt.unwanted]
        if unwanted and len(self.rows):
            bases[unwanted] = np.median(self.rows.block.find_best(vectors[unwanted]), axis=1)
        return AskedWords(tuple(prompts), vectors, bases)

    def make_directions(self, texts: Sequence[str]) -> Floats:
        """Of each text the mean [Q, J] of the vectors of what it affirms."""
        asked: list[list[Prompt]] = [[one for one in make_prompts(text) if not one.unwanted] for text in texts]
        names = list(dict.fromkeys(prompt.name for prompts in asked for prompt in prompts))
        vectors = dict(zip(names, self.encode(names), strict=True))
        means = [np.mean([vectors[prompt.name] for prompt in prompts], axis=0) for prompts in asked]
        return np.stack(means).astype(np.float32)

    def compare_mosaics(self, slide_ids: Sequence[str], vectors: Floats) -> tuple[Floats, NDArray[np.int64]]:
        """Cosines of vectors [P, J] with all mosaic vectors of some slides, [P, T], and where each slide's begin,
        int64 [S + 1]; as stored, without loss."""
        mosaics, _, offsets = self.store.shared_mosaics(slide_ids)
        return np.asarray(vectors @ self.alignment.mosaics(mosaics.astype(np.float32)).T, np.float32), offsets

    def compare_kept_tiles(self, slide_id: str, vectors: Floats) -> TileSimilarities:
        """The tiles that are kept with the mosaic of a slide, each once, as the mosaic vector is that it carries most;
        one for each vector where places are not known."""
        cosines, _ = self.compare_mosaics([slide_id], vectors)
        [slide] = self.store.get_without_language([slide_id])
        parts, edge = slide.signature.mosaic_tiles, slide.signature.tile_size_level0
        coords = np.concatenate([part.coords for part in parts])
        if not are_placed(coords, edge):
            return TileSimilarities(cosines, np.full((len(parts), 2), UNKNOWN_POSITION, np.int32), 0)
        weights = np.concatenate([part.weights for part in parts])
        owners = np.repeat(np.arange(len(parts)), [len(part.weights) for part in parts])
        order = np.lexsort((-weights, coords[:, 1], coords[:, 0]))
        chosen = order[np.unique(coords[order], axis=0, return_index=True)[1]]
        return TileSimilarities(cosines[:, owners[chosen]], coords[chosen], edge)


@dataclass(frozen=True, slots=True)
class SharedSpaceMeasure:
    """What measures of regions have in common in the space that slides and texts share."""

    space: SharedSpace

    def encode(self, texts: Sequence[str]) -> Floats:
        """As they are."""
        return self.space.encode(texts)

    def ask(self, text: str, without: Sequence[str] = ()) -> AskedWords:
        """Each concept under its own name, as trainings put it."""
        return self.space.ask(text, without)

    def measure_slides(self, vectors: Floats, where: Expression | None = None) -> SlideSimilarities:
        """The best mosaic vector of each slide."""
        return measure_best(self.space.store, self.space.rows, vectors, where)
