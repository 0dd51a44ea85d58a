"""The attention layer: the library's Nystrom attention as it is, and our own form over real tiles only."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from histoseek.errors import MissingExtra

try:
    from nystrom_attention import NystromAttention
except ImportError as error:
    raise MissingExtra("nystrom-attention", "train") from error

from histoseek.encoders.slide.products import linear


class AttentionLayer(nn.Module):
    """x + attention(LayerNorm(x)) over the tokens of one slide."""

    def __init__(self, dimension: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(dimension)
        self.attn = NystromAttention(
            dim=dimension,
            dim_head=dimension // heads,
            heads=heads,
            num_landmarks=dimension // 2,
            pinv_iterations=6,
            residual=True,
            dropout=0.1,
        )

    def reference(self, tokens: Tensor) -> Tensor:
        """The library's layer over tokens [N, D], padding in front and all."""
        return tokens + self.attn(self.norm(tokens)[None])[0]

    def masked(self, rows: Tensor, bounds: tuple[tuple[int, int], ...]) -> Tensor:
        """Exact attention within each bag; rows [R, D] of all bags, in raster order; bounds: their first and end."""
        projected = linear(self.norm(rows), self.attn.to_qkv.weight)
        mixed = torch.cat([self._bag(projected[start:end]) for start, end in bounds])
        out, dropout = self.attn.to_out
        return rows + dropout(linear(mixed, out.weight, out.bias))

    def _bag(self, projected: Tensor) -> Tensor:
        query, key, value = (part.unflatten(1, (self.heads, -1)).transpose(0, 1) for part in projected.chunk(3, dim=1))
        mixed = F.scaled_dot_product_attention(query[None], key[None], value[None])[0]
        return mixed.transpose(0, 1).flatten(1) + self._along(projected.chunk(3, dim=1)[2])

    def _along(self, values: Tensor) -> Tensor:
        """The residual convolution over values [R, D] along the order of tokens."""
        kernel = self.attn.res_conv.weight.flatten(1).repeat_interleave(values.shape[1] // self.heads, dim=0)
        image = values.unflatten(0, (1, 1, -1)).permute(0, 3, 1, 2)
        padding = kernel.shape[1] // 2
        along = F.conv2d(image, kernel[:, None, None], padding=(0, padding), groups=len(kernel))
        return along.permute(0, 2, 3, 1)[0, 0]
