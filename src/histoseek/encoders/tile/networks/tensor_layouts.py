"""From the tensors of a published file to those of a network of timm: other names, fused weights, other positions.

The names that transformers, DINOv2 and older releases of timm give to the same networks were read from their published
code; files keep the names of the release that wrote them, whatever the installed one calls them today.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from histoseek.encoders.cards.card import Naming, TensorLayout
from histoseek.encoders.tile.networks.base import Tensors

if TYPE_CHECKING:
    from torch import Tensor

_ADAPTED, _DOWN, _UP = ".base_layer.", ".lora_A.default.weight", ".lora_B.default.weight"
_CHUNKED = re.compile(r"blocks\.\d+\.(\d+\.)")
_DINO_OFFSET = 0.1
"""Patches that DINO adds to the wanted grid before it divides, so that rounding can't lose one."""

_DINOV2 = {r"\.mlp\.w12\.": ".mlp.fc1.", r"\.mlp\.w3\.": ".mlp.fc2.", r"^register_tokens$": "reg_token"}
_TRANSFORMERS = {
    r"^(?:vit\.|dinov2\.)?embeddings\.": "",
    r"^patch_embeddings\.projection\.": "patch_embed.proj.",
    r"^position_embeddings$": "pos_embed",
    r"^register_tokens$": "reg_token",
    r"^(?:vit\.|dinov2\.)?encoder\.layer\.": "blocks.",
    r"^(?:vit\.|dinov2\.)?layernorm\.": "norm.",
    r"\.attention\.attention\.(query|key|value)\.": r".attn.\1.",
    r"\.attention\.output\.dense\.": ".attn.proj.",
    r"\.layernorm_before\.": ".norm1.",
    r"\.layernorm_after\.": ".norm2.",
    r"\.intermediate\.dense\.": ".mlp.fc1.",
    r"\.mlp\.weights_in\.": ".mlp.fc1.",
    r"\.mlp\.weights_out\.": ".mlp.fc2.",
    r"^(blocks\.\d+)\.output\.dense\.": r"\1.mlp.fc2.",
    r"\.layer_scale([12])\.lambda1$": r".ls\1.gamma",
}
_CLIP = {
    r"^vision_model\.embeddings\.class_embedding$": "cls_token",
    r"^vision_model\.embeddings\.patch_embedding\.": "patch_embed.proj.",
    r"^vision_model\.embeddings\.position_embedding\.weight$": "pos_embed",
    r"^vision_model\.pre_layrnorm\.": "norm_pre.",
    r"^vision_model\.encoder\.layers\.": "blocks.",
    r"\.self_attn\.([qkv])_proj\.": r".attn.\1.",
    r"\.self_attn\.out_proj\.": ".attn.proj.",
    r"\.layer_norm([12])\.": r".norm\1.",
}


def arrange_tensors(tensors: Tensors, layout: TensorLayout, input_px: int) -> dict[str, Tensor]:
    """The tensors of a file as the network has them; raises ValueError where they can't be those of the layout."""
    arranged = {_strip(name, layout.prefixes): tensor for name, tensor in tensors.items()}
    arranged = {name: tensor for name, tensor in arranged.items() if _belongs(name, layout)}
    if layout.adapter_scale:
        arranged = _merge_adapters(arranged, layout.adapter_scale)
    if layout.naming:
        arranged = _NAMINGS[layout.naming](arranged)
    if layout.positions and "pos_embed" in arranged:
        arranged["pos_embed"] = _resample(arranged["pos_embed"], layout, input_px)
    return arranged


def _belongs(name: str, layout: TensorLayout) -> bool:
    return (not layout.kept or name.startswith(layout.kept)) and not name.startswith(layout.left_out)


def _strip(name: str, prefixes: tuple[str, ...]) -> str:
    for prefix in prefixes:
        name = name.removeprefix(prefix)
    return name


def _merge_adapters(tensors: dict[str, Tensor], scale: float) -> dict[str, Tensor]:
    """Weights with their LoRA adapters added, W + scale * B A (Hu et al. 2021), under the names that they had."""
    merged = {}
    for name, tensor in tensors.items():
        layer, adapted, kind = name.partition(_ADAPTED)
        if adapted and kind == "weight":
            product = _need(tensors, layer + _UP) @ _need(tensors, layer + _DOWN)
            merged[f"{layer}.{kind}"] = tensor + scale * product
        elif not name.endswith((_DOWN, _UP)):
            merged[f"{layer}.{kind}" if adapted else name] = tensor
    return merged


