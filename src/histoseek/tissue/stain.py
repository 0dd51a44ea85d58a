"""What a slide is stained with, from the colours of its tissue at low magnification."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from histoseek.tissue.mask import TissueMask

Stain = Literal["H&E", "IHC", "special", "unknown"]
"""Haematoxylin and eosin; immunohistochemistry with a brown or red chromogen; blue, green or black special stains; what
the colours do not tell."""

_LEAST_DENSITY = 0.06
_FEWEST_PX = 30
"""Of fewer pixels of tissue nothing is said."""

_LEAST_GLASS = 0.01
_GLASS = 245.0
_LEAST_GLASS_LEVEL = 180

Doubles = NDArray[np.float64]


def detect_stain(tissue: TissueMask) -> Stain:
    """The stain of a slide's tissue, "unknown" where the evidence is thin.

    Optical densities over the glass (Ruifrok and Johnston 2001) are taken as shares of red, green and blue, which do
    not depend on how dense a stain is; what counts is how much of all density has which colour. Only tissue that is
    stained counts, not holes in it. Thresholds were set on real H&E of twelve data sets and on stains rendered from
    their textures (benchmarks/stains.py, docs/decisions/0058-stains.md).
    """
    density = _measure_densities(tissue)
    if len(density) < _FEWEST_PX:
        return "unknown"
    weights = density.sum(axis=1)
    red, green, blue = (density / weights[:, None]).T

    def share(chosen: NDArray[np.bool_]) -> float:
        return float((weights * chosen).sum() / weights.sum())

    spread = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    eosin = share((green >= 0.45) & (red < 0.30))
    purple = share((green >= 0.40) & (red >= 0.20) & (red < 0.36))
    counterstain = share((red >= 0.34) & (green < 0.46) & (spread >= 0.10))
    ochre, brown = share((blue >= 0.36) & (red >= 0.13)), share((blue >= 0.40) & (red >= 0.13))
    sky, green_blue = share(red >= 0.40), share(red >= 0.50)
    grey = share((spread < 0.10) & (weights > 1.05))
    if _is_immunostained(eosin, ochre, brown, counterstain, grey):
        return "IHC"
    if green_blue >= 0.08 or sky >= 0.60 or (sky >= 0.18 and eosin >= 0.25) or (grey >= 0.30 and eosin <= 0.10):
        return "special"
    is_two_toned = purple >= 0.20 and eosin >= 0.05
    return "H&E" if is_two_toned and brown < 0.10 and sky < 0.25 and counterstain < 0.35 else "unknown"


def _is_immunostained(eosin: float, ochre: float, brown: float, counterstain: float, grey: float) -> bool:
    """Brown, or much red beside blue nuclei, where nothing is pink: neither melanin nor blood in H&E."""
    if eosin > 0.03 or grey >= 0.25:
        return False
    is_counterstained = (brown >= 0.02 and counterstain >= 0.05) or (brown >= 0.005 and counterstain >= 0.50)
    return brown >= 0.50 or is_counterstained or (ochre >= 0.10 and counterstain >= 0.15)


def _measure_densities(tissue: TissueMask) -> Doubles:
    """Optical densities above the glass of stained pixels, float64 [P, 3]."""
    picture, covered = tissue.thumbnail, tissue.covered
    bare = picture[~tissue.mask & (picture.min(axis=2) >= _LEAST_GLASS_LEVEL)]
    glass = np.median(bare, axis=0) if len(bare) >= _LEAST_GLASS * covered.size else np.full(3, _GLASS)
    density = np.maximum(np.log(glass / np.maximum(picture[covered], 1.0)), 0.0)
    return np.asarray(density[density.mean(axis=1) > _LEAST_DENSITY], np.float64)
