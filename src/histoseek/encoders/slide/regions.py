"""Regions of slides: the tiles in them, and the place that these take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from histoseek.encoders.bag import are_placed
from histoseek.equality import EqualByContent
from histoseek.geometry import Rect


@dataclass(frozen=True, slots=True, eq=False)
class SlideRegion(EqualByContent):
    """T tiles of a slide that lie together, as what a mosaic vector of a regional encoder looks at.

    tiles: int64 [T], their places in the bag; corners: int32 [T, 2], their top-left ones in level-0 px; edge_level0: of
    the tiles in px, 0 where it is not known; scale: which of the encoder's sizes of regions it is of, 0 for the finest.
    Regions of one scale of an encoder share no tile; not every encoder's have all tiles.
    """

    tiles: NDArray[np.int64]
    corners: NDArray[np.int32]
    edge_level0: int
    scale: int

    @property
    def box(self) -> Rect | None:
        """The rectangle around the tiles, None where their places are not known."""
        if not are_placed(self.corners, self.edge_level0):
            return None
        return Rect.span(*self.corners.min(axis=0).tolist(), *(self.corners.max(axis=0) + self.edge_level0).tolist())

    @property
    def outline(self) -> NDArray[np.int32]:
        """The convex hull of the tiles, int32 [V, 2] in level-0 px, clockwise as seen; [0, 2] where their places are
        not known."""
        if not are_placed(self.corners, self.edge_level0):
            return np.empty((0, 2), np.int32)
        return _outline_squares(self.corners, self.edge_level0)


def _outline_squares(corners: NDArray[np.int32], edge: int) -> NDArray[np.int32]:
    """The convex hull of squares; only the ends of their rows can be corners of it."""
    rows, which = np.unique(corners[:, 1].astype(np.int64), return_inverse=True)
    lefts = np.full(len(rows), np.iinfo(np.int64).max)
    rights = np.full(len(rows), np.iinfo(np.int64).min)
    np.minimum.at(lefts, which, corners[:, 0])
    np.maximum.at(rights, which, corners[:, 0].astype(np.int64) + edge)
    left, right = (
        np.stack([np.tile(side, 2), np.concatenate([rows, rows + edge])], axis=1) for side in (lefts, rights)
    )
    points = sorted(set(map(tuple, np.concatenate([left, right]).tolist())))
    hull = [*_walk_hull(points), *_walk_hull(points[::-1])]
    return np.minimum(hull, np.iinfo(np.int32).max).astype(np.int32)


def _walk_hull(points: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """One chain of the hull of ordered points, without its last."""
    chain: list[tuple[int, int]] = []
    for x, y in points:
        while len(chain) > 1:
            (x0, y0), (x1, y1) = chain[-2:]
            if (x1 - x0) * (y - y0) > (y1 - y0) * (x - x0):
                break
            chain.pop()
        chain.append((x, y))
    return chain[:-1]
