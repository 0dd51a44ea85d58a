"""From the tile that is cut from a slide to the pixels that a network takes: resized, then the middle of it.

Resizing is Pillow's, with its antialiasing, as torchvision's `Resize` does it with pictures: features are then those of
the published pipelines.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from histoseek.encoders.cards.card import Preparation


def prepare_pixels(pixels: NDArray[np.uint8], preparation: Preparation) -> NDArray[np.uint8]:
    """Tiles [B, tile_px, tile_px, 3] as the network takes them, [B, input_px, input_px, 3].

    Tiles that `prepare_ahead` has made pass as they are. Raises ValueError for tiles of a third edge.
    """
    edge = pixels.shape[1]
    if edge == preparation.input_px and not _is_hidden(preparation):
        return pixels
    if edge != preparation.tile_px:
        raise ValueError(f"tiles of {edge} px, wanted {preparation.tile_px} or {preparation.input_px}")
    if edge != preparation.resize_px:
        pixels = np.stack([_resize(tile, preparation) for tile in pixels])
    margin = round((preparation.resize_px - preparation.input_px) / 2)  # of halves the even one, as torchvision does
    inner = slice(margin, margin + preparation.input_px)
    return np.ascontiguousarray(pixels[:, inner, inner])


def prepare_ahead(pixels: NDArray[np.uint8], preparation: Preparation) -> NDArray[np.uint8]:
    """As `prepare_pixels`, for tiles that it will be given again; those whose edge would not show it stay as cut."""
    return pixels if _is_hidden(preparation) else prepare_pixels(pixels, preparation)


def _is_hidden(preparation: Preparation) -> bool:
    """Whether tiles have the network's edge before and after: 224 px enlarged to 248, of which the middle 224."""
    return preparation.tile_px == preparation.input_px != preparation.resize_px


def _resize(tile: NDArray[np.uint8], preparation: Preparation) -> NDArray[np.uint8]:
    from PIL import Image

    resampling = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
    size = (preparation.resize_px, preparation.resize_px)
    return np.asarray(Image.fromarray(tile).resize(size, resampling[preparation.interpolation]))
