"""The positional block: depthwise 7x7, 5x5 and 3x3 convolutions over the map of tiles, beside the identity."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

REACH = 3
"""How many cells away a tile is still seen."""

_GRID_PER_CELL = 4
"""Above this many grid cells per occupied one, neighbours are looked up instead of convolving the whole grid."""

_PAIRS_AT_ONCE = 32_768


class PositionalBlock(nn.Module):
    """x + conv7(x) + conv5(x) + conv3(x), run as one 7x7 depthwise convolution."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(dimension, dimension, 7, 1, 3, groups=dimension)
        self.proj1 = nn.Conv2d(dimension, dimension, 5, 1, 2, groups=dimension)
        self.proj2 = nn.Conv2d(dimension, dimension, 3, 1, 1, groups=dimension)

    def on_square(self, rows: Tensor, side: int) -> Tensor:
        """Rows [side * side, D], taken as a square map in their order."""
        return rows + self._convolve(rows.view(side, side, -1))

    def on_cells(self, rows: Tensor, cells: Tensor) -> Tensor:
        """Rows [R, D] at cells int64 [R, 2] (column, row); empty cells are zero, tiles of one cell count as their mean.

        Memory is linear in R, however far the cells lie apart.
        """
        places = compact(cells)
        width, height = (int(edge) + 1 for edge in places.amax(dim=0))
        index = places[:, 1] * width + places[:, 0]
        keys, which, counts = index.unique(return_inverse=True, return_counts=True)
        if width * height <= _GRID_PER_CELL * len(keys):
            grid = rows.new_zeros(height * width, rows.shape[1])
            grid = grid.index_copy_(0, keys, _means(rows, which, counts))
            return rows + self._convolve(grid.view(height, width, -1)).index_select(0, index)
        return rows + self._gather(_means(rows, which, counts), keys, width).index_select(0, which)

    def _merge_kernels(self) -> tuple[Tensor, Tensor]:
        weight = self.proj.weight + F.pad(self.proj1.weight, (1,) * 4) + F.pad(self.proj2.weight, (2,) * 4)
        return weight, self.proj.bias + self.proj1.bias + self.proj2.bias

    def _convolve(self, grid: Tensor) -> Tensor:
        """Grid [H, W, D] to [H * W, D]."""
        weight, bias = self._merge_kernels()
        around = F.conv2d(grid[None].permute(0, 3, 1, 2), weight, bias, padding=REACH, groups=len(weight))
        return around[0].permute(1, 2, 0).flatten(0, 1)

    def _gather(self, values: Tensor, keys: Tensor, width: int) -> Tensor:
        """The same for occupied cells alone: values [C, D] at ascending keys row * width + column."""
        weight, bias = self._merge_kernels()
        taps = weight.flatten(1).T
        tap, here, there = _neighbours(keys, width)
        around = bias.expand(len(values), -1).clone()
        for pairs in torch.arange(len(tap), device=tap.device).split(_PAIRS_AT_ONCE):
            weighted = values.index_select(0, there[pairs]) * taps.index_select(0, tap[pairs])
            around.index_add_(0, here[pairs], weighted)
        return around


def compact(cells: Tensor) -> Tensor:
    """Cells [R, 2] moved to start at zero, with gaps that no neighbourhood bridges narrowed to the reach."""
    axes = []
    for axis in cells.unbind(dim=1):
        values, which = axis.unique(return_inverse=True)
        steps = values.diff().clamp(max=REACH + 1)
        axes.append(torch.cat([values.new_zeros(1), steps.cumsum(0)])[which])
    return torch.stack(axes, dim=1)


def _means(rows: Tensor, which: Tensor, counts: Tensor) -> Tensor:
    """Means [C, D] of the rows of each cell; which: the cell of each row."""
    sums = rows.new_zeros(len(counts), rows.shape[1])
    if len(counts) == len(rows):
        return sums.index_copy_(0, which, rows)
    return sums.index_add_(0, which, rows) / counts[:, None]


def _neighbours(keys: Tensor, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """All pairs of occupied cells within reach: the tap of the kernel, the cell it is for, the cell it reads."""
    column, row = keys % width, keys // width
    spaced = row * (width + REACH) + column
    offsets = torch.arange(-REACH, REACH + 1, device=keys.device)
    shifts = (offsets[:, None] * (width + REACH) + offsets).flatten()
    shifted = spaced + shifts[:, None]
    position = torch.searchsorted(spaced, shifted).clamp_(max=len(keys) - 1)
    tap, here = (spaced[position] == shifted).nonzero(as_tuple=True)
    return tap, here, position[tap, here]
