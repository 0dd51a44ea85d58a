"""The glass of a slide: what was scanned and is bare, and how bright it would be where tissue lies."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from histoseek.tissue.blocks import (
    Blocks,
    Floats,
    Mask,
    Pixels,
    dilate,
    enlarge,
    has_straight_rim,
    is_stroke,
    label_parts,
    list_border_labels,
)

_BRIGHT = 110.0
_DARK = 80.0
_USUAL_GLASS = 200.0
_SURE_GLASS = 205.0
_GLASS_SHARE = 0.05
_PURPLE = 0.05
_TINT = 0.25
_DARKEST_GLASS = 0.6
_OTHER_GLASS_UM2 = 1_000_000.0
_FEWEST_BLOCKS = 3
_LARGE_PADDING_UM2 = 1_000_000.0
_PADDING_BLOCKS = 32
_MOST_GAPS, _GREY = 64, 12.0
_LIKE_PADDING = 30.0
"""Least levels between padding and tissue that is as even."""
_TEXTURE = 3.0
_PLAIN, _STEP, _STEP_SHARE = 8.0, 12.0, 0.1
"""Most levels that a line of one colour spreads over, least between it and what it surrounds, and along how much."""


@dataclass(frozen=True, slots=True)
class Background:
    """What is not tissue for certain, by blocks.

    glass and unscanned: bool [H, W]; reference: float32 [H, W, 3], logarithms of the bare glass' levels + 1 at every
    block; noise: standard deviation of the glass in the lightly smoothed picture.
    """

    glass: Mask
    unscanned: Mask
    reference: Floats
    noise: float

    def divide(self, shape: tuple[int, ...], parts: int) -> Background:
        """The same for blocks [H, W] whose edges are a part of the edges."""
        rows, columns = (np.minimum(np.arange(n) // parts, m - 1) for n, m in zip(shape, self.glass.shape, strict=True))
        grid = np.ix_(rows, columns)
        return Background(self.glass[grid], self.unscanned[grid], self.reference[grid], self.noise)


def find_background(blocks: Blocks) -> Background:
    """The glass and the parts that were not scanned: frames, padding, gaps between fields."""
    frame = _find_frames(blocks)
    bright = (blocks.mean.min(-1) > _BRIGHT) & ~frame
    noise = float(np.percentile(blocks.spread[bright], 10)) if bright.any() else 0.0
    even = blocks.spread <= min(1.2 + 2.5 * noise, 5.0)
    levels = _find_brightest_glass(blocks, even & bright)
    if levels is None:
        levels = _find_brightest_glass(blocks, blocks.flat & frame)
    glass = np.zeros(frame.shape, bool) if levels is None else _find_glass(blocks, even & ~frame, levels)
    parts = frame | _find_padding(blocks, even, glass)
    # With blocks in which one of them passes into another.
    unscanned = cv2.morphologyEx(parts.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)).astype(bool)
    if levels is None:
        levels = _guess_levels(blocks, unscanned)
    glass &= ~unscanned
    reference = _spread_reference(blocks, glass, levels)
    grain = float(np.median(blocks.spread[glass])) if glass.any() else 0.0
    return Background(glass, unscanned, reference, grain)


def _find_frames(blocks: Blocks) -> Mask:
    """Parts of one single colour that end along straight lines, or are all of the picture: also gaps within it, as of
    fields that were not scanned."""
    _, labels, areas = label_parts(blocks.flat)
    frame = np.zeros(blocks.flat.shape, bool)
    border = list_border_labels(labels)
    grey = np.ptp(blocks.mean, axis=-1) < _GREY
    for label in [label for label in np.argsort(-areas)[: _MOST_GAPS + 1] if label > 0]:
        part = labels == label
        if label not in border and not grey[part].all():
            continue
        if areas[label] == part.size or (areas[label] >= _PADDING_BLOCKS and has_straight_rim(part)):
            frame |= part
    return frame


def _tell_tint(levels: Floats) -> tuple[Floats, Floats]:
    """How purple, as only stains are, and how coloured at all: of levels [..., 3], in optical density."""
    logs = np.log(levels + 1)
    purple = (logs[..., 0] + logs[..., 2]) / 2 - logs[..., 1]
    return purple.astype(np.float32), logs.max(-1) - logs.min(-1)


def _find_brightest_glass(blocks: Blocks, possible: Mask) -> Floats | None:
    """Levels [3] of the brightest fifth of what may be glass; None where too little of it is there to tell."""
    purple, tint = _tell_tint(blocks.mean)
    neutral = possible & (purple < _PURPLE) & (tint < _TINT)
    if neutral.sum() < _FEWEST_BLOCKS:
        return None
    colours = blocks.mean[neutral]
    brightness = colours.mean(-1)
    levels = np.median(colours[brightness >= np.percentile(brightness, 80)], axis=0).astype(np.float32)
    if levels.mean() < _SURE_GLASS and neutral.mean() < _GLASS_SHARE:
        return None
    return np.asarray(levels, np.float32)


def _find_glass(blocks: Blocks, even: Mask, levels: Floats) -> Mask:
    """Even blocks of the glass' colour, of shades of it that pass into it, and other large even areas without stain."""
    ratio = np.log((levels + 1) / (blocks.mean + 1))
    density = ratio.mean(-1)
    purple = ratio[..., 1] - (ratio[..., 0] + ratio[..., 2]) / 2
    tint = ratio.max(-1) - ratio.min(-1)
    possible = even & (density < _DARKEST_GLASS) & (purple < 0.7 * _PURPLE) & (tint < 0.8 * _TINT)
    count, labels, areas = label_parts(possible)
    bare = np.bincount(labels.ravel(), weights=(possible & (density < 0.03)).ravel(), minlength=count) > 0
    large = areas * blocks.area_um2 >= _OTHER_GLASS_UM2
    keep = bare | large
    keep[0] = False
    return np.asarray(keep[labels], bool)


