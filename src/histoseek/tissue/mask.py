"""Where the tissue is, at low magnification, with absolute thresholds: a field full of tissue stays full."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from histoseek.errors import NoTissue
from histoseek.slides.slide import Slide
from histoseek.tissue.settings import TissueSettings

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]

_SPACING_UM_PER_PX = 8.0
_LONGEST_EDGE_PX = 4096
_SHORTEST_EDGE_PX = 256
_DARK_LEVEL = 60
_DARK_SHARE = 0.6
_EMPTY_SHARE = 0.001


@dataclass(frozen=True, slots=True)
class TissueMask:
    """A mask over the whole slide and the picture it was made from.

    mask: bool [h, w]; thumbnail: uint8 [h, w, 3]; spacing of both in um/px; pen_share and blur_share: parts of the
    slide that were left out as pen marks and as out of focus.
    """

    mask: Mask
    thumbnail: Pixels
    spacing_um_per_px: float
    pen_share: float
    blur_share: float

    @property
    def share(self) -> float:
        """Share of the slide that is tissue."""
        return float(self.mask.mean())


def find_tissue(slide: Slide, settings: TissueSettings) -> TissueMask:
    """The tissue of a slide, seen at about 8 um/px (finer on small slides).

    Raises NoTissue, saying why: an empty mask, or a dark background as in fluorescence.
    """
    wanted = slide.size.longer_edge * slide.spacing_um_per_px / _SPACING_UM_PER_PX
    edge = int(np.clip(wanted, min(_SHORTEST_EDGE_PX, slide.size.longer_edge), _LONGEST_EDGE_PX))
    thumbnail = slide.thumbnail(edge)
    if _has_dark_background(thumbnail):
        raise NoTissue(slide.source.uri, "dark background: it looks like fluorescence, and brightfield is expected")
    spacing = slide.spacing_um_per_px * slide.size.longer_edge / max(thumbnail.shape[:2])
    tissue = make_tissue_mask(thumbnail, spacing, settings)
    if tissue.share < _EMPTY_SHARE:
        raise NoTissue(slide.source.uri, _explain_emptiness(tissue))
    return tissue


def make_tissue_mask(thumbnail: Pixels, spacing_um_per_px: float, settings: TissueSettings) -> TissueMask:
    """Mask of tissue on a picture of known spacing: stained, not pen, not far out of focus, not a speck."""
    smooth = cv2.GaussianBlur(thumbnail, (0, 0), 1.0)
    stained = _find_stained(smooth, settings.threshold)
    pen = _find_pen(smooth)
    blurred = _find_out_of_focus(thumbnail, stained, spacing_um_per_px)
    mask = _clean(stained & ~pen & ~blurred, spacing_um_per_px, settings)
    shares = float((pen & stained).mean()), float((blurred & stained).mean())
    return TissueMask(mask, thumbnail, spacing_um_per_px, *shares)


def _find_stained(picture: Pixels, threshold: float) -> Mask:
    """Pixels darker than the glass by `threshold` in mean optical density, or clearly coloured."""
    glass = np.maximum(np.percentile(picture.reshape(-1, 3), 99, axis=0), 200.0).astype(np.float32)
    table = -np.log((np.arange(256, dtype=np.float32)[:, None] + 1) / (glass + 1))
    density = np.stack([table[:, c][picture[..., c]] for c in range(3)], axis=-1)
    mean = density.mean(-1)
    coloured = density.max(-1) - density.min(-1)
    stained: Mask = (mean > threshold) & (coloured > threshold / 2)
    return stained


def _find_pen(picture: Pixels) -> Mask:
    """Marker ink: saturated green, cyan and blue, and black; H&E has none of these hues so pure, nor true black."""
    hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    hue, saturation, value = hsv[..., 0], hsv[..., 1], hsv[..., 2]
    green_to_blue = (hue > 35) & (hue < 118) & (saturation > 90)
    black = (value < 50) & (saturation < 80)
    ink = (green_to_blue | black).astype(np.uint8)
    opened = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return cv2.dilate(opened, np.ones((5, 5), np.uint8)).astype(bool)


def _find_out_of_focus(picture: Pixels, stained: Mask, spacing_um_per_px: float) -> Mask:
    """Large stained areas without any edge; only sought where the picture is fine enough to show edges."""
    if spacing_um_per_px > 12.0:
        return np.zeros(stained.shape, bool)
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    energy = cv2.blur(cv2.Laplacian(grey, cv2.CV_32F) ** 2, (31, 31))
    return np.asarray(energy < 1.0, bool)


def _clean(mask: Mask, spacing_um_per_px: float, settings: TissueSettings) -> Mask:
    pixel_um2 = spacing_um_per_px**2
    area_um2 = mask.size * pixel_um2
    # On a small field the limits shrink with it, so that a biopsy's only fragment is no speck.
    holes = min(settings.min_hole_um2, 0.2 * area_um2) / pixel_um2
    specks = min(settings.min_speck_um2, 0.02 * area_um2) / pixel_um2
    radius = max(1, round(16 / spacing_um_per_px)) if min(mask.shape) > 64 else 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, kernel).astype(bool)
    return ~_drop_small(~_drop_small(closed, specks), holes)


def _drop_small(mask: Mask, least_pixels: float) -> Mask:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    keep = stats[:, cv2.CC_STAT_AREA] >= least_pixels
    keep[0] = False
    return keep[labels] if count > 1 else mask


def _has_dark_background(thumbnail: Pixels) -> bool:
    return float((thumbnail.max(-1) < _DARK_LEVEL).mean()) > _DARK_SHARE


def _explain_emptiness(tissue: TissueMask) -> str:
    if tissue.pen_share > _EMPTY_SHARE:
        return f"the mask is empty; {tissue.pen_share:.1%} of the slide was left out as pen marks"
    if tissue.blur_share > _EMPTY_SHARE:
        return f"the mask is empty; {tissue.blur_share:.1%} of the slide was left out as out of focus"
    return "the mask is empty"
