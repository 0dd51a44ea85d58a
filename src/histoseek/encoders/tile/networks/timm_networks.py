"""Networks of timm: vision transformers, ResNets, Swin; pooled as their cards say."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from histoseek.encoders.cards.card import Argument, Network
from histoseek.encoders.devices import import_timm
from histoseek.encoders.tile.base import TileCard
from histoseek.encoders.tile.networks.base import NetworkKind, Tensors, fill_exactly, without_random_values
from histoseek.errors import EncoderError

if TYPE_CHECKING:
    from torch import Tensor, nn

_LAYER_ARGUMENTS = ("act_layer", "embed_layer", "mlp_layer", "norm_layer")
_THIRD_STAGE = 3
_STEM_STEPS = 2


def build(card: TileCard) -> nn.Module:
    """An empty network of timm, with the pooling of the card's variant behind it; raises MissingExtra, EncoderError."""
    network = build_network(card.name, card.network)
    import torch

    pooling, prefix = card.variant.pooling, card.network.prefix_tokens

    class Pooled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, images: Tensor) -> Tensor:
            return pool(self.network, images, pooling, prefix)

    return Pooled()


def build_network(name: str, network: Network) -> nn.Module:
    """An empty network of timm from its architecture and arguments; raises MissingExtra, EncoderError (`name`).

    It takes no memory until it is filled, unless it computes buffers that no file holds, as Swin does.
    """
    timm = import_timm()
    import torch

    arguments = {argument: _resolve(name, argument, value) for argument, value in network.arguments}
    try:
        with torch.device("meta"):
            built: nn.Module = timm.create_model(network.architecture, pretrained=False, **arguments)
        if {key for key, _ in built.named_buffers()} - set(built.state_dict()):
            with without_random_values():
                built = timm.create_model(network.architecture, pretrained=False, **arguments)
    except (AssertionError, RuntimeError, TypeError, ValueError) as error:
        what = f"timm builds no {network.architecture} from these arguments ({str(error).splitlines()[0]})"
        raise EncoderError(name, what, "See the card, or use another version of timm") from error
    return built


def pool(network: Any, images: Tensor, pooling: str, prefix_tokens: int) -> Tensor:
    """One vector [B, D] for each of normalised images [B, 3, S, S]."""
    import torch

    if pooling == "pooled":
        pooled: Tensor = network(images)
        return pooled
    if pooling == "stage3":
        stage: Tensor = network.forward_intermediates(images, indices=[_THIRD_STAGE], intermediates_only=True)[0]
        return stage.mean((2, 3))
    tokens: Tensor = network.forward_features(images)
    first, patches = tokens[:, 0], tokens[:, prefix_tokens:].mean(1)
    chosen = {"cls": (first,), "mean": (patches,), "cls+mean": (first, patches)}[pooling]
    return torch.cat(chosen, dim=-1)


def fill(module: nn.Module, tensors: Tensors) -> None:
    """Fill the network with a published file's tensors."""
    fill_exactly(module.network, tensors)


def _resolve(name: str, argument: str, value: Argument) -> object:
    """An argument for timm: layers are named in cards, and only those of a fixed table are known."""
    if argument not in _LAYER_ARGUMENTS:
        return value
    layers = _list_layers()
    if value not in layers:
        what = f"{argument} = {value!r} is no layer that is known here"
        raise EncoderError(name, what, f"Choose from: {', '.join(layers)}")
    return layers[str(value)]


def _list_layers() -> dict[str, Callable[..., nn.Module]]:
    import torch
    from timm.layers import SwiGLUPacked

    return {
        "SwiGLUPacked": SwiGLUPacked,
        "SiLU": torch.nn.SiLU,
        "LayerNorm eps=1e-12": partial(torch.nn.LayerNorm, eps=1e-12),
        "ConvStem": _make_conv_stem,
    }


def _make_conv_stem(
    img_size: int | tuple[int, int] = 224,
    patch_size: int = 4,
    in_chans: int = 3,
    embed_dim: int = 96,
    norm_layer: Callable[[int], nn.Module] | None = None,
    **_: object,
) -> nn.Module:
    """CTransPath's patches (Wang et al. 2022): two convolutions that halve the picture, then one point by point."""
    import torch

    class ConvStem(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            edges = (img_size, img_size) if isinstance(img_size, int) else img_size
            self.grid_size = (edges[0] // patch_size, edges[1] // patch_size)
            self.num_patches = self.grid_size[0] * self.grid_size[1]
            layers: list[nn.Module] = []
            before, after = in_chans, embed_dim // 8
            for _step in range(_STEM_STEPS):
                layers += [
                    torch.nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False),
                    torch.nn.BatchNorm2d(after),
                    torch.nn.ReLU(),
                ]
                before, after = after, 2 * after
            self.proj = torch.nn.Sequential(*layers, torch.nn.Conv2d(before, embed_dim, 1))
            self.norm = norm_layer(embed_dim) if norm_layer else torch.nn.Identity()

        def forward(self, images: Tensor) -> Tensor:
            patches: Tensor = self.norm(self.proj(images).permute(0, 2, 3, 1))
            return patches

    return ConvStem()


KIND = NetworkKind(build, fill)