def _find_padding(blocks: Blocks, even: Mask, glass: Mask) -> Mask:
    """Dark or even parts other than glass that reach the picture's edge and end along straight lines, or are dark,
    even and large: no tissue is both."""
    dark = blocks.mean.max(-1) < _DARK
    padding = np.zeros(glass.shape, bool)
    for possible in (dark, (dark | even) & ~glass):
        _, labels, areas = label_parts(possible)
        for label in list_border_labels(labels):
            part = labels == label
            if not _PADDING_BLOCKS <= areas[label] < part.size or _has_texture(blocks, part):
                continue
            if has_straight_rim(part):
                padding |= part & (dark | _is_like_rim(blocks, part))
    _, labels, areas = label_parts(dark & even & ~padding)
    for label in list_border_labels(labels):
        part = labels == label
        if areas[label] * blocks.area_um2 >= _LARGE_PADDING_UM2 and not is_stroke(part):
            padding |= part
    return padding


def _is_like_rim(blocks: Blocks, part: Mask) -> Mask:
    """Blocks of the colour that a part has where the picture ends: even tissue may touch padding."""
    rim = np.zeros(part.shape, bool)
    rim[[0, -1]] = rim[:, [0, -1]] = True
    levels = np.median(blocks.mean[part & rim], axis=0)
    return np.asarray((np.abs(blocks.mean - levels) < _LIKE_PADDING).all(-1), bool)


def _has_texture(blocks: Blocks, part: Mask) -> bool:
    """Whether a part varies as tissue does, over more than a pixel, rather than as noise."""
    spread = float(np.median(blocks.spread[part]))
    return spread > _TEXTURE and float(np.median(blocks.grain[part])) < spread


def _guess_levels(blocks: Blocks, unscanned: Mask) -> Floats:
    """Neutral glass as bright as the brightest blocks: a field full of tissue shows none."""
    scanned = blocks.mean[~unscanned] if not unscanned.all() else blocks.mean.reshape(-1, 3)
    return np.full(3, max(_USUAL_GLASS, float(np.percentile(scanned, 99, axis=0).max())), np.float32)


