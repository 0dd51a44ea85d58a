"""The sizes of two slide networks side by side; no torch needed to read a card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from histoseek.encoders.side_by_side import SideBySide
from histoseek.encoders.slide.base import Architecture
from histoseek.encoders.slide.limits import MOST_VECTORS
from histoseek.errors import ConfigurationError

NAME = "paired"


@dataclass(frozen=True, slots=True)
class PairedPart:
    """One of the two: family and mode, as its own card states them, and its sizes."""

    family: str
    mode: str
    architecture: Architecture


@dataclass(frozen=True, slots=True)
class PairedArchitecture:
    """Sizes of two encoders of the same features; share: of the first in cosines.

    Raises ConfigurationError for encoders of different features, for those without mosaics of their own, which an
    archive makes of tiles and would have only once, and for mosaics that are too large together.
    """

    family: ClassVar[str] = NAME

    first: PairedPart
    second: PairedPart
    share: float = 0.5

    def __post_init__(self) -> None:
        inputs, mosaics = ([getattr(each, name) for each in self.both] for name in ("input_dimension", "mosaic_size"))
        if inputs[0] != inputs[1]:
            what = f"they take features of {inputs[0]} and of {inputs[1]} dimensions"
            raise ConfigurationError("pair of slide encoders", what, "Pair encoders of the same features")
        if not all(mosaics) or sum(mosaics) > MOST_VECTORS:
            what = f"they have {mosaics[0]} and {mosaics[1]} mosaic vectors"
            advice = f"Pair encoders with mosaics of their own, of at most {MOST_VECTORS} together"
            raise ConfigurationError("pair of slide encoders", what, advice)
        SideBySide(1, 1, self.share)

    @property
    def both(self) -> tuple[Architecture, Architecture]:
        """The sizes of both networks."""
        return self.first.architecture, self.second.architecture

    @property
    def layout(self) -> SideBySide:
        """Where both lie in the vectors."""
        first, second = (each.dimension for each in self.both)
        return SideBySide(first, second, self.share)

    @property
    def input_dimension(self) -> int:
        """Dimension of the features that both take."""
        return self.first.architecture.input_dimension

    @property
    def dimension(self) -> int:
        """Dimension of global and mosaic vectors."""
        return self.layout.dimension

    @property
    def mosaic_size(self) -> int:
        """Most mosaic vectors of a slide, of both."""
        return sum(each.mosaic_size for each in self.both)
