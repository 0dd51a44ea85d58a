"""Where the tissue is, at low magnification, with absolute thresholds: a field full of tissue stays full."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from histoseek.errors import NoTissue, TooLittleTissue
from histoseek.slides.slide import Slide
from histoseek.tissue.blocks import (
    Blocks,
    Mask,
    Pixels,
    choose_edge,
    dilate,
    label_parts,
    list_border_labels,
    measure_blocks,
)
from histoseek.tissue.glass import Background, find_background, outline_unscanned
from histoseek.tissue.pen import find_pen
from histoseek.tissue.settings import TissueSettings

_SPACING_UM_PER_PX = 8.0
_LONGEST_EDGE_PX = 4096
_SHORTEST_EDGE_PX = 256
_DARK_LEVEL = 60
_DARK_SHARE = 0.6
_LEAST_UM2 = 600.0
"""Least tissue of a slide: a twentieth of a tile of 112 um."""
_LEAST_PX = 4
_OPEN_HOLE_UM2 = 2_500.0
"""Largest hole that is closed where it reaches the picture's edge: how large it is cannot be seen."""
_OF_SMALL_PICTURE = 0.1
"""Limits are areas, except where the whole picture is hardly larger: there they are at most this share of it."""
_SPECK_OF_PICTURE = 0.01
_MORE_BEYOND = 8
"""How many times what is seen of a piece it may be that the picture's edge cuts off."""
_DROPPED_SHARE = 0.2
_DARK_NEUTRAL = 0.35
_LEAST_TINT = 0.1
"""Least colour of a stain, as a share of its density; what is greyer is silver, or dirt."""
_RIM_SHARE = 0.35
_STRIP_PX = 512


@dataclass(frozen=True, slots=True)
class TissueMask:
    """A mask over the whole slide and the picture it was made from.

    mask: bool [h, w]; thumbnail: uint8 [h, w, 3]; spacing of both in um/px; pen_share and blur_share: parts of the
    slide that were left out as pen marks and as out of focus; stained: bool [h, w], the mask without holes that were
    closed in it, the mask itself where that is not known; dark_background: whether it looks like fluorescence.
    """

    mask: Mask
    thumbnail: Pixels
    spacing_um_per_px: float
    pen_share: float
    blur_share: float
    stained: Mask | None = None
    dark_background: bool = False

    @property
    def share(self) -> float:
        """Share of the slide that is tissue."""
        return float(self.mask.mean())

    @property
    def area_um2(self) -> float:
        """Area of the tissue."""
        return float(self.mask.sum()) * self.spacing_um_per_px**2

    @property
    def covered(self) -> Mask:
        """Where something lies on the glass: the mask without the holes in it."""
        return self.mask if self.stained is None else self.stained


def find_tissue(slide: Slide, settings: TissueSettings) -> TissueMask:
    """The tissue of a slide, as `look_for_tissue` sees it.

    Raises NoTissue, saying why (no stain at all, or a dark background as in fluorescence), and TooLittleTissue.
    """
    tissue = look_for_tissue(slide, settings)
    require_tissue(tissue, slide.source.uri)
    return tissue


def look_for_tissue(slide: Slide, settings: TissueSettings) -> TissueMask:
    """The tissue of a slide, seen at about 8 um/px (finer on small slides); the mask may be empty."""
    wanted = slide.size.longer_edge * slide.spacing_um_per_px / _SPACING_UM_PER_PX
    edge = int(np.clip(wanted, min(_SHORTEST_EDGE_PX, slide.size.longer_edge), _LONGEST_EDGE_PX))
    thumbnail = slide.thumbnail(edge)
    spacing = slide.spacing_um_per_px * slide.size.longer_edge / max(thumbnail.shape[:2])
    return make_tissue_mask(thumbnail, spacing, settings)


def require_tissue(tissue: TissueMask, uri: str) -> None:
    """Raise NoTissue or TooLittleTissue when a mask is not enough to work with."""
    if tissue.dark_background:
        reason = "dark background: it looks like fluorescence, and brightfield is expected"
        raise NoTissue(uri, reason, "Leave it out, or see what `histoseek mask FILE` shows")
    if tissue.mask.sum() < _LEAST_PX:
        raise NoTissue(uri, _explain_emptiness(tissue))
    # A picture smaller than a tile need not be full of it.
    if tissue.area_um2 < min(_LEAST_UM2, _OF_SMALL_PICTURE * _measure_area(tissue.mask, tissue.spacing_um_per_px)):
        raise TooLittleTissue(uri, tissue.area_um2)