def _spread_reference(blocks: Blocks, glass: Mask, levels: Floats) -> Floats:
    """Logarithms of the glass' levels everywhere: its own where it is bare, else those of the nearest around."""
    reference = np.empty(blocks.mean.shape, np.float32)
    reference[:] = np.log(levels + 1)
    weight = glass.astype(np.float32)
    logs = np.log(blocks.mean + 1) * weight[..., None]
    missing = np.ones(glass.shape, bool)
    reach = 3
    while missing.any() and reach < 4 * max(glass.shape) and glass.any():
        share = cv2.blur(weight, (reach, reach), borderType=cv2.BORDER_CONSTANT)
        known = missing & (share > 1e-4)
        sums = cv2.blur(logs, (reach, reach), borderType=cv2.BORDER_CONSTANT)
        reference[known] = sums[known] / share[known][:, None]
        missing &= ~known
        reach = 2 * reach + 1
    return reference


def outline_unscanned(picture: Pixels, smooth: Pixels, blocks: Blocks, unscanned: Mask) -> Mask:
    """The pixels that were not scanned: blocks of them, and around those what looks the same, smoothed or not."""
    around = _find_lines_around(picture, 2 * blocks.edge)
    if not unscanned.any():
        return around
    # Blocks at the rim may be mixed.
    core = cv2.erode(unscanned.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    inside = enlarge(core, blocks, picture.shape) | around
    ys, xs = np.nonzero(enlarge(dilate(unscanned, 2) & ~core, blocks, picture.shape))
    colours, spread = _average_near(blocks, core, unscanned)
    near = colours[ys // blocks.edge, xs // blocks.edge]
    distances = (np.abs(pixels[ys, xs] - near).max(-1) for pixels in (picture, smooth))
    alike = np.minimum(*distances) <= 10 + 6 * spread[ys // blocks.edge, xs // blocks.edge]
    inside[ys[alike], xs[alike]] = True
    return inside


def _average_near(blocks: Blocks, core: Mask, part: Mask) -> tuple[Floats, Floats]:
    """Mean colour and spread around every block of those of a core within reach, else of a part; far off 0 and NaN."""
    colours, spread = np.zeros(blocks.mean.shape, np.float32), np.full(core.shape, np.nan, np.float32)
    for weight in (part.astype(np.float32), core.astype(np.float32)):
        share = cv2.blur(weight, (7, 7), borderType=cv2.BORDER_CONSTANT)
        known = share > 1e-3
        sums = cv2.blur(blocks.mean * weight[..., None], (7, 7), borderType=cv2.BORDER_CONSTANT)
        spreads = cv2.blur(blocks.spread * weight, (7, 7), borderType=cv2.BORDER_CONSTANT)
        colours[known] = sums[known] / share[known][:, None]
        spread[known] = spreads[known] / share[known]
    return colours, spread


def _find_lines_around(picture: Pixels, most_px: int) -> Mask:
    """Lines of one colour that run along a whole edge of the picture, thinner than a block, with what lies beyond."""
    around = np.zeros(picture.shape[:2], bool)
    for turned, mask in ((picture, around), (picture.transpose(1, 0, 2), around.T)):
        for lines, side in ((turned, mask), (turned[::-1], mask[::-1])):
            rim = lines[:most_px].astype(np.float32)
            low, high = np.percentile(rim, (1, 99), axis=1)
            plain = (high - low <= _PLAIN).all(-1)
            steps = (np.abs(np.diff(rim, axis=0)).max(-1) > _STEP).mean(1) > _STEP_SHARE
            steps &= plain[:-1] & (np.cumsum(~plain[:-1]) == 0)
            if steps.any():
                side[: int(np.flatnonzero(steps)[-1]) + 1] = True
    return around
