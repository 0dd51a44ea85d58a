"""Units and shapes on a slide.

Positions are level-0 pixels unless a name says otherwise; spacing is µm per pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

UmPerPx = NewType("UmPerPx", float)
"""Spacing: the edge of one pixel on the tissue, in µm."""


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels of whatever grid the context names."""

    width: int
    height: int

    @property
    def longer_edge(self) -> int:
        """The longer of the two edges, in pixels."""
        return max(self.width, self.height)


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a pyramid: its size in own pixels and how many level-0 pixels one of them covers."""

    index: int
    size: Size
    downsample: float


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle on a slide in level-0 pixels; `x`, `y` is its top-left corner."""

    x: int
    y: int
    width: int
    height: int

    def __str__(self) -> str:
        return f"{self.x},{self.y},{self.width},{self.height}"

    @classmethod
    def span(cls, left: int, top: int, right: int, bottom: int) -> Rect:
        """The rectangle from its first column and row to those behind its last."""
        return cls(left, top, right - left, bottom - top)

    @property
    def right(self) -> int:
        """First level-0 column right of the rectangle."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """First level-0 row below the rectangle."""
        return self.y + self.height


def scale_to_level0(edge_px: int, at: UmPerPx, level0: UmPerPx) -> int:
    """Length in level-0 pixels of an edge of `edge_px` pixels at spacing `at`, rounded, at least 1."""
    return max(1, round(edge_px * at / level0))
