"""Slides made for these tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import tifffile

Picture = np.ndarray


def smooth_noise(width: int, height: int, seed: int = 0, patch_px: int = 8) -> Picture:
    """A colourful picture in which every place looks different; colours change over `patch_px`."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (height // patch_px + 2, width // patch_px + 2, 3), dtype=np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def write_tiff(
    path: Path,
    levels: Sequence[Picture],
    tile_px: int = 128,
    compression: str = "jpeg",
    stored_as: str = "rgb",
    description: str | None = None,
) -> Path:
    """A TIFF of one tiled page per level; JPEG is stored as `rgb` or `ycbcr`."""
    with tifffile.TiffWriter(path) as tiff:
        for number, level in enumerate(levels):
            tiff.write(
                level,
                tile=(tile_px, tile_px),
                photometric="rgb",
                compression=compression,
                compressionargs={"level": 90, "outcolorspace": stored_as} if compression == "jpeg" else None,
                subfiletype=int(number > 0),
                metadata=None,
                description=description if number == 0 else None,
            )
    return path


def halves(picture: Picture, *steps: int) -> list[Picture]:
    """The picture and smaller ones, by these steps one after the other, odd rows and columns dropped as scanners do."""
    levels = [picture]
    for step in steps:
        height, width = (length // step for length in levels[-1].shape[:2])
        cut = levels[-1][: height * step, : width * step]
        levels.append(cv2.resize(cut, (width, height), interpolation=cv2.INTER_AREA))
    return levels
