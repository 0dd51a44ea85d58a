"""What is known of an uploaded slide once the sandbox has looked at it."""

from __future__ import annotations

from dataclasses import dataclass

from histoseek.server.tiles.geometry import ImageInfo


@dataclass(frozen=True, slots=True)
class LevelFacts:
    """A level of the slide's own pyramid: size in its px, level-0 px that one of them covers."""

    width: int
    height: int
    downsample: float


@dataclass(frozen=True, slots=True)
class SlideFacts:
    """Size in level-0 px, Deep Zoom tiles in px, the slide's own levels, and its format; spacing None: not known."""

    width: int
    height: int
    spacing_um_per_px: float | None
    tile_size_px: int
    overlap_px: int
    max_level: int
    levels: tuple[LevelFacts, ...]
    vendor: str

    @classmethod
    def of(
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
