"""What published networks compute, written out plainly over the tensors of their files: to compare with, not to use."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.nn import functional as F

Tensors = dict[str, Any]


def dinov2(tensors: Tensors, images: Any, patch: int, heads: int) -> Any:
    """Normalised tokens [B, 1 + registers + patches, D] of DINOv2's network, from the tensors as DINOv2 names them."""
    tokens = F.conv2d(images, tensors["patch_embed.proj.weight"], tensors["patch_embed.proj.bias"], stride=patch)
    tokens = tokens.flatten(2).transpose(1, 2)
    first = tensors["cls_token"].expand(len(images), -1, -1)
    tokens = torch.cat((first, tokens), dim=1) + tensors["pos_embed"]
    if "register_tokens" in tensors:
        registers = tensors["register_tokens"].expand(len(images), -1, -1)
        tokens = torch.cat((tokens[:, :1], registers, tokens[:, 1:]), dim=1)
    for block in _blocks(tensors):
        inner = attend(norm(tokens, block, "norm1"), block, heads)
        tokens = tokens + block["ls1.gamma"] * inner
        inner = norm(tokens, block, "norm2")
        if "mlp.w12.weight" in block:
            gate, value = linear(inner, block, "mlp.w12").chunk(2, dim=-1)
            inner = linear(F.silu(gate) * value, block, "mlp.w3")
        else:
            inner = linear(F.gelu(linear(inner, block, "mlp.fc1")), block, "mlp.fc2")
        tokens = tokens + block["ls2.gamma"] * inner
    return norm(tokens, tensors, "norm")


def attend(tokens: Any, block: Tensors, heads: int) -> Any:
    queries, keys, values = linear(tokens, block, "attn.qkv").chunk(3, dim=-1)
    queries, keys, values = (split(part, heads) for part in (queries, keys, values))
    weights = (queries @ keys.transpose(-2, -1) / math.sqrt(queries.shape[-1])).softmax(-1)
    return linear((weights @ values).transpose(1, 2).flatten(2), block, "attn.proj")


def split(vectors: Any, heads: int) -> Any:
    return vectors.reshape(*vectors.shape[:2], heads, -1).transpose(1, 2)


def linear(values: Any, tensors: Tensors, name: str) -> Any:
    return F.linear(values, tensors[f"{name}.weight"], tensors.get(f"{name}.bias"))


def norm(values: Any, tensors: Tensors, name: str, epsilon: float = 1e-6) -> Any:
    weight = tensors[f"{name}.weight"]
    return F.layer_norm(values, weight.shape, weight, tensors[f"{name}.bias"], epsilon)


def _blocks(tensors: Tensors) -> list[Tensors]:
    """The tensors of each block, which may lie in chunks that number them through."""
    blocks: dict[int, Tensors] = {}
    for name, tensor in tensors.items():
        if name.startswith("blocks."):
            parts = name.split(".")[1:]
            number, rest = (parts[1], parts[2:]) if parts[1].isdigit() else (parts[0], parts[1:])
            blocks.setdefault(int(number), {})[".".join(rest)] = tensor
    return [blocks[number] for number in sorted(blocks)]


def resample_as_dino(positions: Any, side: int) -> Any:
    """Positions [1, 1 + P, D] for `side` patches a side, by the rule of DINO's own code."""
    old = int(math.sqrt(positions.shape[1] - 1))
    grid = positions[:, 1:].reshape(1, old, old, -1).permute(0, 3, 1, 2)
    factor = (side + 0.1) / math.sqrt(positions.shape[1] - 1)
    grid = F.interpolate(grid, scale_factor=(factor, factor), mode="bicubic")
    return torch.cat((positions[:, :1], grid.permute(0, 2, 3, 1).reshape(1, side * side, -1)), dim=1)


def refine_as_mettle(tokens: Any, head: Tensors) -> Any:
    """Class tokens [B, D] through Mettle's head, atom by atom."""
    mixture = linear(F.gelu(linear(tokens, head, "mix.0")), head, "mix.2")
    refined = tokens + linear(F.gelu(linear(tokens, head, "shift.0")), head, "shift.2")
    for atom in range(mixture.shape[1]):
        refined = refined + mixture[:, atom : atom + 1] * (tokens @ head["P"][atom] @ head["Q"][atom].T)
    return refined


def pathfm(tensors: Tensors, images: Any, patch: int, heads: int) -> Any:
    """GenBio-PathFM's three class tokens, [B, 3 D]; rotations are computed in bfloat16."""
    found = []
    for colour in range(3):
        picture = images[:, colour : colour + 1]
        grid = F.conv2d(picture, tensors["patch_embed.proj.weight"], tensors["patch_embed.proj.bias"], stride=patch)
        sines, cosines = _rotations(tensors["rope_embed.periods"].bfloat16(), grid.shape[2])
        prefix = torch.cat((tensors["cls_token"], tensors["storage_tokens"]), dim=1).expand(len(images), -1, -1)
        tokens = torch.cat((prefix, grid.flatten(2).transpose(1, 2)), dim=1)
        for block in _blocks(tensors):
            queries, keys, values = linear(norm(tokens, block, "norm1"), block, "attn.qkv").chunk(3, dim=-1)
            queries, keys = (_turn(split(part, heads), sines, cosines) for part in (queries, keys))
            weights = (queries @ keys.transpose(-2, -1) / math.sqrt(queries.shape[-1])).softmax(-1)
            inner = linear((weights @ split(values, heads)).transpose(1, 2).flatten(2), block, "attn.proj")
            tokens = tokens + block["ls1.gamma"] * inner
            inner = norm(tokens, block, "norm2")
            inner = F.silu(linear(inner, block, "mlp.w1")) * linear(inner, block, "mlp.w2")
            tokens = tokens + block["ls2.gamma"] * linear(inner, block, "mlp.w3")
        found.append(norm(tokens, tensors, "norm")[:, 0])
    return torch.cat(found, dim=1)


def _rotations(periods: Any, side: int) -> tuple[Any, Any]:
    places = torch.arange(0.5, side, dtype=torch.bfloat16) / side
    places = 2.0 * torch.stack(torch.meshgrid(places, places, indexing="ij"), dim=-1).flatten(0, 1) - 1.0
    angles = (2 * math.pi * places[:, :, None] / periods[None, None, :]).flatten(1, 2).tile(2)
    return angles.sin(), angles.cos()


def _turn(vectors: Any, sines: Any, cosines: Any) -> Any:
    vectors = vectors.bfloat16()
    before = vectors.shape[2] - len(sines)
    first, second = vectors[:, :, before:].chunk(2, dim=-1)
    turned = vectors[:, :, before:] * cosines + torch.cat((-second, first), dim=-1) * sines
    return torch.cat((vectors[:, :, :before], turned), dim=2).float()
