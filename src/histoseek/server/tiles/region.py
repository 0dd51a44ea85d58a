"""Pictures of regions: how large they are, which part of them lies on the slide, and what reading them may cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from histoseek.errors import InputError
from histoseek.geometry import Rect, Size

REGION_PX = range(16, 2049)
"""Lengths of the longer edge of a region's picture that can be asked for."""

MOST_PIXELS_READ = 2**26
"""Of a slide's level for one picture; with levels of a fourth each, less than a quarter of it is ever needed."""

MOST_PIXELS_DRAWN = 2**29
"""The same for a figure, whose edges are twice as long, and which may be turned."""


@dataclass(frozen=True, slots=True)
class RegionPicture:
    """A picture of a region of a slide: which region, in level-0 px, and its own longer edge in px.

    The region may reach beyond the slide: fields of one size do so at its borders.
    """

    rect: Rect
    longer_edge_px: int

    @classmethod
    def create(
        cls, rect: Rect, px: int | None, um_per_px: float | None = None, spacing_um_per_px: float | None = None
    ) -> Self:
        """By the picture's longer edge, or by its scale on a slide of this spacing; one of the two.

        Raises InputError for both, for a scale on a slide of unknown spacing, and for edges outside of REGION_PX.
        """
        if um_per_px is None:
            return cls(rect, _check_edge(256 if px is None else px))
        if px is not None:
            raise InputError("px", "and um_per_px both say how large the picture is", "Give one of them")
        if not spacing_um_per_px:
            raise InputError("um_per_px", "the slide does not state its spacing", "Give px, the picture's longer edge")
        longer_edge = Size(rect.width, rect.height).longer_edge
        return cls(rect, _check_edge(max(REGION_PX.start, round(longer_edge * spacing_um_per_px / um_per_px))))

    @property
    def downsample(self) -> float:
        """How many level-0 px one pixel of the picture stands for along an edge: never less than one."""
        return max(1.0, Size(self.rect.width, self.rect.height).longer_edge / self.longer_edge_px)

    @property
    def place(self) -> Rect:
        """The picture in the pixels of a level of its downsample, at least one wide and high."""
        x, y, width, height = (
            round(length / self.downsample) for length in (self.rect.x, self.rect.y, self.rect.width, self.rect.height)
        )
        return Rect(x, y, max(1, width), max(1, height))

    def keep_inside(self, slide: Size) -> Rect:
        """The part of `place` that lies on a slide of this size (level-0 px); raises InputError where none does."""
        place, downsample = self.place, self.downsample
        right, bottom = (max(1, round(edge / downsample)) for edge in (slide.width, slide.height))
        inside = Rect.span(max(0, place.x), max(0, place.y), min(right, place.right), min(bottom, place.bottom))
        if inside.width < 1 or inside.height < 1:
            what = f"the region {self.rect} (level-0 px) lies outside of the slide of {slide.width} x {slide.height} px"
            raise InputError("region", what, "Give x, y, width and height in level-0 px of the slide")
        return inside


def _check_edge(px: int) -> int:
    if px not in REGION_PX:
        what = f"a picture of a region is {REGION_PX.start} to {REGION_PX.stop - 1} px wide or high"
        raise InputError(f"{px} px", what, "Ask for another size, or another part of the slide")
    return px
