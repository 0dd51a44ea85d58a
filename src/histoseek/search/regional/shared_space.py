"""The space that an archive's slides and texts share, as regions are measured in it: by mosaic vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.filters.expression import Expression
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.stores.code_rows import CodeRows
from histoseek.archive.stores.slides import SlideTable
from histoseek.encoders.alignment import Alignment
from histoseek.encoders.bag import UNKNOWN_POSITION, Bag, are_placed
from histoseek.errors import InputError
from histoseek.search.regional.base import Floats, SlideSimilarities
from histoseek.search.regional.kept_vectors import measure_best
from histoseek.search.regional.tiles import TileSimilarities
from histoseek.search.words.comparison import PromptVectors
from histoseek.search.words.prompts import Prompt, list_other_names, make_prompts, make_query_prompts


@dataclass(frozen=True, slots=True, eq=False)
class MosaicSimilarities:
    """How near T mosaic vectors of slides are to P texts: cosines float32 [P, T]; is_placed: bool [T], which of them
    have a place in the space of texts, the cosines of others being 0; offsets: int64 [S + 1], where each slide's
    begin."""

    cosines: Floats
    is_placed: NDArray[np.bool_]
    offsets: NDArray[np.int64]

    @property
    def best(self) -> Floats:
        """Of all that have a place, float32 [P]."""
        return self.cosines[:, self.is_placed].max(axis=1)


@dataclass(frozen=True)
class SharedSpace:
    """An archive with an alignment that holds for its mosaics, and its store as it stood when it was opened.

    own: bool [J], which numbers of the space are of the encoder that is asked, where another lies beside it; None for
    all. Mosaic vectors that have only zeros there are of the other encoder, and no text is compared with them.
    """

    archive: ArchiveFolder
    store: SlideTable
    alignment: Alignment
    own: NDArray[np.bool_] | None = None

    @cached_property
    def rows(self) -> CodeRows:
        """The mosaic vectors of all slides."""
        return self.store.mosaic_codes.rows(self.alignment, self.archive.require_space().alignment_weights, self.own)

    def encode(self, texts: Sequence[str]) -> Floats:
        """Vectors [P, J] of texts as they are, whose products with mosaic vectors are cosines.

        Encoders of whole words know no others: where a text has none of them, another name of its concept stands for
        it, and zeros where no name has any.
        """
        vectors = self._embed(texts)
        for place in np.flatnonzero(~vectors.any(axis=1)).tolist():
            names = list_other_names(texts[place])
            others = self._embed(names) if names else vectors[:0]
            vectors[place] = next((other for other in others if other.any()), vectors[place])
        return vectors

    def embed_query(self, text: str, without: Sequence[str] = ()) -> PromptVectors:
        """What a text asks: each of its concepts under its own name, as trainings put it, or the text as it is where
        the encoder knows no such name; bases are what the best region of a slide usually has.

        Raises InputError for a text without a word that the encoder knows.
        """
        prompts, vectors = self._embed_known(make_query_prompts(text, without))
        if all(prompt.unwanted for prompt in prompts) and not any(prompt.unwanted for prompt in make_prompts(text)):
            whole, own = self._embed_known([Prompt(text, (text,))])
            prompts, vectors = [*whole, *prompts], np.concatenate([own, vectors])
        if all(prompt.unwanted for prompt in prompts):
            what = "has no word that this archive's text encoder knows"
            raise InputError("text", what, "Ask with words of its reports")
        bases, unwanted = np.zeros(len(prompts)), [place for place, prompt in enumerate(prompts) if prompt.unwanted]
        if unwanted and len(self.rows):
            bases[unwanted] = np.median(self.rows.block.find_best(vectors[unwanted]), axis=1)
        return PromptVectors(tuple(prompts), vectors, bases)

    def make_directions(self, texts: Sequence[str]) -> Floats:
        """Of each text the mean [Q, J] of the vectors of what it affirms."""
        affirmed: list[list[Prompt]] = [[one for one in make_prompts(text) if not one.unwanted] for text in texts]
        names = list(dict.fromkeys(prompt.name for prompts in affirmed for prompt in prompts))
        vectors = dict(zip(names, self.encode(names), strict=True))
        means = [np.mean([vectors[prompt.name] for prompt in prompts], axis=0) for prompts in affirmed]
        return np.stack(means).astype(np.float32)

    def compare_mosaics(self, slide_ids: Sequence[str], vectors: Floats) -> MosaicSimilarities:
        """Vectors [P, J] with all mosaic vectors of some slides, as stored, without loss."""
        mosaics, _, offsets = self.store.shared_mosaics(slide_ids)
        return self._compare(mosaics.astype(np.float32), vectors, offsets)

    def compare_bag(self, bag: Bag, vectors: Floats) -> MosaicSimilarities:
        """Vectors [P, J] with the mosaic vectors that the slide encoder makes of a bag; raises EncoderError."""
        parts = self.archive.signer.slide_encoder.encode(bag).parts
        return self._compare(np.stack([part.vector for part in parts]), vectors, np.array([0, len(parts)]))

    def compare_kept_tiles(self, slide_id: str, vectors: Floats) -> TileSimilarities:
        """The tiles that are kept with the mosaic of a slide, each once, as the mosaic vector is that it carries most;
        one for each vector where places are not known."""
        near = self.compare_mosaics([slide_id], vectors)
        [slide] = self.store.get_without_language([slide_id])
        edge, cosines = slide.signature.tile_size_level0, near.cosines[:, near.is_placed]
        parts = list(compress(slide.signature.mosaic_tiles, near.is_placed))
        coords = np.concatenate([part.coords for part in parts])
        if not are_placed(coords, edge):
            return TileSimilarities(cosines, np.full((len(parts), 2), UNKNOWN_POSITION, np.int32), 0)
        weights = np.concatenate([part.weights for part in parts])
        owners = np.repeat(np.arange(len(parts)), [len(part.weights) for part in parts])
        order = np.lexsort((-weights, coords[:, 1], coords[:, 0]))
        chosen = order[np.unique(coords[order], axis=0, return_index=True)[1]]
        return TileSimilarities(cosines[:, owners[chosen]], coords[chosen], edge)

    def _compare(self, mosaics: Floats, vectors: Floats, offsets: NDArray[np.int64]) -> MosaicSimilarities:
        placed = self._keep_own(self.alignment.mosaics(mosaics))
        is_placed = np.asarray(placed.any(axis=1), np.bool_)
        return MosaicSimilarities(np.asarray(vectors @ placed.T, np.float32), is_placed, offsets)

    def _embed_known(self, prompts: Sequence[Prompt]) -> tuple[list[Prompt], Floats]:
        """The prompts, each under its name, of which the encoder knows a word, and their vectors."""
        vectors = self.encode([prompt.name for prompt in prompts])
        is_known = np.asarray(vectors.any(axis=1), np.bool_)
        return [replace(one, texts=(one.name,)) for one in compress(prompts, is_known)], vectors[is_known]

    def _embed(self, texts: Sequence[str]) -> Floats:
        return self._keep_own(self.alignment.texts(self.archive.language.sentences(texts)))

    def _keep_own(self, vectors: Floats) -> Floats:
        return vectors if self.own is None else np.where(self.own, vectors, np.float32(0))


@dataclass(frozen=True, slots=True)
class SharedSpaceMeasure:
    """What measures of regions have in common in the space that slides and texts share."""

    space: SharedSpace

    def encode(self, texts: Sequence[str]) -> Floats:
        """As they are."""
        return self.space.encode(texts)

    def embed_query(self, text: str, without: Sequence[str] = ()) -> PromptVectors:
        """Each concept under its own name, as trainings put it."""
        return self.space.embed_query(text, without)

    def measure_slides(self, vectors: Floats, where: Expression | None = None) -> SlideSimilarities:
        """The best mosaic vector of each slide."""
        return measure_best(self.space.store, self.space.rows, vectors, where)

    def measure_best_region(self, bag: Bag, vectors: Floats) -> Floats:
        """Its best mosaic vector."""
        return self.space.compare_bag(bag, vectors).best
