"""The slide encoder of MOOZY (arXiv 2603.27048): a transformer whose heads see near tiles better than far ones.

Tiles lie on the grid of the slide's first one; of several in one cell the last counts. Its case transformer, which
joins the slides of a patient, is not part of a slide's vector.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from histoseek.encoders.slide.published.grid import attend, find_slopes, join_heads, make_distance_bias, split_heads
from histoseek.encoders.slide.published.sizes import MoozySizes
from histoseek.encoders.slide.published.tiles import SlideNetwork, Tiles


class Scale(nn.Module):
    """A factor for each column."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(dimension))

    def forward(self, rows: Tensor) -> Tensor:
        """Rows [N, D] times the factors."""
        return rows * self.gamma


class Block(nn.Module):
    """Attention and layers, each behind a norm and beside the identity."""

    def __init__(self, sizes: MoozySizes) -> None:
        super().__init__()
        width, head = sizes.dimension, sizes.dimension // sizes.heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.q_proj, self.k_proj = nn.Linear(width, width), nn.Linear(width, width)
        self.v_proj, self.out_proj = nn.Linear(width, width), nn.Linear(width, width)
        self.q_norm, self.k_norm = (nn.LayerNorm(head) if sizes.query_norms else nn.Identity() for _ in range(2))
        self.fc1, self.fc2 = nn.Linear(width, sizes.hidden), nn.Linear(sizes.hidden, width)
        self.ls_attn, self.ls_mlp = (Scale(width) if sizes.layer_scales else nn.Identity() for _ in range(2))


class Slopes(nn.Module):
    """What is added to a head's scores for each unit of distance: negative numbers, [H, 1]."""

    slopes: Tensor

    def __init__(self, heads: int) -> None:
        super().__init__()
        self.register_buffer("slopes", -find_slopes(heads)[:, None])


class Moozy(SlideNetwork):
    """MOOZY's slide encoder."""

    def __init__(self, sizes: MoozySizes) -> None:
        super().__init__()
        self._heads, self._free = sizes.heads, 1 + sizes.registers
        self.input_proj = nn.Sequential(nn.Linear(sizes.input_dimension, sizes.dimension), nn.GELU())
        self.cls_token = nn.Parameter(torch.zeros(1, 1, sizes.dimension))
        self.register_tokens = (
            nn.Parameter(torch.zeros(1, sizes.registers, sizes.dimension)) if sizes.registers else None
        )
        self.mask_token = nn.Parameter(torch.zeros(1, 1, sizes.dimension))
        self.pos_bias = Slopes(sizes.heads)
        self.blocks = nn.ModuleList(Block(sizes) for _ in range(sizes.depth))
        self.norm = nn.LayerNorm(sizes.dimension)

    def embed(self, tiles: Tiles, mode: str) -> Tensor:
        """The class token behind the last norm."""
        cells, features = _place(tiles)
        registers = [self.register_tokens[0]] if self.register_tokens is not None else []
        tokens = torch.cat([self.cls_token[0], *registers, self.input_proj(features)])
        bias = make_distance_bias(cells.to(tokens.dtype), -self.pos_bias.slopes[:, 0], self._free)
        for block in self.blocks:
            assert isinstance(block, Block)
            tokens = self._pass(block, tokens, bias)
        vector: Tensor = self.norm(tokens[0])
        return vector

    def _pass(self, block: Block, tokens: Tensor, bias: object) -> Tensor:
        rows = block.norm1(tokens)
        query, key, value = (
            split_heads(projection(rows), self._heads) for projection in (block.q_proj, block.k_proj, block.v_proj)
        )
        mixed = attend(block.q_norm(query), block.k_norm(key), value, bias)  # type: ignore[arg-type]
        tokens = tokens + block.ls_attn(block.out_proj(join_heads(mixed)))
        changed: Tensor = block.ls_mlp(block.fc2(F.gelu(block.fc1(block.norm2(tokens)))))
        return tokens + changed


def _place(tiles: Tiles) -> tuple[Tensor, Tensor]:
    """Cells int64 [C, 2] and features [C, D] of what is on the grid; a tile between two cells is in the nearer one."""
    steps = (tiles.coords - tiles.coords.amin(dim=0)).double() / tiles.edge
    cells, which = steps.round().long().unique(dim=0, return_inverse=True)
    last = torch.zeros(len(cells), dtype=torch.long, device=which.device)
    last = last.scatter_reduce(0, which, torch.arange(len(which), device=which.device), "amax", include_self=False)
    features = tiles.features[last]
    there = (features != 0).any(dim=1)
    return cells[there], features[there]