def make_tissue_mask(thumbnail: Pixels, spacing_um_per_px: float, settings: TissueSettings) -> TissueMask:
    """Mask of tissue on a picture of known spacing: stained, not pen, not far out of focus, not a speck beside more."""
    smooth = _smooth(thumbnail)
    edge = choose_edge(thumbnail.shape, spacing_um_per_px)
    blocks = measure_blocks(thumbnail, smooth, spacing_um_per_px, edge)
    background = find_background(blocks)
    unscanned = outline_unscanned(thumbnail, smooth, blocks, background.unscanned)
    if unscanned.any():
        smooth = _smooth(_fill_unscanned(thumbnail, unscanned, blocks, background))
    stained, neutral = _find_stained(smooth, blocks, background, settings.threshold)
    stained |= _keep_large(neutral & ~unscanned, settings.min_speck_um2 / 4 / spacing_um_per_px**2)
    pen = np.zeros(stained.shape, bool) if settings.keep_pen else find_pen(smooth, blocks, background)
    blurred = _find_out_of_focus(thumbnail, spacing_um_per_px)
    shares = float((pen & stained & ~unscanned).mean()), float((blurred & stained & ~unscanned).mean())
    left_out = pen | unscanned
    stained &= ~left_out & ~blurred
    mask = _clean(stained, left_out, unscanned, spacing_um_per_px, settings)
    dark = _has_dark_background(blocks, background)
    return TissueMask(mask, thumbnail, spacing_um_per_px, *shares, stained & mask, dark)


def _smooth(picture: Pixels) -> Pixels:
    return cv2.GaussianBlur(picture, (0, 0), 1.0).astype(np.uint8, copy=False)


def _fill_unscanned(picture: Pixels, unscanned: Mask, blocks: Blocks, background: Background) -> Pixels:
    """The picture with glass where nothing was scanned, so that no edge of it looks like a stain."""
    filled = picture.copy()
    # One pixel more: thumbnails mix the last of it with what lies beside.
    ys, xs = np.nonzero(dilate(unscanned, 1))
    levels = np.exp(background.reference) - 1
    filled[ys, xs] = np.clip(levels, 0, 255).round().astype(np.uint8)[ys // blocks.edge, xs // blocks.edge]
    return filled


def _find_stained(smooth: Pixels, blocks: Blocks, background: Background, threshold: float) -> tuple[Mask, Mask]:
    """Pixels darker than the glass by `threshold` in mean optical density: those clearly coloured, and those that are
    dark without a colour, as silver."""
    threshold = max(threshold, 5 * background.noise / float(np.exp(background.reference).mean()))
    logs = np.log(np.arange(256, dtype=np.float32) + 1)
    height, width = smooth.shape[:2]
    coloured, neutral = np.empty((height, width), bool), np.empty((height, width), bool)
    for top in range(0, height, _STRIP_PX):
        part = slice(top, min(top + _STRIP_PX, height))
        # From pixels to the centres of blocks.
        step, shift = 1 / blocks.edge, 0.5 / blocks.edge - 0.5
        to_blocks = np.array([[step, 0, shift], [0, step, top * step + shift]], np.float64)
        glass = cv2.warpAffine(
            background.reference,
            to_blocks,
            (width, part.stop - top),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        red, green, blue = cv2.split(cv2.subtract(glass, cv2.LUT(smooth[part], logs)))
        mean = (red + green + blue) / 3
        tint = cv2.max(cv2.max(red, green), blue) - cv2.min(cv2.min(red, green), blue)
        tinted = tint > cv2.max(mean * _LEAST_TINT, threshold / 2)
        dark = _trim(mean > threshold, mean)
        coloured[part] = dark & tinted
        neutral[part] = ~tinted & (mean > max(_DARK_NEUTRAL, threshold))
    return coloured, neutral


def _trim(dark: Mask, density: NDArray[np.float32]) -> Mask:
    """A mask without the soft rim that smoothing gives dense pieces: small ones would grow to twice their size."""
    peak = cv2.dilate(density, np.ones((5, 5), np.uint8))
    return dark & ~((density < _RIM_SHARE * peak) & dilate(~dark, 2))


def _keep_large(mask: Mask, least_pixels: float) -> Mask:
    """The large and thick parts of a mask: dust, hairs and edges of cover slips are neither."""
    if not mask.any():
        return mask
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8)).astype(bool)
    return _drop_small(opened, least_pixels)


