"""The tile grid: where tiles of a given size and spacing lie on the tissue of a slide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from histoseek.errors import NoTissue, RegionOutside
from histoseek.geometry import Rect, Size, UmPerPx, scale_to_level0
from histoseek.slides.slide import Slide
from histoseek.tissue.mask import TissueMask

MIN_TISSUE = 0.5
"""A tile is kept when at least this share of it is tissue: what is mostly glass is evidence of nothing."""

_FULL_SHARE = 0.25
_THIN_SHARE = 0.75
"""Where the kept tiles would hold less of the tissue than the first, as in thin biopsies, the best tiles that hold the
second are kept instead."""


@dataclass(frozen=True, slots=True)
class TileShape:
    """How large a tile is: its edge in pixels at a spacing in um/px."""

    edge_px: int
    spacing_um_per_px: float


@dataclass(frozen=True, slots=True)
class TileSet:
    """Tiles of one slide.

    coords: int32 [N, 2], x and y of the top-left corner in level-0 px; edge_level0: their edge in level-0 px;
    weights: float32 [N], how many tissue tiles each stands for; tissue: float32 [N], the share of each that is tissue
    and not glass, None where nobody looked.
    """

    coords: NDArray[np.int32]
    edge_level0: int
    shape: TileShape
    weights: NDArray[np.float32]
    tissue: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.coords)

    def subset(self, indices: NDArray[np.int64], weights: NDArray[np.float32]) -> TileSet:
        """The tiles at `indices`, with new weights."""
        tissue = None if self.tissue is None else self.tissue[indices]
        return replace(self, coords=self.coords[indices], weights=weights, tissue=tissue)


def lay_tissue_grid(slide: Slide, mask: TissueMask, shape: TileShape, regions: Sequence[Rect] = ()) -> TileSet:
    """Lay a grid without overlap, centred on the slide or on each region, and keep the tiles that show tissue.

    A slide smaller than a tile gets one tile, and so does a region. Whether the slide is fine enough for the tiles'
    spacing is checked before (`check_spacing`). Raises NoTissue when no tile shows tissue, and RegionOutside.
    """
    edge = scale_to_level0(shape.edge_px, UmPerPx(shape.spacing_um_per_px), UmPerPx(slide.spacing_um_per_px))
    coords = _lay_region_grids(slide, regions, edge) if regions else _lay_grid(slide.size, edge)
    tissue = measure_tissue_share(mask, slide, coords, edge)
    is_kept = _is_covered(tissue)
    kept = coords[is_kept]
    if not len(kept):
        raise NoTissue(slide.source.uri, "no tile of the region shows tissue" if regions else "no tile shows tissue")
    return TileSet(kept, edge, shape, np.ones(len(kept), np.float32), tissue[is_kept].astype(np.float32))


def measure_tissue_share(
    mask: TissueMask, slide: Slide, coords: NDArray[np.int32], edge_level0: int
) -> NDArray[np.float64]:
    """Share of tissue [N] in each tile, from the mask's pixels; holes that the mask closes are glass here."""
    height, width = mask.mask.shape
    summed = np.zeros((height + 1, width + 1), np.int64)
    summed[1:, 1:] = mask.covered.cumsum(0).cumsum(1)
    left, right = _find_pixel_range(coords[:, 0], edge_level0, slide.size.width, width)
    top, bottom = _find_pixel_range(coords[:, 1], edge_level0, slide.size.height, height)
    inside = summed[bottom, right] - summed[top, right] - summed[bottom, left] + summed[top, left]
    return inside / ((right - left) * (bottom - top))


def _lay_region_grids(slide: Slide, regions: Sequence[Rect], edge: int) -> NDArray[np.int32]:
    """The grids of several regions, each tile once, moved into the slide where they reach over its rim."""
    grids = []
    for region in regions:
        if region.x < 0 or region.y < 0 or region.right > slide.size.width or region.bottom > slide.size.height:
            raise RegionOutside(slide.source.uri, str(region), (slide.size.width, slide.size.height))
        # A region smaller than a tile gets the tile around it.
        centred = [min(0, length - edge) // 2 for length in (region.width, region.height)]
        grids.append(_lay_grid(Size(region.width, region.height), edge) + np.array([region.x, region.y]) + centred)
    last = np.maximum([slide.size.width - edge, slide.size.height - edge], 0)
    inside = np.clip(np.concatenate(grids), 0, last)
    return np.unique(inside, axis=0).astype(np.int32)


def _lay_grid(size: Size, edge: int) -> NDArray[np.int32]:
    xs, ys = (_list_starts(length, edge) for length in (size.width, size.height))
    return np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2).astype(np.int32)


def _list_starts(length: int, edge: int) -> NDArray[np.int64]:
    count = max(1, length // edge)
    margin = max(0, (length - count * edge) // 2)
    return margin + edge * np.arange(count, dtype=np.int64)


def _find_pixel_range(
    starts: NDArray[np.int32], edge: int, length: int, pixels: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    scale = pixels / length
    first = np.clip(np.round(starts * scale).astype(np.int64), 0, pixels - 1)
    last = np.clip(np.round((starts.astype(np.int64) + edge) * scale).astype(np.int64), first + 1, pixels)
    return first, last


def _is_covered(share: NDArray[np.float64]) -> NDArray[np.bool_]:
    full = share >= MIN_TISSUE
    total = float(share.sum())
    if share[full].sum() >= _FULL_SHARE * total:
        return full & (total > 0)
    order = np.argsort(-share, kind="stable")
    held = np.cumsum(share[order])
    least = share[order[int(np.searchsorted(held, _THIN_SHARE * total))]]
    return share >= max(least, share.max() / 4)
