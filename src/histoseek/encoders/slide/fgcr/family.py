"""The family of FGCR slide encoders: how they are told from others, and built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, get_args

from histoseek.encoders.slide.base import Architecture, Shapes, SlideEncoder, SlideModel
from histoseek.encoders.slide.fgcr.architecture import NAME, FgcrArchitecture, Mode

if TYPE_CHECKING:
    from histoseek.encoders.slide.fgcr.network import AnchoredNetwork


class FgcrFamily:
    """Slide encoders with FGCR's network."""

    name = NAME
    modes: tuple[Mode, ...] = get_args(Mode)

    def encoder_name(self, mode: str) -> str:
        """Name, version, mode."""
        return f"fgcr-1-{mode}"

    def parse(self, sizes: Mapping[str, Any]) -> FgcrArchitecture:
        """The architecture from the sizes on a card."""
        return FgcrArchitecture(**sizes)

    def infer(self, shapes: Shapes) -> FgcrArchitecture:
        """State dicts of the reference are told by their names (`reference_layout`): raises ValueError."""
        raise ValueError("no FGCR checkpoint")

    def design(self, sizes: Mapping[str, Any]) -> FgcrArchitecture:
        """The architecture of a new training: the usual sizes but for those that are set."""
        known = {field.name for field in fields(FgcrArchitecture)}
        return FgcrArchitecture(**{name: size for name, size in sizes.items() if name in known})

    def network(self, architecture: Architecture) -> AnchoredNetwork:
        """A new network of the mode `anchored`."""
        from histoseek.encoders.slide.fgcr.network import AnchoredNetwork

        return AnchoredNetwork(_require_own(architecture))

    def build(self, model: SlideModel) -> SlideEncoder:
        """The encoder of a weights file."""
        from histoseek.encoders.slide.fgcr.encoder import AnchoredEncoder
        from histoseek.encoders.slide.fgcr.network import AnchoredNetwork
        from histoseek.encoders.slide.fgcr.reference import ReferenceEncoder, ReferenceNetwork
        from histoseek.encoders.slide.trained import fill_network

        architecture, name = _require_own(model.architecture), self.encoder_name(model.mode)
        if model.mode == "reference":
            return ReferenceEncoder(name, fill_network(lambda: ReferenceNetwork(architecture), model))
        return AnchoredEncoder(name, fill_network(lambda: AnchoredNetwork(architecture), model))


def _require_own(architecture: Architecture) -> FgcrArchitecture:
    if not isinstance(architecture, FgcrArchitecture):
        raise TypeError(f"{architecture} is not an FGCR architecture")
    return architecture
