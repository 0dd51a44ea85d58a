"""Which network the sizes of a published slide encoder are of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from histoseek.encoders.slide.base import Architecture
from histoseek.encoders.slide.published import sizes
from histoseek.encoders.slide.published.gated import Chief, Feather, Madeleine, Tangle
from histoseek.encoders.slide.published.gigapath import GigaPath
from histoseek.encoders.slide.published.moozy import Moozy
from histoseek.encoders.slide.published.prism import Prism
from histoseek.encoders.slide.published.tiles import SlideNetwork
from histoseek.encoders.slide.published.titan import Titan

_NETWORKS: Mapping[type, Callable[[Any], SlideNetwork]] = {
    sizes.ChiefSizes: Chief,
    sizes.FeatherSizes: Feather,
    sizes.MadeleineSizes: Madeleine,
    sizes.TangleSizes: Tangle,
    sizes.TitanSizes: Titan,
    sizes.MoozySizes: Moozy,
    sizes.GigaPathSizes: GigaPath,
    sizes.PrismSizes: Prism,
}


def make_network(architecture: Architecture) -> SlideNetwork:
    """A network of these sizes with random weights."""
    return _NETWORKS[type(architecture)](architecture)
