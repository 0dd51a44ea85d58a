"""What brings an archive's tiles and words into one space: the text tower of its tile encoder, where that has one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from histoseek.archive.bags import BagStore
from histoseek.archive.layout import ArchiveLayout
from histoseek.archive.schema import StoredSlide
from histoseek.archive.space.language import VectorCache
from histoseek.archive.stores.slides import SlideTable
from histoseek.bounds import refusing_exhaustion
from histoseek.encoders.bag import Bag
from histoseek.encoders.inventory.features_of import find_features_card
from histoseek.encoders.recipe import Recipe
from histoseek.encoders.tile.registry import find_tile_card, load_word_tower
from histoseek.encoders.tile.words import WordTower
from histoseek.errors import BadFeatureFile, EncoderError, HistoseekError
from histoseek.mosaics.tile_words import WordTiles, shorten_hash

_ALIKE = 0.99
"""The least cosine of two vectors of the same tile."""


@dataclass
class WordSpace:
    """The words of one archive's tile encoder; loaded when first asked for."""

    layout: ArchiveLayout
    recipe: Recipe

    @cached_property
    def encoder(self) -> str | None:
        """The tile encoder, also of imported features, as far as it is known to have words; else None."""
        spec = self.recipe.encoder
        try:
            card = find_features_card(spec) if self.recipe.imported else find_tile_card(spec)
        except HistoseekError:
            return None
        if card is None or not card.has_words:
            return None
        return card.name if self.recipe.imported else spec

    @cached_property
    def _loaded(self) -> WordTower | HistoseekError | None:
        if self.encoder is None:
            return None
        try:
            return load_word_tower(self.encoder)
        except HistoseekError as error:
            return error

    @property
    def tower(self) -> WordTower | None:
        """The text tower; None for an encoder without words, and where it can't be loaded (`fault`)."""
        return None if isinstance(self._loaded, HistoseekError) else self._loaded

    @property
    def fault(self) -> HistoseekError | None:
        """Why the words of an encoder that has such can't be used on this machine."""
        return self._loaded if isinstance(self._loaded, HistoseekError) else None

    @cached_property
    def vectors(self) -> VectorCache:
        """Vectors of texts, which are remembered for a while; raises as `require_tower` does."""
        return VectorCache(self.require_tower().encode_texts)

    def complete(self, slides: list[StoredSlide], store: SlideTable) -> list[StoredSlide]:
        """The slides with tiles in the space of words, as far as they lack them and the tower is at hand.

        store: gets the column for them.
        """
        if self.encoder is None or all(slide.word_tiles is not None for slide in slides) or self.tower is None:
            return slides
        if not store.word_tiles.tower:
            store.word_tiles.ensure(self.tower.weights_hash)
        try:
            return [
                slide if slide.word_tiles else replace(slide, word_tiles=self._make_tiles(slide)) for slide in slides
            ]
        except EncoderError as error:
            # Of features that are not those of the encoder they are called after: slides are indexed all the same.
            self._loaded = error
            return slides

    def _make_tiles(self, slide: StoredSlide) -> bytes | None:
        """From the cached features; None where these are missing or damaged, which `verify` tells."""
        bags, path = BagStore(self.layout), self.layout.bag(slide.record.slide_id)
        try:
            with refusing_exhaustion(lambda reason: BadFeatureFile(path, reason)):
                return self.project(bags.load(slide.record.slide_id)).pack()
        except BadFeatureFile:
            return None

    def project(self, bag: Bag) -> WordTiles:
        """The tiles that stand for a bag; raises EncoderError without a tower, and for features of another encoder."""
        tower = self.require_tower()
        try:
            vectors = tower.project_tiles(bag.features)
        except (ValueError, RuntimeError, IndexError) as error:
            what = f"its features of dimension {bag.features.shape[1]} don't fit its words"
            raise EncoderError(str(self.encoder), what, "Index features of this encoder") from error
        return WordTiles.choose(vectors, bag.coords, bag.weights, bag.tile_size_level0, tower.weights_hash)

    def agrees(self, bag: Bag, packed: bytes | None) -> bool:
        """Whether packed tiles are some of a bag's, up to how processors round; also where the words are not at hand or
        are others."""
        if packed is None:
            return True
        try:
            tiles = WordTiles.unpack(packed)
        except ValueError:
            return False
        if self.tower is None or tiles.tower != shorten_hash(self.tower.weights_hash):
            return True
        vectors = self.tower.project_tiles(bag.features)
        return tiles.codes.shape[1] == vectors.shape[1] and bool((tiles.compare(vectors).max(axis=0) >= _ALIKE).all())

    def require_tower(self) -> WordTower:
        """The text tower; raises EncoderError saying why there is none."""
        if self.fault is not None:
            raise self.fault
        if self.tower is None:
            what = "its tile encoder has no words"
            raise EncoderError(self.layout.name, what, "Index with an encoder that has (docs/encoders.md)")
        return self.tower