def _find_out_of_focus(picture: Pixels, spacing_um_per_px: float) -> Mask:
    """Large areas without any edge; only sought where the picture is fine enough to show edges."""
    if spacing_um_per_px > 12.0:
        return np.zeros(picture.shape[:2], bool)
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    energy = cv2.blur(cv2.Laplacian(grey, cv2.CV_32F) ** 2, (31, 31))
    return np.asarray(energy < 1.0, bool)


def _clean(stained: Mask, left_out: Mask, unscanned: Mask, spacing_um_per_px: float, settings: TissueSettings) -> Mask:
    pixel_um2 = spacing_um_per_px**2
    radius = int(np.clip(round(16 / spacing_um_per_px), 1, 16)) if min(stained.shape) > 64 else 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    # What was not scanned is to tissue as what lies beyond the picture: nothing that ends it.
    grown = cv2.dilate(stained.astype(np.uint8), kernel) | unscanned
    closed = cv2.erode(grown, kernel).astype(bool) & ~left_out
    area = _measure_area(stained, spacing_um_per_px)
    pieces = _drop_specks(closed, unscanned, min(settings.min_speck_um2, _SPECK_OF_PICTURE * area) / pixel_um2)
    open_hole = min(_OPEN_HOLE_UM2, _OF_SMALL_PICTURE * area)
    filled = _close_holes(pieces, unscanned, settings.min_hole_um2 / pixel_um2, open_hole / pixel_um2)
    return filled & ~left_out


def _drop_specks(mask: Mask, unscanned: Mask, largest_speck: float) -> Mask:
    """The mask without specks as large as they may be without taking much with them: where little else is there, as in
    smears and cell blocks, small pieces are the tissue. Where a piece is cut off, more of it lies beyond."""
    _, labels, areas = label_parts(mask)
    sizes = np.where(_find_cut(labels, unscanned, len(areas)), _MORE_BEYOND * areas, areas)
    for limit in (largest_speck, largest_speck / 4, largest_speck / 16, largest_speck / 64):
        small = sizes < limit
        small[0] = False
        if areas[small].sum() <= _DROPPED_SHARE * areas[1:].sum():
            small[0] = True
            return np.asarray(~small[labels], bool)
    return mask


def _find_cut(labels: NDArray[np.int32], unscanned: Mask, count: int) -> Mask:
    """Which parts end where the picture does, or what was scanned."""
    cut = np.zeros(count, bool)
    cut[list(list_border_labels(labels))] = True
    if unscanned.any():
        cut[np.unique(labels[dilate(unscanned, 1)])] = True
    return cut


def _close_holes(mask: Mask, unscanned: Mask, largest_hole: float, largest_open_hole: float) -> Mask:
    """The mask with small holes closed; those that reach the edge of what was scanned only where they are tiny."""
    if not mask.any():
        return mask
    holes = ~mask & ~unscanned
    _, labels, areas = label_parts(holes)
    close = areas < np.where(_find_cut(labels, unscanned, len(areas)), largest_open_hole, largest_hole)
    close[0] = False
    return mask | close[labels]


def _measure_area(mask: Mask, spacing_um_per_px: float) -> float:
    """Area of a whole picture in um2."""
    return mask.size * spacing_um_per_px**2


def _drop_small(mask: Mask, least_pixels: float) -> Mask:
    count, labels, areas = label_parts(mask)
    keep = areas >= least_pixels
    keep[0] = False
    return np.asarray(keep[labels], bool) if count > 1 else mask


def _has_dark_background(blocks: Blocks, background: Background) -> bool:
    """Whether what was scanned is dark, or all but something dark that glows; never with glass in sight."""
    scanned = ~background.unscanned
    if not scanned.any():
        return bool(blocks.mean.max() < _DARK_LEVEL)
    if background.glass[scanned].mean() > 0.02:
        return False
    dark = blocks.mean.max(-1) < _DARK_LEVEL
    glows = float(np.median(blocks.mean[scanned].min(-1))) < _DARK_LEVEL
    return bool(dark[scanned].mean() > _DARK_SHARE or (dark.mean() > _DARK_SHARE and glows))


def _explain_emptiness(tissue: TissueMask) -> str:
    if tissue.pen_share > 0:
        left_out = f"{tissue.pen_share:.1%} of the slide was left out as pen marks"
        return f"the mask is empty; {left_out}, which --keep-pen takes for tissue"
    if tissue.blur_share > 0:
        return f"the mask is empty; {tissue.blur_share:.1%} of the slide was left out as out of focus"
    return "the mask is empty: nothing is stained"
