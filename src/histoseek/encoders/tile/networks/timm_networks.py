"""Networks of timm: vision transformers, ResNets, Swin; pooled as their cards say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from histoseek.encoders.devices import import_timm
from histoseek.encoders.tile.base import TileCard
from histoseek.encoders.tile.networks.base import NetworkKind, Tensors, fill_exactly

if TYPE_CHECKING:
    from torch import Tensor, nn


def build(card: TileCard) -> nn.Module:
    """An empty network of timm, with the pooling of the card's variant behind it; raises MissingExtra."""
    timm = import_timm()
    import torch

    network = timm.create_model(card.network.architecture, pretrained=False, **dict(card.network.arguments))
    pooling, prefix = card.variant.pooling, card.network.prefix_tokens

    class Pooled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, images: Tensor) -> Tensor:
            if pooling == "pooled":
                pooled: Tensor = self.network(images)
                return pooled
            tokens = self.network.forward_features(images)
            first, patches = tokens[:, 0], tokens[:, prefix:].mean(1)
            chosen = {"cls": (first,), "mean": (patches,), "cls+mean": (first, patches)}[pooling]
            return torch.cat(chosen, dim=-1)

    return Pooled()


def fill(module: nn.Module, tensors: Tensors) -> None:
    """Fill the network with a published file's tensors."""
    fill_exactly(module.network, tensors)


KIND = NetworkKind(build, fill)
