"""CONCH's text tower: a causal transformer with a class token behind the text."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from histoseek.encoders.tile.networks.base import without_random_values

if TYPE_CHECKING:
    from torch import Tensor, nn

PAD = 0


def make_text(width: int, depth: int, heads: int, vocabulary: int, context: int, dimension: int) -> nn.Module:
    """An empty tower from token ids [B, L], L < context, padded with PAD, to vectors [B, dimension].

    The class token stands at the context's last position. What it attends to is shifted by one against the text, as in
    CoCa's mask (open_clip): a text's tokens and one of padding behind them, but itself only behind a text that fills
    the context. So a text needs no more padding than that one.
    """
    import torch

    class Text(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token_embedding = torch.nn.Embedding(vocabulary, width)
            self.positional_embedding = torch.nn.Parameter(torch.empty(context, width))
            self.cls_emb = torch.nn.Parameter(torch.empty(width))
            self.transformer = torch.nn.Module()
            self.transformer.resblocks = torch.nn.ModuleList(_make_block(width, heads) for _ in range(depth))
            self.ln_final = torch.nn.LayerNorm(width)
            self.text_projection = torch.nn.Parameter(torch.empty(width, dimension))

        def forward(self, ids: Tensor, _mask: Tensor) -> Tensor:
            if ids.shape[1] < context - 1:
                ids = torch.nn.functional.pad(ids, (0, 1), value=PAD)
            length = ids.shape[1]
            places = torch.cat([self.positional_embedding[:length], self.positional_embedding[-1:]])
            states = torch.cat([self.token_embedding(ids), self.cls_emb.expand(len(ids), 1, -1)], dim=1) + places
            seen = torch.ones(length + 1, length + 1, dtype=torch.bool).tril().repeat(len(ids), 1, 1)
            seen[:, -1, 1:] = ids != PAD
            hidden = (~seen).repeat_interleave(heads, dim=0)
            for block in self.transformer.resblocks:
                states = block(states, hidden)
            vectors: Tensor = self.ln_final(states[:, -1]) @ self.text_projection
            return vectors

    with without_random_values():
        return Text()


def _make_block(width: int, heads: int) -> nn.Module:
    import torch

    class Block(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ln_1 = torch.nn.LayerNorm(width)
            self.attn = torch.nn.MultiheadAttention(width, heads, batch_first=True)
            self.ln_2 = torch.nn.LayerNorm(width)
            layers = {
                "c_fc": torch.nn.Linear(width, 4 * width),
                "gelu": torch.nn.GELU(),
                "c_proj": torch.nn.Linear(4 * width, width),
            }
            self.mlp = torch.nn.Sequential(OrderedDict(layers))

        def forward(self, states: Tensor, hidden: Tensor) -> Tensor:
            normed = self.ln_1(states)
            attended: Tensor = self.attn(normed, normed, normed, need_weights=False, attn_mask=hidden)[0]
            states = states + attended
            mixed: Tensor = self.mlp(self.ln_2(states))
            return states + mixed

    return Block()
