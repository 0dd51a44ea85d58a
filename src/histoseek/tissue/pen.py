"""Pen marks: even, vivid or black ink; stains of any colour have the texture of tissue."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from histoseek.tissue.blocks import (
    Blocks,
    Floats,
    Mask,
    Pixels,
    close,
    dilate,
    enlarge,
    is_stroke,
    label_parts,
    measure_blocks,
    measure_depth,
)
from histoseek.tissue.glass import Background

_VIVID, _PALE = 0.55, 0.25
_BLACK, _PITCH_BLACK = 60.0, 45.0
_PURE, _PURE_MAGENTA = 0.7, 0.8
_LARGE_UM2 = 500_000.0
_EVEN = 1.2
_GREY, _WASHED_BLACK = 0.15, 120.0
_EVEN_SHARE, _MOSTLY_EVEN, _MOST_OF_FIELD = 0.2, 0.8, 0.5
_WIDER, _SAME_STAIN = 1.5, 20.0
"""Least share of a mark that is as even as ink on glass; chance makes a few blocks of any stain so."""
_SMALLEST_UM2 = 15_000.0
_FEWEST_BLOCKS = 4
_SOFT_EDGE_PX = 3
_SAME_INK, _SAME_DENSITY = 0.955, 0.6
_LIKE_INK, _LIKE_DENSITY = 0.94, 0.5
_SMALLEST_EDGE_PX = 3
_INKS = 16
"""Most marks that are looked at, largest first."""


def find_pen(smooth: Pixels, blocks: Blocks, background: Background) -> Mask:
    """Pixels of pen marks, bool [h, w], from a lightly smoothed picture, uint8 [h, w, 3].

    A mark begins with even blocks of one vivid colour or of black, or with a stroke of paler ink of a colour that eosin
    and haematoxylin don't have, and goes on through blocks of the same ink, as over tissue. Strokes too thin for the
    blocks are sought in smaller ones.
    """
    pen = _mark_ink(smooth, blocks, background, only_strokes=False)
    edge = blocks.edge // 2
    if edge >= _SMALLEST_EDGE_PX:
        fine = measure_blocks(smooth, smooth, blocks.spacing_um_per_px, edge)
        pen |= _mark_ink(smooth, fine, background.divide(fine.flat.shape, blocks.edge // edge), only_strokes=True)
    return dilate(pen, _SOFT_EDGE_PX) if pen.any() else pen


def _mark_ink(smooth: Pixels, blocks: Blocks, background: Background, *, only_strokes: bool) -> Mask:
    pen = np.zeros(smooth.shape[:2], bool)
    scanned = ~background.unscanned & ~background.glass
    density = background.reference - np.log(blocks.mean + 1)
    even = scanned & (blocks.spread <= _EVEN + 0.5 * background.noise)
    for core, needs_stroke in _find_cores(blocks, even, only_strokes=only_strokes):
        ink = density[core].mean(0)
        same = scanned & _is_ink(density, ink, _SAME_INK, _SAME_DENSITY)
        _, labels, _ = label_parts(same | core)
        whole = np.isin(labels, np.unique(labels[core]))
        if (even & whole).sum() < _EVEN_SHARE * whole.sum() or _fills_field(whole, background):
            continue
        # The even places of a blob of stain are strokes by chance.
        if needs_stroke and not is_stroke(whole):
            continue
        # Ink of a stain's colour would go on through all tissue that it touches; strokes stay as wide as they are.
        if (
            measure_depth(close(whole)) > _WIDER * measure_depth(close(even & whole)) + 1
            and (even & whole).sum() < _MOSTLY_EVEN * whole.sum()
        ):
            whole = core
        ys, xs = np.nonzero(enlarge(dilate(whole, 1), blocks, pen.shape))
        glass = background.reference[ys // blocks.edge, xs // blocks.edge]
        inked = _is_ink(glass - np.log(smooth[ys, xs].astype(np.float32) + 1), ink, _LIKE_INK, _LIKE_DENSITY)
        pen[ys[inked], xs[inked]] = True
    return pen


def _fills_field(whole: Mask, background: Background) -> bool:
    """Whether ink would be most of a field without glass, as a tile of one smooth stain."""
    return not background.glass.any() and bool(whole.mean() > _MOST_OF_FIELD)


def _find_cores(blocks: Blocks, even: Mask, *, only_strokes: bool) -> list[tuple[Mask, bool]]:
    """The parts that can only be ink, largest first, and whether only because they are strokes."""
    lowest, highest = blocks.mean.min(-1), blocks.mean.max(-1)
    saturation = 1 - lowest / np.maximum(highest, 1)
    vivid = even & (((saturation > _VIVID) & (highest - lowest > 70)) | (highest < _BLACK))
    grey = (saturation < _GREY) & (highest < _WASHED_BLACK)
    pale = even & ~vivid & (grey | ((saturation > _PALE) & _is_cold(blocks.mean)))
    least = max(_FEWEST_BLOCKS, _SMALLEST_UM2 / blocks.area_um2)
    cores: list[tuple[int, Mask, bool]] = []
    stained: list[NDArray[np.float32]] = []
    # Large blobs are ink only where no stain is as vivid or as black.
    limit = np.where(_is_magenta(blocks.mean), _PURE_MAGENTA, _PURE)
    pure = ((saturation > limit) & vivid) | (vivid & (highest < _PITCH_BLACK))
    for possible, needs_stroke in ((vivid, only_strokes), (pale, True)):
        _, labels, areas = label_parts(possible)
        for label in [label for label in np.argsort(-areas) if label > 0 and areas[label] >= least]:
            part = labels == label
            colour = blocks.mean[part].mean(0)
            is_ink = areas[label] * blocks.area_um2 < _LARGE_UM2 or pure[part].mean() > 0.5
            # Small pieces of what is in large ones a stain are that stain.
            is_ink &= not any(np.abs(colour - other).max() < _SAME_STAIN for other in stained)
            if is_stroke(part) or (is_ink and not needs_stroke):
                cores.append((int(areas[label]), part, needs_stroke or not is_ink))
            elif not needs_stroke:
                stained.append(colour)
    return [(part, stroke) for _, part, stroke in sorted(cores, key=lambda core: -core[0])[:_INKS]]


def _is_cold(mean: Floats) -> Mask:
    """Green to blue: less red than green, and less than blue."""
    return np.asarray((mean[..., 0] < mean[..., 1] - 10) & (mean[..., 0] < mean[..., 2]), bool)


def _is_magenta(mean: Floats) -> Mask:
    """The colours of eosin and PAS, of which smooth stains are vivid, such as colloid."""
    return np.asarray((mean[..., 0] > mean[..., 2]) & (mean[..., 2] > mean[..., 1] + 20), bool)


def _is_ink(density: Floats, ink: NDArray[np.float32], least_cosine: float, least_share: float) -> Mask:
    """Which optical densities [..., 3] are of the same colour as an ink's, and at least a share as dark."""
    length = float(np.linalg.norm(ink))
    along = density @ (ink / length)
    return np.asarray(
        (along >= least_cosine * np.linalg.norm(density, axis=-1)) & (along >= least_share * length), bool
    )
