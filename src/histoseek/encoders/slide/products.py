"""Matrix products of token rows, through the convolution kernels of oneDNN on a CPU.

A linear layer is a convolution of width one. On CPUs with AVX-512 oneDNN's convolution runs at about twice the rate
of torch's own matrix product (400 against 200 GFLOP/s in float32 on two cores, benchmarks/slide_encoder.py); its
grouped form multiplies all heads at once without moving the heads to the front. Elsewhere torch's products are used.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

ROWS_AT_ONCE = 1024
"""Rows for which what a layer makes of them stays in the processor's cache."""


def linear(rows: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Rows [R, I] times weight [O, I] transposed, plus bias [O]: [R, O]."""
    return per_head(rows, weight, 1, bias)


def per_head(rows: Tensor, weight: Tensor, heads: int, bias: Tensor | None = None) -> Tensor:
    """Each head's columns of rows [R, heads * I] times its weight [heads * O, I], transposed: [R, heads * O]."""
    if _convolves(rows):
        image = rows.unflatten(0, (1, 1, -1)).permute(0, 3, 1, 2)
        product = F.conv2d(image, weight[:, :, None, None], bias, groups=heads)
        return product.permute(0, 2, 3, 1).reshape(len(rows), len(weight))
    if heads == 1:
        return F.linear(rows, weight, bias)
    split = rows.unflatten(1, (heads, -1)), weight.unflatten(0, (heads, -1))
    product = torch.einsum("rhi,hoi->rho", *split).flatten(1)
    return product if bias is None else product + bias


def _convolves(rows: Tensor) -> bool:
    return rows.device.type == "cpu" and rows.dtype == torch.float32 and torch.backends.mkldnn.is_available()
