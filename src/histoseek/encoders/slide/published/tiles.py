"""What networks of published slide encoders take and give."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Tiles:
    """The tiles of one slide: features float32 [N, D]; coords int64 [N, 2], top-left corners in level-0 px; edge: of a
    tile in level-0 px."""

    features: Tensor
    coords: Tensor
    edge: int

    @property
    def cells(self) -> Tensor:
        """Column and row of each tile on the grid that begins at the slide's own, int64 [N, 2]."""
        return torch.div(self.coords, self.edge, rounding_mode="floor")


class SlideNetwork(nn.Module):
    """A network that makes one vector, [D], of a slide's tiles; mode: which of those that it can give."""

    def embed(self, tiles: Tiles, mode: str) -> Tensor:
        """The vector, not yet of length one."""
        raise NotImplementedError
