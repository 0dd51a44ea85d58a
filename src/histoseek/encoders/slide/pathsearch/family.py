"""PathSearch slide encoders: their sizes, and how they are built; no torch needed to read a card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from histoseek.encoders.slide.base import VISUAL, Architecture, Shapes, SlideEncoder, SlideModel
from histoseek.errors import ConfigurationError

if TYPE_CHECKING:
    from histoseek.encoders.slide.pathsearch.network import PathSearchNetwork

NAME = "pathsearch"

Mode = Literal["reference", "masked"]
"""`reference`: padded as the published weights expect; `masked`: padding left out, tiles on their real grid."""


@dataclass(frozen=True, slots=True)
class PathSearchArchitecture:
    """Sizes of the network (PathSearch, arXiv 2510.23224, as stated in its published checkpoint).

    Landmarks of the Nystrom attention are dimension / 2, heads have dimension / heads values each.
    """

    family: ClassVar[str] = NAME

    input_dimension: int = 768
    dimension: int = 768
    mosaic_size: int = 16
    heads: int = 8
    gate_dimension: int = 128

    def __post_init__(self) -> None:
        if min(self.input_dimension, self.dimension, self.mosaic_size, self.heads, self.gate_dimension) < 1:
            raise ConfigurationError("architecture", "sizes must be positive", "Give sizes of at least 1")
        if self.dimension % self.heads or self.dimension % 2:
            what = f"dimension {self.dimension} does not divide by 2 and by {self.heads} heads"
            raise ConfigurationError("architecture", what, "Choose another --dimension")
        if self.mosaic_size > 16:
            raise ConfigurationError("architecture", f"{self.mosaic_size} mosaic vectors", "At most 16 are supported")

    @property
    def landmarks(self) -> int:
        """Landmarks of the Nystrom attention."""
        return self.dimension // 2


class PathSearchFamily:
    """Slide encoders with PathSearch's network."""

    name = NAME
    modes: tuple[Mode, ...] = get_args(Mode)

    def encoder_name(self, mode: str) -> str:
        """Name, version, mode."""
        return f"pathsearch-1-{mode}"

    def parse(self, sizes: Mapping[str, Any]) -> PathSearchArchitecture:
        """The architecture from the sizes on a card."""
        return PathSearchArchitecture(**sizes)

    def infer(self, shapes: Shapes) -> PathSearchArchitecture:
        """The sizes from the shapes of a published checkpoint's slide encoder."""
        try:
            dimension, input_dimension = shapes["proj.0.weight"]
            heads = shapes["trans_layer1.attn.res_conv.weight"][0]
            gate = shapes["abmil.attention_2.attention_V.0.weight"][0]
        except KeyError as error:
            raise ValueError(f"no PathSearch checkpoint (no {VISUAL}{error.args[0]})") from error
        except (ValueError, IndexError) as error:
            raise ValueError("no PathSearch checkpoint (tensors of other shapes)") from error
        heads_of_mosaic = {name.split(".")[2] for name in shapes if name.startswith("abmil.attention.")}
        return PathSearchArchitecture(input_dimension, dimension, len(heads_of_mosaic), heads, gate)

    def design(self, sizes: Mapping[str, int]) -> PathSearchArchitecture:
        """The architecture of a new training, which sets every size."""
        return PathSearchArchitecture(**{field.name: sizes[field.name] for field in fields(PathSearchArchitecture)})

    def network(self, architecture: Architecture) -> PathSearchNetwork:
        """A new network, the heads of its mosaic set apart."""
        from histoseek.encoders.slide.pathsearch.network import new_network

        return new_network(_require_own(architecture))

    def build(self, model: SlideModel) -> SlideEncoder:
        """The encoder of a weights file."""
        from histoseek.encoders.slide.pathsearch.encoder import build_encoder

        return build_encoder(model, _require_own(model.architecture), self.encoder_name(model.mode))


def _require_own(architecture: Architecture) -> PathSearchArchitecture:
    if not isinstance(architecture, PathSearchArchitecture):
        raise TypeError(f"{architecture} is not a PathSearch architecture")
    return architecture
