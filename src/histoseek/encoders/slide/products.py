"""Matrix products of token rows, through the convolution kernels of oneDNN on a CPU.

A linear layer is a convolution of width one. On CPUs with AVX-512 oneDNN's convolution runs at about twice the rate
of torch's own matrix product (400 against 200 GFLOP/s in float32 on two cores, see benchmarks/slide_encoder.py); its
grouped form multiplies all heads at once without moving the heads to the front. Elsewhere torch's products are used.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

_ROWS_AT_ONCE = 1024


def linear(rows: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Rows [R, I] times weight [O, I] transposed, plus bias [O]: [R, O]."""
    return per_head(rows, weight, 1, bias)


def per_head(rows: Tensor, weight: Tensor, heads: int, bias: Tensor | None = None) -> Tensor:
    """Each head's columns of rows [R, heads * I] times its weight [heads * O, I], transposed: [R, heads * O]."""
    if _convolves(rows):
        product = F.conv2d(as_image(rows), weight[:, :, None, None], bias, groups=heads)
        return as_rows(product)
    if heads == 1:
        return F.linear(rows, weight, bias)
    product = torch.einsum("rhi,hoi->rho", rows.unflatten(1, (heads, -1)), weight.unflatten(0, (heads, -1))).flatten(1)
    return product if bias is None else product + bias


def by_rows(work: Callable[[Tensor], Tensor], rows: Tensor) -> Tensor:
    """`work` over some rows at a time, for what it makes in between to stay small and in the processor's cache."""
    return torch.cat([work(part) for part in rows.split(_ROWS_AT_ONCE)])


def as_image(rows: Tensor) -> Tensor:
    """Rows [R, C] as an image [1, C, 1, R] over the same memory, channels last."""
    return rows.unflatten(0, (1, 1, -1)).permute(0, 3, 1, 2)


def as_rows(image: Tensor) -> Tensor:
    """An image [1, C, 1, R] as rows [R, C]."""
    return image.permute(0, 2, 3, 1).flatten(0, 2)


def _convolves(rows: Tensor) -> bool:
    return rows.device.type == "cpu" and rows.dtype == torch.float32 and torch.backends.mkldnn.is_available()
