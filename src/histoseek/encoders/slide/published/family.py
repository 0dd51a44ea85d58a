"""Families of published slide encoders: one class, as they differ in sizes, names and network alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from histoseek.encoders.slide.base import Architecture, Shapes, SlideEncoder, SlideModel
from histoseek.encoders.slide.published import layouts
from histoseek.encoders.slide.published.layouts import Layout
from histoseek.encoders.slide.published.sizes import (
    ChiefSizes,
    FeatherSizes,
    GigaPathSizes,
    MadeleineSizes,
    MoozySizes,
    PrismSizes,
    PublishedSizes,
    TangleSizes,
    TitanSizes,
)
from histoseek.errors import ConfigurationError

if TYPE_CHECKING:
    from histoseek.encoders.slide.published.tiles import SlideNetwork


@dataclass(frozen=True, slots=True)
class PublishedFamily:
    """Slide encoders of one publication; modes: the vectors that are in use of it, the usual first; needs_places:
    whether it must know where the tiles lie."""

    sizes: type[PublishedSizes]
    title: str
    layout: Layout
    modes: tuple[str, ...]
    needs_places: bool = False

    @property
    def name(self) -> str:
        """As weights cards state it."""
        return self.sizes.family

    def encoder_name(self, mode: str) -> str:
        """Name, version, mode."""
        return f"{self.name}-1-{mode}"

    def parse(self, sizes: Mapping[str, Any]) -> PublishedSizes:
        """The architecture from the sizes on a card."""
        return self.sizes(**sizes)

    def infer(self, shapes: Shapes) -> PublishedSizes:
        """The sizes from the shapes of a file's slide encoder."""
        try:
            return self.sizes.infer(shapes)
        except (KeyError, ValueError, IndexError, ConfigurationError) as error:
            missing = f"no {error.args[0]}" if isinstance(error, KeyError) else "tensors of other shapes"
            raise ValueError(f"no {self.title} checkpoint ({missing})") from error

    def design(self, sizes: Mapping[str, int]) -> PublishedSizes:
        """Nobody trains one here: raises ConfigurationError."""
        raise ConfigurationError(f"slide encoder {self.name}", "is not trained here", "Import what was published")

    def network(self, architecture: Architecture) -> SlideNetwork:
        """A network with random weights, whose tensors have the published names."""
        from histoseek.encoders.slide.published.networks import make_network

        return make_network(architecture)

    def build(self, model: SlideModel) -> SlideEncoder:
        """The encoder of a weights file."""
        from histoseek.encoders.slide.published.encoder import PublishedEncoder
        from histoseek.encoders.slide.trained import fill_network

        sizes = model.architecture
        network = fill_network(lambda: self.network(sizes), model)
        return PublishedEncoder(self.encoder_name(model.mode), model.mode, sizes, network, self.needs_places)


PUBLISHED = (
    PublishedFamily(TitanSizes, "TITAN", layouts.TITAN, ("slide", "projected"), needs_places=True),
    PublishedFamily(PrismSizes, "PRISM", layouts.PRISM, ("slide",)),
    PublishedFamily(GigaPathSizes, "GigaPath", layouts.GIGAPATH, ("mean", "mean-11", "cls"), needs_places=True),
    PublishedFamily(ChiefSizes, "CHIEF", layouts.CHIEF, ("slide",)),
    PublishedFamily(MadeleineSizes, "MADELEINE", layouts.MADELEINE, ("slide",)),
    PublishedFamily(FeatherSizes, "FEATHER", layouts.FEATHER, ("slide",)),
    PublishedFamily(TangleSizes, "TANGLE", layouts.TANGLE, ("slide",)),
    PublishedFamily(MoozySizes, "MOOZY", layouts.MOOZY, ("slide",), needs_places=True),
)
"""All of them."""


def find_published(names: Mapping[str, object]) -> PublishedFamily | None:
    """The family whose marks the names of a file's tensors have."""
    return next((family for family in PUBLISHED if family.layout.fits(names)), None)