def _need(tensors: Tensors, name: str) -> Tensor:
    if name not in tensors:
        raise ValueError(f"no {name}")
    return tensors[name]


def _rename(tensors: Tensors, patterns: dict[str, str]) -> dict[str, Tensor]:
    return {_substitute(name, patterns): tensor for name, tensor in tensors.items()}


def _substitute(name: str, patterns: dict[str, str]) -> str:
    for pattern, wanted in patterns.items():
        name = re.sub(pattern, wanted, name)
    return name


def _fuse(tensors: dict[str, Tensor], parts: tuple[str, str, str]) -> dict[str, Tensor]:
    """Attention's three projections, one below the other, where a file has them apart."""
    import torch

    first, others = f".attn.{parts[0]}.", tuple(f".attn.{part}." for part in parts[1:])
    fused = {}
    for name, tensor in tensors.items():
        if first in name:
            rest = [_need(tensors, name.replace(first, other)) for other in others]
            fused[name.replace(first, ".attn.qkv.")] = torch.cat([tensor, *rest])
        elif not any(other in name for other in others):
            fused[name] = tensor
    return fused


def _place_registers(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """With registers timm has positions for patches alone: the class token's is part of that token."""
    if "reg_token" in tensors:
        positions = _need(tensors, "pos_embed")
        tensors["cls_token"] = _need(tensors, "cls_token") + positions[:, :1]
        tensors["pos_embed"] = positions[:, 1:]
    return tensors


def _from_dinov2(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    flat = {_CHUNKED.sub(r"blocks.\1", name): tensor for name, tensor in tensors.items()}
    if len(flat) != len(tensors):
        raise ValueError("two of its blocks have the same number")
    return _place_registers(_rename(flat, _DINOV2))


def _from_transformers(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return _place_registers(_fuse(_rename(tensors, _TRANSFORMERS), ("query", "key", "value")))


def _from_clip(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    renamed = _fuse(_rename(tensors, _CLIP), ("q", "k", "v"))
    for name in ("cls_token", "pos_embed"):
        if name in renamed:
            renamed[name] = renamed[name].reshape(1, -1, renamed[name].shape[-1])
    return renamed


def _from_swin(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Swin's first code and timm before 0.8 merge patches at the end of a stage, which today begins the next one."""
    kept = {name: t for name, t in tensors.items() if not name.endswith(("relative_position_index", "attn_mask"))}
    if not any(name.startswith("layers.0.downsample.") for name in kept):
        return kept
    moved = re.compile(r"^layers\.(\d+)\.downsample\.")
    return {moved.sub(lambda match: f"layers.{int(match[1]) + 1}.downsample.", name): t for name, t in kept.items()}


_NAMINGS: dict[Naming, Callable[[dict[str, Tensor]], dict[str, Tensor]]] = {
    "dinov2": _from_dinov2,
    "transformers": _from_transformers,
    "clip": _from_clip,
    "swin": _from_swin,
}


def _resample(positions: Tensor, layout: TensorLayout, input_px: int) -> Tensor:
    """Position embeddings [1, P, D] for pictures of `input_px`, what stands before the grid as it is."""
    import torch
    from torch.nn.functional import interpolate

    side = int(positions.shape[1] ** 0.5)
    before = positions.shape[1] - side**2
    wanted = side * input_px // layout.positions_px
    if wanted == side:
        return positions
    grid = positions[:, before:].float().reshape(1, side, side, -1).permute(0, 3, 1, 2)
    if layout.positions == "dino":
        grid = interpolate(grid, scale_factor=(wanted + _DINO_OFFSET) / side, mode="bicubic")
    else:
        antialias = layout.positions == "timm"
        grid = interpolate(grid, size=(wanted, wanted), mode="bicubic", align_corners=False, antialias=antialias)
    resampled = grid.permute(0, 2, 3, 1).reshape(1, wanted**2, -1).to(positions.dtype)
    return torch.cat([positions[:, :before], resampled], dim=1)
