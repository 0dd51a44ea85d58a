"""The slide part of PRISM (Shaikovski et al., arXiv 2405.10254): latents that attend to all tiles, round after round.

Every round is attention to the tiles and then some layers between the latents; rounds share their weights, but for the
first attention to the tiles. Its text decoder is not needed for a slide's vector.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from histoseek.encoders.slide.published.sizes import PrismSizes
from histoseek.encoders.slide.published.tiles import SlideNetwork, Tiles


class CrossAttention(nn.Module):
    """Attention of latents to tiles, in one head; tiles have no norm."""

    def __init__(self, sizes: PrismSizes) -> None:
        super().__init__()
        width = sizes.dimension
        self.x_norm = nn.LayerNorm(width)
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_kv = nn.Linear(sizes.input_dimension, 2 * width, bias=False)
        self.to_out = nn.Linear(width, width, bias=False)


class SelfAttention(nn.Module):
    """Attention between latents behind a norm."""

    def __init__(self, sizes: PrismSizes) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(sizes.dimension)
        self.mha = nn.MultiheadAttention(sizes.dimension, sizes.heads, bias=False)


class FeedForward(nn.Module):
    """Two layers with a gate of GELU (GEGLU) between, behind a norm."""

    def __init__(self, sizes: PrismSizes) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(sizes.dimension)
        first, last = nn.Linear(sizes.dimension, 2 * sizes.hidden), nn.Linear(sizes.hidden, sizes.dimension)
        self.net = nn.Sequential(first, nn.Identity(), last)

    def forward(self, rows: Tensor) -> Tensor:
        """Rows [N, D] to [N, D]."""
        values, gates = self.net[0](self.norm(rows)).chunk(2, dim=1)
        out: Tensor = self.net[2](values * F.gelu(gates))
        return out


class Look(nn.Module):
    """A round's look at the tiles."""

    def __init__(self, sizes: PrismSizes) -> None:
        super().__init__()
        self.xattn = CrossAttention(sizes)
        self.ff = FeedForward(sizes)


class Exchange(nn.Module):
    """A layer between latents."""

    def __init__(self, sizes: PrismSizes) -> None:
        super().__init__()
        self.mhsa = SelfAttention(sizes)
        self.ff = FeedForward(sizes)


class Round(nn.Module):
    """The weights of a round that no earlier one has."""

    def __init__(self, sizes: PrismSizes, first: bool) -> None:
        super().__init__()
        self.xattn = Look(sizes)
        if first:
            self.tf = nn.ModuleList(Exchange(sizes) for _ in range(sizes.layers))


class Perceiver(nn.Module):
    """The latents and the rounds that differ."""

    def __init__(self, sizes: PrismSizes) -> None:
        super().__init__()
        self.latents = nn.Parameter(torch.randn(sizes.latents, sizes.dimension))
        self.layers = nn.ModuleList(Round(sizes, i == 0) for i in range(min(2, sizes.rounds)))


class Prism(SlideNetwork):
    """PRISM's slide encoder."""

    def __init__(self, sizes: PrismSizes) -> None:
        super().__init__()
        self._rounds = sizes.rounds
        self.perceiver = Perceiver(sizes)
        self.cls_norm = nn.LayerNorm(sizes.dimension)
        self.img_norm = nn.LayerNorm(sizes.dimension)

    def embed(self, tiles: Tiles, mode: str) -> Tensor:
        """The first latent behind its norm."""
        rounds = [each for each in self.perceiver.layers if isinstance(each, Round)]
        tiles_of = [each.xattn.xattn.to_kv(tiles.features).chunk(2, dim=1) for each in rounds]
        latents: Tensor = self.perceiver.latents
        for number in range(self._rounds):
            own = min(number, len(rounds) - 1)
            latents = _look(rounds[own].xattn, latents, *tiles_of[own])
            for layer in rounds[0].tf:
                assert isinstance(layer, Exchange)
                rows = layer.mhsa.norm(latents)
                latents = latents + layer.mhsa.mha(rows, rows, rows, need_weights=False)[0]
                latents = latents + layer.ff(latents)
        vector: Tensor = self.cls_norm(latents[0])
        return vector


def _look(look: Look, latents: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    query = look.xattn.to_q(look.xattn.x_norm(latents))
    seen = F.scaled_dot_product_attention(query[None], keys[None], values[None])[0]
    latents = latents + look.xattn.to_out(seen)
    changed: Tensor = look.ff(latents)
    return latents + changed
