"""What a slide encoder makes of a bag, and what a family of slide encoders provides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from histoseek.encoders.bag import Bag
from histoseek.encoders.slide.regions import SlideRegion
from histoseek.equality import EqualByContent

if TYPE_CHECKING:
    from torch import nn

TILES_KEPT = 16
"""Most tiles that are kept with a mosaic vector."""

VISUAL = "visual."
"""Prefix of a slide encoder's tensors in weights files and published checkpoints."""

Floats = NDArray[np.float32]
Tensors = Mapping[str, NDArray[np.generic]]
Shapes = Mapping[str, tuple[int, ...]]
"""Shapes of tensors by name."""


@dataclass(frozen=True, slots=True, eq=False)
class MosaicPart(EqualByContent):
    """One mosaic vector, float32 [D], and the tiles that carry it: coords int32 [T, 2], weights float32 [T].

    The tiles are those that carry most of it, largest weight first, at most TILES_KEPT; `share` is the part's own
    weight in the global vector, summing to one over the parts of a slide.
    """

    vector: Floats
    coords: NDArray[np.int32]
    weights: Floats
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class SlideEmbedding(EqualByContent):
    """A slide as a global vector, float32 [D], and up to MOST_VECTORS mosaic parts; all vectors of length one.

    Without parts where the encoder makes none: then they come from the tiles, and may be of another dimension.
    """

    global_vector: Floats
    parts: tuple[MosaicPart, ...]


def prefer_witnesses(order: NDArray[np.int64], is_witness: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Places of tiles in an order, without those that can't stand for what they show, if there are others."""
    witnesses = order[is_witness[order]]
    return witnesses if len(witnesses) else order


class SlideEncoder(Protocol):
    """Turns bags into slide embeddings."""

    @property
    def name(self) -> str:
        """Name and version, part of the embedding space."""

    @property
    def input_dimension(self) -> int:
        """Dimension of the features it takes."""

    @property
    def dimension(self) -> int:
        """Dimension of global and mosaic vectors."""

    def encode(self, bag: Bag) -> SlideEmbedding:
        """The embedding of a bag of any size from one tile on."""


@runtime_checkable
class RegionalEncoder(SlideEncoder, Protocol):
    """A slide encoder with mosaic vectors of regions, which lie in the space of its global vectors."""

    def list_regions(self, bag: Bag) -> tuple[SlideRegion | None, ...]:
        """The regions of a bag, one for each mosaic vector that `encode` makes of it, in their order, None for a vector
        that looks at no region, as those of the other of two encoders side by side; raises EncoderError for a bag whose
        tiles have no places."""


@runtime_checkable
class TilewiseEncoder(SlideEncoder, Protocol):
    """A slide encoder whose vectors are means of its tiles', so that a tile by itself has a place in their space."""

    def encode_tiles(self, features: Floats) -> Floats:
        """Tiles by their features [N, D_in] in the space of global and mosaic vectors, [N, D], of length one."""


class Architecture(Protocol):
    """The sizes of a slide network as a weights card states them: a frozen dataclass of its family's own."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    family: ClassVar[str]
    """Name of the family that it belongs to."""

    @property
    def input_dimension(self) -> int:
        """Dimension of the features it takes."""

    @property
    def dimension(self) -> int:
        """Dimension of global and mosaic vectors."""

    @property
    def mosaic_size(self) -> int:
        """Most mosaic vectors of a slide, at most MOST_VECTORS; 0 where the mosaic is made of the tiles themselves."""


@dataclass(frozen=True, slots=True, eq=False)
class SlideModel(EqualByContent):
    """A trained slide network as its weights file has it; `name` is that of the weights, for messages."""

    name: str
    architecture: Architecture
    mode: str
    tensors: Tensors


class SlideEncoderFamily(Protocol):
    """Slide encoders of one kind, built from trained weights. A new one is a file with such a class, and a line in
    the registry; reading a card must need no torch, so heavy imports belong into `network` and `build`."""

    @property
    def name(self) -> str:
        """As weights cards state it."""

    @property
    def modes(self) -> tuple[str, ...]:
        """The ways it can be computed; published weights are taken for the first, own trainings for the last."""

    def encoder_name(self, mode: str) -> str:
        """The name that embedding spaces know its encoders by: family, version, mode."""

    def parse(self, sizes: Mapping[str, Any]) -> Architecture:
        """The architecture from the sizes on a card; raises TypeError, ValueError or ConfigurationError."""

    def infer(self, shapes: Shapes) -> Architecture:
        """The architecture from the shapes of a published checkpoint's tensors; raises ValueError, which says what
        is missing, when it is of another family."""

    def design(self, sizes: Mapping[str, Any]) -> Architecture:
        """The architecture of a new training from the sizes in its settings, of which a family takes those it has;
        raises ConfigurationError."""

    def network(self, architecture: Architecture) -> nn.Module:
        """A new network, as a training begins with it; its tensors have the names that weights files use."""

    def build(self, model: SlideModel) -> SlideEncoder:
        """The encoder of a weights file; raises WeightsError when names or shapes don't fit the architecture."""


class FittedEncoderFamily(Protocol):
    """Slide encoders that need no weights: an archive fits them to its own bags, by the centre of their features."""

    @property
    def encoder_name(self) -> str:
        """The name that embedding spaces know its encoders by."""

    def build(self, centre: Floats, dimension: int) -> SlideEncoder:
        """The encoder for features around this centre, float32 [D]; dimension: of global vectors."""
