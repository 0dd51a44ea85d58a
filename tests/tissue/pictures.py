"""Small pictures whose tissue is known."""

from __future__ import annotations

import cv2
import numpy as np

GLASS, STAIN = (243, 242, 244), (185, 120, 170)
Colour = tuple[int, int, int]


def paint_tissue(height: int, width: int, colour: Colour = STAIN, spread: float = 18) -> np.ndarray:
    """Stained tissue, uint8 [h, w, 3]: one colour with a fine texture."""
    noise = cv2.GaussianBlur(np.random.default_rng(0).normal(0, 2 * spread, (height, width)), (0, 0), 1)
    return np.clip(np.asarray(colour) + noise[..., None], 0, 255).astype(np.uint8)


def paint_glass(height: int, width: int, colour: Colour = GLASS, noise: float = 0.5) -> np.ndarray:
    """Bare glass, uint8 [h, w, 3]."""
    grain = np.random.default_rng(1).normal(0, noise, (height, width, 1))
    return np.clip(np.asarray(colour) + grain, 0, 255).astype(np.uint8)


def draw_disc(height: int, width: int, centre: tuple[int, int], radius: int) -> np.ndarray:
    """A disc, bool [h, w]; centre as x, y."""
    return cv2.circle(np.zeros((height, width), np.uint8), centre, radius, 1, -1).astype(bool)


def draw_line(height: int, width: int, points: list[tuple[int, int]], thickness: int) -> np.ndarray:
    """A stroke through points x, y, bool [h, w]."""
    return cv2.polylines(np.zeros((height, width), np.uint8), [np.array(points)], False, 1, thickness).astype(bool)


def paint_section(
    truth: np.ndarray, glass: Colour = GLASS, colour: Colour = STAIN, noise: float = 0.5, spread: float = 18
) -> np.ndarray:
    """Tissue where `truth` is, glass elsewhere."""
    height, width = truth.shape
    return np.where(
        truth[..., None], paint_tissue(height, width, colour, spread), paint_glass(height, width, glass, noise)
    )


def compress(picture: np.ndarray, quality: int) -> np.ndarray:
    """The picture after JPEG."""
    coded = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.ascontiguousarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1])


def compare(mask: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union."""
    return float((mask & truth).sum() / max(1, (mask | truth).sum()))
