"""The family of PathSearch slide encoders: how they are told from others, and built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, get_args

from histoseek.encoders.slide.base import VISUAL, Architecture, Shapes, SlideEncoder, SlideModel
from histoseek.encoders.slide.pathsearch.architecture import NAME, Mode, PathSearchArchitecture

if TYPE_CHECKING:
    from histoseek.encoders.slide.pathsearch.network import PathSearchNetwork


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
        from histoseek.encoders.slide.pathsearch.encoder import PathSearchEncoder
        from histoseek.encoders.slide.pathsearch.network import PathSearchNetwork
        from histoseek.encoders.slide.trained import fill_network

        architecture = _require_own(model.architecture)
        network = fill_network(lambda: PathSearchNetwork(architecture), model)
        return PathSearchEncoder(self.encoder_name(model.mode), model.mode, network)


def _require_own(architecture: Architecture) -> PathSearchArchitecture:
    if not isinstance(architecture, PathSearchArchitecture):
        raise TypeError(f"{architecture} is not a PathSearch architecture")
    return architecture
