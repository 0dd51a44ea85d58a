"""Transformers written out from matrix products, to check those that the package builds of library modules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

Tensors = Mapping[str, Tensor]


def linear(tensors: Tensors, name: str, values: Tensor) -> Tensor:
    product = values @ tensors[f"{name}.weight"].T
    return product + tensors[f"{name}.bias"] if f"{name}.bias" in tensors else product


def norm(tensors: Tensors, name: str, values: Tensor, eps: float = 1e-5) -> Tensor:
    centred = values - values.mean(-1, keepdim=True)
    scaled = centred / (centred.pow(2).mean(-1, keepdim=True) + eps).sqrt()
    return scaled * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]


def attend(queries: Tensor, keys: Tensor, values: Tensor, heads: int, seen: Tensor | None = None) -> Tensor:
    """Attention head by head of [B, Q, D] to [B, K, D]; seen: [B, Q, K], true where a query sees a key."""
    width = queries.shape[-1] // heads
    parts = []
    for head in range(heads):
        own = slice(head * width, (head + 1) * width)
        scores = queries[..., own] @ keys[..., own].transpose(1, 2) / width**0.5
        if seen is not None:
            scores = scores.masked_fill(~seen, -torch.inf)
        parts.append(scores.exp() / scores.exp().sum(-1, keepdim=True) @ values[..., own])
    return torch.cat(parts, dim=-1)


def attend_fused(tensors: Tensors, name: str, values: Tensor, heads: int, seen: Tensor | None = None) -> Tensor:
    """torch's MultiheadAttention of values to themselves."""
    mixed = values @ tensors[f"{name}.in_proj_weight"].T + tensors[f"{name}.in_proj_bias"]
    return linear(tensors, f"{name}.out_proj", attend(*mixed.chunk(3, dim=-1), heads, seen))


def embed_patches(tensors: Tensors, name: str, images: Tensor, patch: int) -> Tensor:
    """Patches, row by row, through a convolution's weights: [B, P, width]."""
    batch, channels, edge, _ = images.shape
    side = edge // patch
    cut = (
        images.reshape(batch, channels, side, patch, side, patch).permute(0, 2, 4, 1, 3, 5).reshape(batch, side**2, -1)
    )
    return cut @ tensors[f"{name}.weight"].flatten(1).T + tensors[f"{name}.bias"]


def encode_tokens(tensors: Tensors, images: Tensor, depth: int, heads: int, positions: Tensor | None = None) -> Tensor:
    """All tokens of timm's vision transformer with patches of 16 pixels, normalised: [B, 1 + P, width]."""
    tokens = embed_patches(tensors, "patch_embed.proj", images, 16)
    tokens = torch.cat([tensors["cls_token"].expand(len(images), -1, -1), tokens], dim=1)
    tokens = tokens + (tensors["pos_embed"] if positions is None else positions)
    for block in (f"blocks.{number}" for number in range(depth)):
        mixed = linear(tensors, f"{block}.attn.qkv", norm(tensors, f"{block}.norm1", tokens, 1e-6))
        attended = linear(tensors, f"{block}.attn.proj", attend(*mixed.chunk(3, dim=-1), heads))
        tokens = tokens + attended * tensors.get(f"{block}.ls1.gamma", torch.ones(1))
        inner = F.gelu(linear(tensors, f"{block}.mlp.fc1", norm(tensors, f"{block}.norm2", tokens, 1e-6)))
        tokens = tokens + linear(tensors, f"{block}.mlp.fc2", inner) * tensors.get(f"{block}.ls2.gamma", torch.ones(1))
    return norm(tensors, "norm", tokens, 1e-6)


def part(tensors: Tensors, prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
