"""What is known of an uploaded slide once the sandbox has inspected it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from histoseek.server.tiles.tile_grid import ImageInfo

LONGEST_PX = 2**31 - 1
Edge = Annotated[int, Field(gt=0, le=LONGEST_PX)]
"""A length in px."""


@dataclass(frozen=True, slots=True)
class LevelFacts:
    """A level of the slide's own pyramid: size in its px, level-0 px that one of them covers."""

    width: Edge
    height: Edge
    downsample: Annotated[float, Field(gt=0, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class SlideFacts:
    """Size in level-0 px, Deep Zoom tiles in px, the slide's own levels, and its format; spacing None: not known."""

    width: Edge
    height: Edge
    spacing_um_per_px: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None
    tile_size_px: Edge
    overlap_px: Annotated[int, Field(ge=0, lt=2**31)]
    max_level: Annotated[int, Field(ge=0, le=31)]
    levels: Annotated[tuple[LevelFacts, ...], Field(max_length=1000)]
    vendor: Annotated[str, Field(max_length=100)]

    @classmethod
    def from_info(
        cls, info: ImageInfo, spacing_um_per_px: float | None, levels: tuple[LevelFacts, ...], vendor: str
    ) -> SlideFacts:
        """The facts of an image that is open at whatever spacing."""
        return cls(
            width=info.width,
            height=info.height,
            spacing_um_per_px=spacing_um_per_px,
            tile_size_px=info.tile_size_px,
            overlap_px=info.overlap_px,
            max_level=info.max_level,
            levels=levels,
            vendor=vendor,
        )
