"""How well an archive's slides, and their tiles, fit words in the space of tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from histoseek.archive.filters.expression import Expression
from histoseek.archive.folder import ArchiveFolder
from histoseek.archive.space.word_space import WordSpace
from histoseek.archive.stores.code_rows import CodeRows
from histoseek.archive.stores.slides import SlideTable
from histoseek.deadline import check_deadline
from histoseek.mosaics.tile_words import WordTiles, mean_vector, take_top
from histoseek.search.words.prompts import Prompt, make_prompts, make_query_prompts

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PromptVectors:
    """What a text asks of tiles: its prompts, and one vector of each, float32 [P, J], of length one.

    bases: float64 [P], what slides of the archive usually have of each prompt; 0 for what is wanted.
    """

    prompts: tuple[Prompt, ...]
    vectors: Floats
    bases: Doubles

    @property
    def unwanted(self) -> NDArray[np.bool_]:
        """Which prompts must not be there, bool [P]."""
        return np.array([prompt.unwanted for prompt in self.prompts])

    @property
    def direction(self) -> Floats:
        """One vector, float32 [J], not of length one, whose product with a tile is its score but for the bases: what is
        not wanted counts by how near it is, whether by chance or not."""
        return np.asarray(self.shares @ self.vectors, np.float32)

    @property
    def shares(self) -> Doubles:
        """What each prompt counts, float64 [P]: the wanted 1 together, the unwanted -1 together."""
        unwanted = self.unwanted
        return np.where(unwanted, -1 / max(1, unwanted.sum()), 1 / max(1, (~unwanted).sum()))

    def combine(self, similarities: NDArray[np.floating]) -> Doubles:
        """One score of each of n slides or tiles from its similarity to each prompt [P, n], float64 [n].

        The mean of what is wanted, less the mean of how far what is not wanted is above its base: any section is
        somewhat near to any word of pathology, and what all slides have tells none from another.
        """
        above = np.maximum(similarities - self.bases[:, None], 0)
        return np.asarray(self.shares @ np.where(self.unwanted[:, None], above, similarities), np.float64)

    def explain(self, tiles: WordTiles) -> Doubles:
        """What each prompt and tile gives the score of a slide, float64 [P, K]: the sum is the score."""
        similarities = tiles.compare(self.vectors)
        tops = np.stack([take_top(own, tiles.weights, tiles.top_mass) for own in similarities])
        parts = tops * similarities
        for place in np.flatnonzero(self.unwanted):
            parts[place] = tops[place] * max(0.0, float(parts[place].sum()) - self.bases[place])
        return np.asarray(parts * self.shares[:, None], np.float64)


@dataclass(frozen=True)
class TileWords:
    """The words of an archive's tile encoder, and its slides' tiles as they stood when the search began."""

    space: WordSpace
    store: SlideTable

    @classmethod
    def open(cls, archive: ArchiveFolder, store: SlideTable) -> TileWords | None:
        """None where the archive has no tiles in the space of words, or the words are not at hand."""
        if archive.words.encoder is None or not store.word_tiles.tower or archive.words.tower is None:
            return None
        words = cls(archive.words, store)
        return words if len(words.rows) else None

    @property
    def tower(self) -> str:
        """The hash of the text tower."""
        return self.space.require_tower().weights_hash

    @cached_property
    def rows(self) -> CodeRows:
        """All slides' tiles."""
        tower = self.space.require_tower()
        return self.store.word_tiles.rows(tower.weights_hash, tower.dimension)

    def embed_query(self, text: str, without: Sequence[str] = ()) -> PromptVectors:
        """What a text asks of tiles; without: texts of what is not wanted."""
        return self.embed_prompts(make_query_prompts(text, without))

    def embed_prompts(self, prompts: Sequence[Prompt]) -> PromptVectors:
        """Some prompts with the mean vector of the ways in which each is put."""
        texts = list(dict.fromkeys(text for prompt in prompts for text in prompt.texts))
        vectors = dict(zip(texts, self.space.vectors(texts), strict=True))
        means = np.stack([mean_vector(np.stack([vectors[text] for text in prompt.texts])) for prompt in prompts])
        unwanted, bases = [place for place, prompt in enumerate(prompts) if prompt.unwanted], np.zeros(len(prompts))
        if unwanted:
            bases[unwanted] = np.median(self.rows.block.measure(means[unwanted]), axis=1)
        return PromptVectors(tuple(prompts), means, bases)

    def measure(self, prompts: PromptVectors) -> Floats:
        """How well the slides of `rows` fit each prompt: the top share of its tiles, float32 [P, S]."""
        check_deadline()
        return self.rows.block.measure(prompts.vectors)

    def rank(self, text: str, count: int, where: Expression | None) -> tuple[tuple[str, ...], tuple[float, ...]]:
        """The best slides of a filter for a text, and their scores; ties by id."""
        prompts = self.embed_query(text)
        scores = prompts.combine(self.measure(prompts))
        allowed = np.flatnonzero(self.rows.among(self.store.find_rows(where)))
        allowed = allowed[np.argsort(self.rows.slide_ids[allowed])]
        order = allowed[np.argsort(-scores[allowed], kind="stable")][:count]
        return tuple(self.rows.slide_ids[order].tolist()), tuple(scores[order].tolist())

    def find_best(self, texts: Sequence[str], *, by_tile: bool = False) -> list[float]:
        """The score of the best slide, or of its best tile, for each of some texts by what they affirm."""
        affirmed = [[prompt for prompt in make_prompts(text) if not prompt.unwanted] for text in texts]
        # The tower reads all that they ask in one go.
        whole = self.embed_prompts([prompt for prompts in affirmed for prompt in prompts])
        block = self.rows.block
        scores = block.find_best(whole.vectors) if by_tile else block.measure(whole.vectors)
        parts = np.split(scores, np.cumsum([len(prompts) for prompts in affirmed])[:-1])
        return [float(own.mean(axis=0).max()) for own in parts]


def describe_words(archive: ArchiveFolder, store: SlideTable, tiles: TileWords | None) -> list[str]:
    """What to say where the tile encoder has words and they can't be used, or not for all slides; at most one line."""
    if archive.words.encoder is None:
        return []
    if archive.words.tower is None:
        return [f"words in the tile space are not available: {archive.words.fault}"]
    missing = tiles.rows.rest if tiles else store.count(None)
    if not missing:
        return []
    return [f"the tiles of {missing} slides were not compared with words yet: the next `histoseek index` does so"]
