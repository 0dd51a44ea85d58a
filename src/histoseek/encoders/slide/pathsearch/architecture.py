"""The sizes of a PathSearch network; no torch needed to read a card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from histoseek.errors import ConfigurationError

NAME = "pathsearch"

Mode = Literal["reference", "masked"]
"""`reference`: padded as the published weights expect; `masked`: padding left out, tiles on their real grid."""


_LARGEST_DIMENSION = 2**14


@dataclass(frozen=True, slots=True)
class PathSearchArchitecture:
    """Sizes of the network (PathSearch, arXiv 2510.23224, as stated in its published checkpoint).

    Landmarks of the Nystrom attention are dimension / 2, heads have dimension / heads values each.
    """

    family: ClassVar[str] = NAME

    input_dimension: int = 768
    dimension: int = 768
    mosaic_size: int = 16
    heads: int = 8
    gate_dimension: int = 128

    def __post_init__(self) -> None:
        if min(self.input_dimension, self.dimension, self.mosaic_size, self.heads, self.gate_dimension) < 1:
            raise ConfigurationError("architecture", "sizes must be positive", "Give sizes of at least 1")
        if max(self.input_dimension, self.dimension, self.gate_dimension) > _LARGEST_DIMENSION:
            raise ConfigurationError("architecture", "sizes are too large", f"At most {_LARGEST_DIMENSION:,} are read")
        if self.dimension % self.heads or self.dimension % 2:
            what = f"dimension {self.dimension} does not divide by 2 and by {self.heads} heads"
            raise ConfigurationError("architecture", what, "Choose another --dimension")
        if self.mosaic_size > 16:
            raise ConfigurationError("architecture", f"{self.mosaic_size} mosaic vectors", "At most 16 are supported")

    @property
    def landmarks(self) -> int:
        """Landmarks of the Nystrom attention."""
        return self.dimension // 2
