"""The sizes of an FGCR network; no torch needed to read a card."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from histoseek.encoders.slide.limits import MOST_VECTORS
from histoseek.errors import ConfigurationError

NAME = "fgcr"

Mode = Literal["reference", "anchored"]
"""`reference`: as published weights expect, at most 2,048 tiles; `anchored`: any number, regions that cover all."""

REFERENCE_SCALES = (36, 64, 100, 144, 256, 400)
"""Tiles of an anchor's region, as the publication has them."""

SCALES = (9, 16, 25, 36, 64, 100)
"""The usual ones here: slides of a few hundred tiles have small regions, too (docs/decisions/0087)."""

_LARGEST_DIMENSION = 2**14


@dataclass(frozen=True, slots=True)
class FgcrArchitecture:
    """Sizes of the network (FGCR, doi 10.1016/j.media.2024.103163).

    mosaic_size: most anchors of a slide, over all scales; scales: tiles of a region; mask_width: standard deviation of
    a soft region mask, in sides of the region (the publication's is 1).
    """

    family: ClassVar[str] = NAME

    input_dimension: int = 768
    dimension: int = 256
    mosaic_size: int = 64
    depth: int = 6
    heads: int = 8
    head_dimension: int = 64
    mlp_dimension: int = 512
    scales: tuple[int, ...] = SCALES
    mask_width: float = 0.5

    def __post_init__(self) -> None:
        object.__setattr__(self, "scales", tuple(self.scales))
        dimensions = (self.input_dimension, self.dimension, self.mlp_dimension, self.heads * self.head_dimension)
        if min(*dimensions, self.mosaic_size, self.depth, self.heads) < 1:
            raise ConfigurationError("architecture", "sizes must be positive", "Give sizes of at least 1")
        if max(dimensions) > _LARGEST_DIMENSION or self.depth > 64:
            raise ConfigurationError("architecture", "sizes are too large", f"At most {_LARGEST_DIMENSION:,} are read")
        if not self.scales or min(self.scales) < 1 or not 0 < self.mask_width <= 16:
            raise ConfigurationError("architecture", "scales and mask width must be positive", "Give tiles of a region")
        if list(self.scales) != sorted(set(self.scales)):
            raise ConfigurationError("architecture", "scales must ascend", "Give the fewest tiles of a region first")
        if not len(self.scales) <= self.mosaic_size <= MOST_VECTORS:
            what = f"{self.mosaic_size} anchors for {len(self.scales)} scales"
            raise ConfigurationError("architecture", what, f"Give {len(self.scales)} to {MOST_VECTORS}")
