"""The slide encoder of Prov-GigaPath (Xu et al., Nature 2024): a LongNet, in exact dilated attention on any device.

LongNet (Ding et al., arXiv 2307.02486) attends within segments of growing length and to every second, fourth, ... tile
of them; what the dilations give is joined by the sums of their softmaxes. As in its published form, segments and
dilations are filled up with zeros, which count in those sums.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from histoseek.encoders.slide.published.sizes import GigaPathSizes
from histoseek.encoders.slide.published.tiles import SlideNetwork, Tiles

_GRID = 1000
"""Cells of an edge of the grid of positions."""

_DILATIONS = (1, 2, 4, 8, 16)
_SEGMENTS = tuple(int(2**power) for power in (10, 12.5, 15, 17.5, 20))
"""From 1,024 tiles to as many as the largest slide has, 2^20, in equal steps of the logarithm."""

_SCORES_AT_ONCE = 2**24
_NOWHERE = -1e8


class Attention(nn.Module):
    """The parameters of dilated attention, a norm before the last projection."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.k_proj, self.v_proj = nn.Linear(dimension, dimension), nn.Linear(dimension, dimension)
        self.q_proj, self.out_proj = nn.Linear(dimension, dimension), nn.Linear(dimension, dimension)
        self.inner_attn_ln = nn.LayerNorm(dimension)


class Layers(nn.Module):
    """Two layers with a GELU and a norm between."""

    def __init__(self, dimension: int, hidden: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(dimension, hidden), nn.Linear(hidden, dimension)
        self.ffn_layernorm = nn.LayerNorm(hidden)

    def forward(self, rows: Tensor) -> Tensor:
        """Rows [N, D] to [N, D]."""
        out: Tensor = self.fc2(self.ffn_layernorm(F.gelu(self.fc1(rows))))
        return out


class EncoderLayer(nn.Module):
    """Attention and layers, each behind a norm and beside the identity."""

    def __init__(self, sizes: GigaPathSizes) -> None:
        super().__init__()
        self.self_attn = Attention(sizes.dimension)
        self.self_attn_layer_norm = nn.LayerNorm(sizes.dimension)
        self.ffn = Layers(sizes.dimension, sizes.hidden)
        self.final_layer_norm = nn.LayerNorm(sizes.dimension)


class Encoder(nn.Module):
    """The layers, and the norm behind the last that only the class token's way goes through."""

    def __init__(self, sizes: GigaPathSizes) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(sizes) for _ in range(sizes.depth))
        self.layer_norm = nn.LayerNorm(sizes.dimension)


class Embedding(nn.Module):
    """The projection of tiles, as the published names have it."""

    def __init__(self, sizes: GigaPathSizes) -> None:
        super().__init__()
        self.proj = nn.Linear(sizes.input_dimension, sizes.dimension)


class GigaPath(SlideNetwork):
    """GigaPath's slide encoder."""

    def __init__(self, sizes: GigaPathSizes) -> None:
        super().__init__()
        self._heads = sizes.heads
        self.patch_embed = Embedding(sizes)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, sizes.dimension))
        self.encoder = Encoder(sizes)
        self.norm = nn.LayerNorm(sizes.dimension, eps=1e-6)

    def embed(self, tiles: Tiles, mode: str) -> Tensor:
        """mean: of the tiles behind the last layer, as the authors' pipeline gives it; mean-11: of those behind the
        last but one, as TRIDENT takes it; cls: the class token, which the authors say was not trained."""
        rows = self.patch_embed.proj(tiles.features)
        rows = torch.cat([self.cls_token[0], rows + find_positions(tiles.cells, rows.shape[1]).to(rows)])
        layers = self.encoder.layers[:-1] if mode == "mean-11" else self.encoder.layers
        for layer in layers:
            assert isinstance(layer, EncoderLayer)
            rows = rows + self._attend(layer.self_attn, layer.self_attn_layer_norm(rows))
            rows = rows + layer.ffn(layer.final_layer_norm(rows))
        pooled = self.encoder.layer_norm(rows[0]) if mode == "cls" else rows[1:].mean(dim=0)
        vector: Tensor = self.norm(pooled)
        return vector

    def _attend(self, attention: Attention, rows: Tensor) -> Tensor:
        query, key, value = (
            projection(rows).unflatten(1, (self._heads, -1)).transpose(0, 1)
            for projection in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        mixed = attend_dilated(query, key, value, _SEGMENTS, _DILATIONS)
        out: Tensor = attention.out_proj(attention.inner_attn_ln(mixed.transpose(0, 1).flatten(1)))
        return out


def find_positions(cells: Tensor, dimension: int) -> Tensor:
    """Sines and cosines of the cells' places, [N, D]: the first half of the columns by the row, the second by the
    column of the slide, over wavelengths from 2 pi to 10,000 times that."""
    places = cells[:, 0] * _GRID + cells[:, 1]
    axes = (places % _GRID, torch.div(places, _GRID, rounding_mode="floor"))
    quarter = dimension // 4
    rates = 10000.0 ** (-torch.arange(quarter, dtype=torch.float64, device=cells.device) / quarter)
    angles = [axis.double()[:, None] * rates for axis in axes]
    return torch.cat([part for angle in angles for part in (angle.sin(), angle.cos())], dim=1)


def attend_dilated(
    query: Tensor, key: Tensor, value: Tensor, segments: tuple[int, ...], dilations: tuple[int, ...]
) -> Tensor:
    """Dilated attention of all heads, [H, N, d] each, with a length of segments for each dilation."""
    parts = [_attend_once(query, key, value, *each) for each in zip(segments, dilations, strict=True)]
    sums = torch.stack([part[1] for part in parts])
    weights = sums.softmax(dim=0)
    return torch.stack([part[0] * weight[..., None] for part, weight in zip(parts, weights, strict=True)]).sum(dim=0)


def _attend_once(query: Tensor, key: Tensor, value: Tensor, segment: int, dilation: int) -> tuple[Tensor, Tensor]:
    """Mixed values [H, N, d], zero where a dilation leaves a row out, and the logarithms of sums [H, N]."""
    heads, count, width = query.shape
    segment = min(segment, count)
    runs, padded = math.ceil(count / segment), math.ceil(segment / dilation) * dilation
    mixed, sums = query.new_zeros(heads, runs, padded, width), query.new_full((heads, runs, padded), _NOWHERE)
    tall = (F.pad(rows, (0, 0, 0, runs * segment - count)) for rows in (query, key, value))
    cut = [F.pad(rows.unflatten(1, (runs, segment)), (0, 0, 0, padded - segment)) for rows in tall]
    share = math.ceil(heads / dilation)
    for phase in range(min(dilation, math.ceil(heads / share))):
        own = slice(phase * share, (phase + 1) * share)
        queries, keys, values = (rows[own, :, phase::dilation] for rows in cut)
        mixed[own, :, phase::dilation], sums[own, :, phase::dilation] = _attend_with_sums(queries, keys, values)
    return mixed.flatten(1, 2)[:, :count], sums.flatten(1, 2)[:, :count]


def _attend_with_sums(query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """Attention of [H, R, n, d], some queries at a time, and the logarithms of the softmaxes' sums [H, R, n]."""
    heads, runs, count, width = query.shape
    at_once = max(1, _SCORES_AT_ONCE // (heads * runs * count))
    mixed, sums = [], []
    for rows in query.split(at_once, dim=2):
        scores = rows @ key.transpose(2, 3) * width**-0.5
        sums.append(scores.logsumexp(dim=3))
        mixed.append(scores.softmax(dim=3) @ value)
    return torch.cat(mixed, dim=2), torch.cat(sums, dim=2)
