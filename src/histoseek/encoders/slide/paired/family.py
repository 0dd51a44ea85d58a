"""The family of two slide encoders side by side: made of weights of other families, never trained as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from histoseek.encoders.slide.base import (
    VISUAL,
    Architecture,
    Shapes,
    SlideEncoder,
    SlideEncoderFamily,
    SlideModel,
    Tensors,
)
from histoseek.encoders.slide.paired.architecture import NAME, PairedArchitecture, PairedPart
from histoseek.errors import ConfigurationError

if TYPE_CHECKING:
    from torch import nn

PREFIXES = ("first.", "second.")
"""What the names of both encoders' tensors begin with in a file of both."""

MODE = "weighted"
"""Cosines are the weighted means of both encoders' cosines."""


@dataclass(frozen=True, slots=True)
class PairedFamily:
    """Pairs of encoders of other families; find: gives the family of a name."""

    find: Callable[[str], SlideEncoderFamily]

    name: str = NAME
    modes: tuple[str, ...] = (MODE,)

    def encoder_name(self, mode: str) -> str:
        """Name, version, mode."""
        return f"{NAME}-1-{mode}"

    def parse(self, sizes: Mapping[str, Any]) -> PairedArchitecture:
        """The architecture from the sizes on a card, which state both encoders'."""
        return PairedArchitecture(self._parse_part(sizes["first"]), self._parse_part(sizes["second"]), sizes["share"])

    def infer(self, shapes: Shapes) -> PairedArchitecture:
        """No published checkpoint is a pair: raises ValueError."""
        raise ValueError("no pair of slide encoders")

    def design(self, sizes: Mapping[str, int]) -> PairedArchitecture:
        """Both are trained by themselves: raises ConfigurationError."""
        raise _refuse_training()

    def network(self, architecture: Architecture) -> nn.Module:
        """As `design`."""
        raise _refuse_training()

    def build(self, model: SlideModel) -> SlideEncoder:
        """The encoder of a file of both, whose tensors have the prefixes of both."""
        from histoseek.encoders.slide.paired.encoder import pair_encoders

        sizes = model.architecture
        if not isinstance(sizes, PairedArchitecture):
            raise TypeError(f"{sizes} is not an architecture of two")
        first, second = (
            self.find(part.family).build(
                SlideModel(model.name, part.architecture, part.mode, _select(model.tensors, prefix + VISUAL))
            )
            for part, prefix in zip((sizes.first, sizes.second), PREFIXES, strict=True)
        )
        return pair_encoders(self.encoder_name(model.mode), first, second, sizes)

    def _parse_part(self, stated: Mapping[str, Any]) -> PairedPart:
        name, mode = stated["family"], stated["mode"]
        family = self.find(name)
        if mode not in family.modes or name == NAME:
            raise ValueError(f"{name} in mode {mode} can't be one of two")
        return PairedPart(name, mode, family.parse(stated["architecture"]))


def _refuse_training() -> ConfigurationError:
    what = "is made of two trained encoders"
    return ConfigurationError(f"slide encoder {NAME}", what, "Train both, then run `histoseek weights pair`")


def _select(tensors: Tensors, prefix: str) -> Tensors:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
