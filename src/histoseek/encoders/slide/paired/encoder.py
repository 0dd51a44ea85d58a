"""Two slide encoders behind the protocol of one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from histoseek.encoders.bag import Bag
from histoseek.encoders.side_by_side import SideBySide
from histoseek.encoders.slide.base import (
    MosaicPart,
    RegionalEncoder,
    SlideEmbedding,
    SlideEncoder,
    SlideRegion,
)


@dataclass(frozen=True, slots=True)
class PairedEncoder:
    """Gives the global vectors of two encoders side by side, and the mosaic vectors of the first, then of the second.

    A mosaic vector is of length one where its own encoder's numbers lie, and zero elsewhere: vectors of different
    encoders have the cosine 0, those of one encoder the cosine that they have without the other.
    """

    name: str
    first: SlideEncoder
    second: SlideEncoder
    layout: SideBySide

    @property
    def input_dimension(self) -> int:
        """Dimension of the features that both take."""
        return self.first.input_dimension

    @property
    def dimension(self) -> int:
        """Dimension of global and mosaic vectors."""
        return self.layout.dimension

    def encode(self, bag: Bag) -> SlideEmbedding:
        """The embedding of a bag, the shares of parts in proportion to those of their encoders; raises EncoderError
        as these do."""
        first, second = self.first.encode(bag), self.second.encode(bag)
        joined = self.layout.join(first.global_vector[None], second.global_vector[None])[0]
        before, behind = (0, self.layout.second), (self.layout.first, 0)
        shares = self.layout.shares
        return SlideEmbedding(
            joined,
            (
                *(_place(part, before, shares[0]) for part in first.parts),
                *(_place(part, behind, shares[1]) for part in second.parts),
            ),
        )


class RegionalPairedEncoder(PairedEncoder):
    """Two encoders of which one at least has mosaic vectors of regions."""

    __slots__ = ()

    def list_regions(self, bag: Bag) -> tuple[SlideRegion | None, ...]:
        """The regions of a bag, None for the vectors of an encoder without; raises EncoderError as these do."""
        return tuple(region for encoder in (self.first, self.second) for region in _list_regions(encoder, bag))


def pair_encoders(name: str, first: SlideEncoder, second: SlideEncoder, share: float) -> PairedEncoder:
    """Both as one; share: of the first in cosines."""
    is_regional = any(isinstance(encoder, RegionalEncoder) for encoder in (first, second))
    kind = RegionalPairedEncoder if is_regional else PairedEncoder
    return kind(name, first, second, SideBySide(first.dimension, second.dimension, share))


def _place(part: MosaicPart, zeros: tuple[int, int], share: float) -> MosaicPart:
    """A part of one encoder in the space of both; zeros: before and behind its numbers."""
    return replace(part, vector=np.pad(part.vector, zeros), share=share * part.share)


def _list_regions(encoder: SlideEncoder, bag: Bag) -> tuple[SlideRegion | None, ...]:
    if isinstance(encoder, RegionalEncoder):
        return encoder.list_regions(bag)
    return (None,) * len(encoder.encode(bag).parts)
