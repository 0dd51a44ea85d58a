"""Networks of timm with layers of the authors' own behind them: Mettle and iSight."""

from __future__ import annotations

from typing import TYPE_CHECKING

from histoseek.encoders.cards.card import Network
from histoseek.encoders.tile.base import TileCard
from histoseek.encoders.tile.networks.base import NetworkKind, Tensors, fill_exactly
from histoseek.encoders.tile.networks.timm_networks import build_network

if TYPE_CHECKING:
    from torch import Tensor, nn

_METTLE_BACKBONE = "vit_giant_patch14_reg4_dinov2"
_METTLE_ATOMS, _METTLE_RANK, _METTLE_HIDDEN = 16, 8, 256
"""As its configuration states them (slide2vec, encoders/models/mettle.py)."""

_ISIGHT_BACKBONE = "vit_large_patch14_clip_quickgelu_336"
_ISIGHT_TAIL = "visual_token_projection."


def _build_mettle(card: TileCard) -> nn.Module:
    """H-optimus-0's network; its class token is refined by what it holds itself, the patches' mean is not."""
    backbone = build_network(card.name, Network("timm", _METTLE_BACKBONE, card.network.arguments))
    import torch

    pooling, prefix = card.variant.pooling, card.network.prefix_tokens
    dimension = card.dimension // (2 if pooling == "cls+mean" else 1)

    class Mettle(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.backbone = backbone
            self.head = _make_refinement(dimension)

        def forward(self, images: Tensor) -> Tensor:
            tokens: Tensor = self.backbone.forward_features(images)
            first: Tensor = self.head(tokens[:, 0].float())
            if pooling == "cls":
                return first
            return torch.cat((first, tokens[:, prefix:].float().mean(1)), dim=-1)

    return Mettle()


def _make_refinement(dimension: int) -> nn.Module:
    """e + shift(e) + sum over atoms k of mix(e)_k Q_k P_k^T e, for class tokens e [B, D]."""
    import torch

    def make_perceptron(outputs: int) -> nn.Module:
        hidden = torch.nn.Linear(dimension, _METTLE_HIDDEN)
        return torch.nn.Sequential(hidden, torch.nn.GELU(), torch.nn.Linear(_METTLE_HIDDEN, outputs))

    class Refinement(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.P = torch.nn.Parameter(torch.zeros(_METTLE_ATOMS, dimension, _METTLE_RANK))
            self.Q = torch.nn.Parameter(torch.zeros(_METTLE_ATOMS, dimension, _METTLE_RANK))
            self.mix = make_perceptron(_METTLE_ATOMS)
            self.shift = make_perceptron(dimension)

        def forward(self, tokens: Tensor) -> Tensor:
            inner = torch.einsum("bd,kdr->bkr", tokens, self.P) * self.mix(tokens).unsqueeze(-1)
            refined: Tensor = tokens + torch.einsum("bkr,kdr->bd", inner, self.Q) + self.shift(tokens)
            return refined

    return Refinement()


def _build_isight(card: TileCard) -> nn.Module:
    """CLIP's ViT-L/14 for 336 px without its last normalisation, then a layer on all tokens, and their mean."""
    arguments = (*card.network.arguments, ("final_norm", False))
    network = build_network(card.name, Network("timm", _ISIGHT_BACKBONE, arguments))
    import torch

    pooling, dimension = card.variant.pooling, card.dimension

    class ISight(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network
            self.visual_token_projection = torch.nn.Linear(dimension, dimension)

        def forward(self, images: Tensor) -> Tensor:
            tokens: Tensor = self.visual_token_projection(self.network.forward_features(images))
            return tokens[:, 0] if pooling == "cls" else tokens.mean(1)

    return ISight()


def _fill_isight(module: nn.Module, tensors: Tensors) -> None:
    fill_exactly(
        module, {name if name.startswith(_ISIGHT_TAIL) else f"network.{name}": t for name, t in tensors.items()}
    )


METTLE = NetworkKind(_build_mettle, fill_exactly)
ISIGHT = NetworkKind(_build_isight, _fill_isight)
