"""The positional block: depthwise 7x7, 5x5 and 3x3 convolutions over the map of tiles, beside the identity."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_REACH = 3
_GRID_PER_TILE = 4
"""Above this many grid cells per occupied one, neighbours are looked up instead of convolving the whole grid."""


class PositionalBlock(nn.Module):
    """x + conv7(x) + conv5(x) + conv3(x), run as one 7x7 depthwise convolution."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(dimension, dimension, 7, 1, 3, groups=dimension)
        self.proj1 = nn.Conv2d(dimension, dimension, 5, 1, 2, groups=dimension)
        self.proj2 = nn.Conv2d(dimension, dimension, 3, 1, 1, groups=dimension)

    def on_square(self, rows: Tensor, side: int) -> Tensor:
        """Rows [side * side, D], taken as a square map in their order."""
        return rows + self._convolve(rows.view(side, side, -1)).flatten(0, 1)

    def on_cells(self, rows: Tensor, cells: Tensor) -> Tensor:
        """Rows [R, D] at cells int64 [R, 2] (column, row); empty cells are zero, tiles of one cell count as their mean.

        Memory is linear in R, however far the cells lie apart.
        """
        occupied, which, counts = torch.unique(compact(cells), dim=0, return_inverse=True, return_counts=True)
        held = rows.new_zeros(len(occupied), rows.shape[1]).index_add(0, which, rows) / counts[:, None]
        width, height = (int(edge) + 1 for edge in occupied.amax(dim=0))
        if width * height <= _GRID_PER_TILE * len(occupied):
            index = occupied[:, 1] * width + occupied[:, 0]
            grid = rows.new_zeros(height * width, rows.shape[1]).index_copy(0, index, held)
            around = self._convolve(grid.view(height, width, -1)).flatten(0, 1)[index]
        else:
            around = self._gather(held, occupied, width)
        return rows + around[which]

    def _merged(self) -> tuple[Tensor, Tensor]:
        weight = self.proj.weight + F.pad(self.proj1.weight, (1,) * 4) + F.pad(self.proj2.weight, (2,) * 4)
        return weight, self.proj.bias + self.proj1.bias + self.proj2.bias

    def _convolve(self, grid: Tensor) -> Tensor:
        weight, bias = self._merged()
        image = grid[None].permute(0, 3, 1, 2)
        return F.conv2d(image, weight, bias, padding=_REACH, groups=len(weight))[0].permute(1, 2, 0)

    def _gather(self, held: Tensor, cells: Tensor, width: int) -> Tensor:
        weight, bias = self._merged()
        stride = width + 2 * _REACH
        keys, order = torch.sort(cells[:, 1] * stride + cells[:, 0])
        around = bias.expand(len(held), -1).clone()
        for down in range(-_REACH, _REACH + 1):
            for right in range(-_REACH, _REACH + 1):
                wanted = keys + down * stride + right
                found = torch.searchsorted(keys, wanted).clamp_(max=len(keys) - 1)
                hits = (keys[found] == wanted).nonzero()[:, 0]
                tap = weight[:, 0, down + _REACH, right + _REACH]
                around = around.index_add(0, order[hits], held[order[found[hits]]] * tap)
        return around


def compact(cells: Tensor) -> Tensor:
    """Cells [R, 2] moved to start at zero, with gaps that no neighbourhood bridges narrowed to the reach."""
    columns = []
    for axis in range(2):
        values, which = torch.unique(cells[:, axis], return_inverse=True)
        steps = values.diff().clamp(max=_REACH + 1)
        places = torch.cat([values.new_zeros(1), steps.cumsum(0)])
        columns.append(places[which])
    return torch.stack(columns, dim=1)
