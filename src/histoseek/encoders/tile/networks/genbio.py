"""GenBio-PathFM: a vision transformer of one colour, with rotary positions, that sees red, green and blue apart.

Layers, their names and the order of roundings follow the published description of its inference (TRIDENT,
patch_encoder_models/model_zoo/genbio_pathfm); the code is our own.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from histoseek.encoders.tile.base import TileCard
from histoseek.encoders.tile.networks.base import NetworkKind, fill_exactly

if TYPE_CHECKING:
    from torch import Tensor, nn

_STORAGE_TOKENS = 4
_HIDDEN_STEP = 64
_EPSILON = 1e-6


def build(card: TileCard) -> nn.Module:
    """An empty network that maps [B, 3, S, S] to the class tokens of the three colours, [B, 3 * width]."""
    import torch

    sizes = {name: int(value) for name, value in card.network.arguments if not isinstance(value, tuple)}
    width, heads, depth, patch_px = sizes["embed_dim"], sizes["num_heads"], sizes["depth"], sizes["patch_size"]

    class PathFM(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patch_embed = torch.nn.ModuleDict({"proj": torch.nn.Conv2d(1, width, patch_px, stride=patch_px)})
            self.cls_token = torch.nn.Parameter(torch.zeros(1, 1, width))
            self.storage_tokens = torch.nn.Parameter(torch.zeros(1, _STORAGE_TOKENS, width))
            self.rope_embed = _make_periods(width // heads)
            self.blocks = torch.nn.ModuleList(_make_block(width, heads) for _ in range(depth))
            self.norm = torch.nn.LayerNorm(width, eps=_EPSILON)

        def forward(self, images: Tensor) -> Tensor:
            pictures = images.reshape(-1, 1, *images.shape[2:])
            patches = self.patch_embed["proj"](pictures)
            angles = self.rope_embed(patches.shape[2], patches.shape[3])
            prefix = torch.cat((self.cls_token, self.storage_tokens), dim=1).expand(patches.shape[0], -1, -1)
            tokens = torch.cat((prefix, patches.flatten(2).transpose(1, 2)), dim=1)
            for block in self.blocks:
                tokens = block(tokens, angles)
            first: Tensor = self.norm(tokens)[:, 0]
            return first.reshape(-1, 3 * width)

    with torch.device("meta"):
        return PathFM()


def _round(values: Tensor) -> Tensor:
    """Values as bfloat16 holds them, in which the published network computes its rotations."""
    return values.bfloat16().float()


def _make_periods(head_width: int) -> nn.Module:
    import torch

    class Periods(torch.nn.Module):
        periods: Tensor

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("periods", torch.zeros(head_width // 4, dtype=torch.bfloat16))

        def forward(self, rows: int, columns: int) -> tuple[Tensor, Tensor]:
            """Sines and cosines [rows * columns, head width] of where each patch lies, in -1..1 down and across."""
            down = _round((torch.arange(rows) + 0.5) / rows)
            across = _round((torch.arange(columns) + 0.5) / columns)
            places = torch.stack(torch.meshgrid(down, across, indexing="ij"), dim=-1).flatten(0, 1)
            places = _round(_round(2 * places) - 1).to(self.periods.device)
            turns = _round(_round(2 * math.pi * places)[:, :, None] / self.periods.float())
            angles = turns.flatten(1).tile(2)
            return _round(torch.sin(angles)), _round(torch.cos(angles))

    return Periods()


def _make_block(width: int, heads: int) -> nn.Module:
    import torch

    class Scale(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gamma = torch.nn.Parameter(torch.zeros(width))

    class Block(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            hidden = -(-int(4 * width * 2 / 3) // _HIDDEN_STEP) * _HIDDEN_STEP
            self.norm1 = torch.nn.LayerNorm(width, eps=_EPSILON)
            self.norm2 = torch.nn.LayerNorm(width, eps=_EPSILON)
            projections = {"qkv": torch.nn.Linear(width, 3 * width, bias=False), "proj": torch.nn.Linear(width, width)}
            self.attn = torch.nn.ModuleDict(projections)
            gates = {name: torch.nn.Linear(width, hidden) for name in ("w1", "w2")}
            self.mlp = torch.nn.ModuleDict({**gates, "w3": torch.nn.Linear(hidden, width)})
            self.ls1, self.ls2 = Scale(), Scale()

        def forward(self, tokens: Tensor, angles: tuple[Tensor, Tensor]) -> Tensor:
            tokens = tokens + self.ls1.gamma * self._attend(self.norm1(tokens), angles)
            inner = self.norm2(tokens)
            gated = torch.nn.functional.silu(self.mlp["w1"](inner)) * self.mlp["w2"](inner)
            mixed: Tensor = tokens + self.ls2.gamma * self.mlp["w3"](gated)
            return mixed

        def _attend(self, tokens: Tensor, angles: tuple[Tensor, Tensor]) -> Tensor:
            shape = (*tokens.shape[:2], 3, heads, width // heads)
            queries, keys, values = self.attn["qkv"](tokens).reshape(shape).permute(2, 0, 3, 1, 4)
            queries, keys = _rotate(queries, angles), _rotate(keys, angles)
            heads_out = torch.nn.functional.scaled_dot_product_attention(queries, keys, values)
            attended: Tensor = self.attn["proj"](heads_out.transpose(1, 2).reshape(tokens.shape))
            return attended

    return Block()


def _rotate(vectors: Tensor, angles: tuple[Tensor, Tensor]) -> Tensor:
    """Vectors [B, heads, T, width] turned by the angles of the last P tokens; those before have no place."""
    import torch

    sines, cosines = angles
    before = vectors.shape[2] - sines.shape[0]
    rounded = _round(vectors.float())
    first, second = rounded[:, :, before:].chunk(2, dim=-1)
    turned = _round(torch.cat((-second, first), dim=-1) * sines)
    placed = _round(_round(rounded[:, :, before:] * cosines) + turned)
    return torch.cat((rounded[:, :, :before], placed), dim=2).to(vectors.dtype)


KIND = NetworkKind(build, fill_exactly)
