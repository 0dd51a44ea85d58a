"""Two slide encoders behind the protocol of one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from histoseek.encoders.bag import Bag
from histoseek.encoders.slide.base import (
    MosaicPart,
    RegionalEncoder,
    SlideEmbedding,
    SlideEncoder,
)
from histoseek.encoders.slide.paired.architecture import PairedArchitecture
from histoseek.encoders.slide.regions import SlideRegion


@dataclass(frozen=True, slots=True)
class PairedEncoder:
    """Gives the global vectors of two encoders side by side, and the mosaic vectors of the first, then of the second.

    A mosaic vector is of length one where its own encoder's numbers lie, and zero elsewhere: vectors of different
    encoders have the cosine 0, those of one encoder the cosine that they have without the other.
    """

    name: str
    first: SlideEncoder
    second: SlideEncoder
    sizes: PairedArchitecture

    @property
    def input_dimension(self) -> int:
        """Dimension of the features that both take."""
        return self.first.input_dimension

    @property
    def dimension(self) -> int:
        """Dimension of global and mosaic vectors."""
        return self.sizes.dimension

    def encode(self, bag: Bag) -> SlideEmbedding:
        """The embedding of a bag, the shares of parts in proportion to those of their encoders; raises EncoderError
        as these do."""
        first, second = self.first.encode(bag), self.second.encode(bag)
        layout = self.sizes.layout
        joined = layout.join(first.global_vector[None], second.global_vector[None])[0]
        before, behind = (0, layout.second), (layout.first, 0)
        shares = layout.shares
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
        both = zip((self.first, self.second), self.sizes.both, strict=True)
        return tuple(region for encoder, own in both for region in _list_regions(encoder, bag, own.mosaic_size))


def pair_encoders(name: str, first: SlideEncoder, second: SlideEncoder, sizes: PairedArchitecture) -> PairedEncoder:
    """Both as one, of these sizes."""
    is_regional = any(isinstance(encoder, RegionalEncoder) for encoder in (first, second))
    kind = RegionalPairedEncoder if is_regional else PairedEncoder
    return kind(name, first, second, sizes)


def _place(part: MosaicPart, zeros: tuple[int, int], share: float) -> MosaicPart:
    """A part of one encoder in the space of both; zeros: before and behind its numbers."""
    return replace(part, vector=np.pad(part.vector, zeros), share=share * part.share)


def _list_regions(encoder: SlideEncoder, bag: Bag, vectors: int) -> tuple[SlideRegion | None, ...]:
    """The regions of one of both; an encoder without any makes `vectors` of every slide."""
    if isinstance(encoder, RegionalEncoder):
        return encoder.list_regions(bag)
    return (None,) * vectors
