"""A picture of what the tissue mask kept."""

from __future__ import annotations

import cv2
import numpy as np

from histoseek.tissue.blocks import Pixels
from histoseek.tissue.mask import TissueMask

_OUTLINE = (0, 170, 80)


def draw_mask(tissue: TissueMask) -> Pixels:
    """The thumbnail, uint8 [h, w, 3], with what was left out faded and the tissue outlined in green."""
    faded = (0.35 * tissue.thumbnail + 0.65 * 255).astype(np.uint8)
    picture = np.where(tissue.mask[..., None], tissue.thumbnail, faded)
    outlines, _ = cv2.findContours(tissue.mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    width = max(1, max(picture.shape[:2]) // 600)
    return np.asarray(cv2.drawContours(picture, outlines, -1, _OUTLINE, width), np.uint8)
