"""The vision part of TITAN (Ding et al., Nature Medicine 2025): a transformer on the grid of tiles, then pooling.

The grid begins at the slide's first tile; features of tiles in one cell are summed, cells without any are left out.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from histoseek.encoders.slide.published.grid import (
    attend,
    fill_grid,
    find_slopes,
    join_heads,
    make_distance_bias,
    split_heads,
)
from histoseek.encoders.slide.published.sizes import TitanSizes
from histoseek.encoders.slide.published.tiles import SlideNetwork, Tiles

_EPS = 1e-6


class Attention(nn.Module):
    """The parameters of attention with one projection for queries, keys and values."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(dimension, 3 * dimension)
        self.proj = nn.Linear(dimension, dimension)


class Mlp(nn.Module):
    """Two layers with a GELU between."""

    def __init__(self, dimension: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dimension, hidden)
        self.fc2 = nn.Linear(hidden, dimension)

    def forward(self, rows: Tensor) -> Tensor:
        """Rows [N, D] to [N, D]."""
        out: Tensor = self.fc2(F.gelu(self.fc1(rows)))
        return out


class Block(nn.Module):
    """Attention and layers, each behind a norm and beside the identity."""

    def __init__(self, sizes: TitanSizes) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(sizes.dimension, eps=_EPS)
        self.attn = Attention(sizes.dimension)
        self.norm2 = nn.LayerNorm(sizes.dimension, eps=_EPS)
        self.mlp = Mlp(sizes.dimension, sizes.hidden)


class Blocks(nn.Module):
    """The blocks, as the published names have them."""

    def __init__(self, sizes: TitanSizes) -> None:
        super().__init__()
        self.modules_list = nn.ModuleList(Block(sizes) for _ in range(sizes.depth))


class Pooler(nn.Module):
    """Learned queries that attend to all tokens."""

    def __init__(self, dimension: int, heads: int, queries: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.randn(queries, dimension))
        self.attn = nn.MultiheadAttention(dimension, heads)
        self.ln_q = nn.LayerNorm(dimension)
        self.ln_k = nn.LayerNorm(dimension)

    def pool(self, tokens: Tensor) -> Tensor:
        """Tokens [N, D] to one row for each query."""
        keys = self.ln_k(tokens)
        out: Tensor = self.attn(self.ln_q(self.query), keys, keys, need_weights=False)[0]
        return out


class Titan(SlideNetwork):
    """TITAN's slide encoder."""

    def __init__(self, sizes: TitanSizes) -> None:
        super().__init__()
        self._heads = sizes.heads
        self.patch_embed = nn.Sequential(nn.Linear(sizes.input_dimension, sizes.dimension), nn.GELU())
        self.cls_token = nn.Parameter(torch.zeros(1, 1, sizes.dimension))
        self.blocks = Blocks(sizes)
        self.norm = nn.LayerNorm(sizes.dimension, eps=_EPS)
        self.attn_pool = Pooler(sizes.dimension, sizes.pool_heads, sizes.captions)
        self.attn_pool_contrastive = Pooler(sizes.dimension, sizes.pool_heads, 1)
        self.proj = nn.Parameter(torch.randn(sizes.dimension, sizes.dimension) * sizes.dimension**-0.5)

    def embed(self, tiles: Tiles, mode: str) -> Tensor:
        """slide: the vector that others' tools give; projected: in the space that it shares with texts."""
        vector = self.attn_pool_contrastive.pool(self._make_tokens(tiles))[0]
        return vector @ self.proj if mode == "projected" else vector

    def _make_tokens(self, tiles: Tiles) -> Tensor:
        corner = tiles.coords.amin(dim=0)
        cells, features = fill_grid(tiles.features, torch.div(tiles.coords - corner, tiles.edge, rounding_mode="floor"))
        there = (features != 0).any(dim=1)
        tokens = torch.cat([self.cls_token[0], self.patch_embed(features[there])])
        bias = make_distance_bias(cells[there].to(tokens.dtype), find_slopes(self._heads).to(tokens), free=1)
        for block in self.blocks.modules_list:
            assert isinstance(block, Block)
            parts = block.attn.qkv(block.norm1(tokens)).chunk(3, dim=1)
            query, key, value = (split_heads(part, self._heads) for part in parts)
            tokens = tokens + block.attn.proj(join_heads(attend(query, key, value, bias)))
            tokens = tokens + block.mlp(block.norm2(tokens))
        return self.norm(tokens)
