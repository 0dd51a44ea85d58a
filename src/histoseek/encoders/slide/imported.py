"""Vectors of whole slides that other tools made: what an archive encodes slides with that came with such vectors."""

from __future__ import annotations

from dataclasses import dataclass

from histoseek.encoders.bag import Bag
from histoseek.encoders.slide.base import Floats, SlideEmbedding
from histoseek.encoders.slide.pooled import TileMosaics
from histoseek.errors import MissingSlideFeature, SpaceMismatch
from histoseek.statistics.clustering import normalise_rows

PREFIX = "features:"
"""How the names of such encoders begin in embedding spaces; what another tool calls the encoder follows."""


@dataclass(frozen=True, slots=True)
class ImportedEncoder:
    """Gives the vector that came with a slide; input_dimension: of the tiles' features, which it does not look at."""

    name: str
    input_dimension: int
    dimension: int

    def encode(self, bag: Bag) -> SlideEmbedding:
        """The vector, of length one; raises MissingSlideFeature without one, SpaceMismatch for another dimension."""
        if bag.slide_vector is None:
            raise MissingSlideFeature("this slide", self.name.removeprefix(PREFIX))
        if len(bag.slide_vector) != self.dimension:
            parts = str(self.dimension), str(len(bag.slide_vector))
            raise SpaceMismatch("slide feature", "dimension", *parts)
        return SlideEmbedding(normalise_rows(bag.slide_vector[None])[0], ())


@dataclass(frozen=True, slots=True)
class ImportedFamily:
    """The encoders of archives whose slides' vectors came with them; encoder_name: with the prefix."""

    encoder_name: str

    def build(self, centre: Floats, dimension: int) -> TileMosaics:
        """The vectors that came with slides, and mosaics of their tiles around this centre, float32 [D]."""
        return TileMosaics(ImportedEncoder(self.encoder_name, len(centre), dimension), centre)
