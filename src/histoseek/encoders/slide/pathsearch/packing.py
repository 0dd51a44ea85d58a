"""Bags of a batch as one run of rows, without padding and in an order of their own."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from histoseek.encoders.slide.pathsearch.positions import REACH
from histoseek.errors import InputError


@dataclass(frozen=True, slots=True)
class Packed:
    """The tiles of a batch, bag after bag, each bag in raster order of its cells.

    features: [R, D_in]; cells: int64 [R, 2], bags one below the other and out of each other's reach; lengths:
    tiles of each bag; places: int64 [R], the position of each row in its padded bag.
    """

    features: Tensor
    cells: Tensor
    lengths: tuple[int, ...]
    places: Tensor


def pack(features: Tensor, cells: Tensor, mask: Tensor) -> Packed:
    """Pack features [B, N, D_in] at cells [B, N, 2] where mask [B, N] is true; raises InputError on an empty bag."""
    if not mask.any(dim=1).all():
        raise InputError("batch of bags", "a bag without tiles", "Leave the slide out")
    chosen = [_raster_order(features[b], cells[b], mask[b].nonzero()[:, 0]) for b in range(len(mask))]
    return Packed(
        features=torch.cat([features[b, places] for b, places in enumerate(chosen)]),
        cells=_stack([cells[b, places] for b, places in enumerate(chosen)]),
        lengths=tuple(len(places) for places in chosen),
        places=torch.cat(chosen),
    )


def _raster_order(features: Tensor, cells: Tensor, places: Tensor) -> Tensor:
    """The places ordered by row, then column; tiles of one cell by their features, not by their order in the bag."""
    inside = cells[places] - cells[places].amin(dim=0)
    keys = inside[:, 1] * (inside[:, 0].amax() + 1) + inside[:, 0]
    if len(keys.unique()) < len(keys):
        ramp = torch.linspace(1, 2, features.shape[1], dtype=torch.float64, device=features.device).sqrt()
        by_content = (features[places].double() * ramp).sum(dim=1).argsort(stable=True)
        places, keys = places[by_content], keys[by_content]
    return places[keys.argsort(stable=True)]


def _stack(cells: list[Tensor]) -> Tensor:
    shifted, below = [], 0
    for each in cells:
        inside = each - each.amin(dim=0)
        inside[:, 1] += below
        below = int(inside[:, 1].amax()) + 1 + REACH
        shifted.append(inside)
    return torch.cat(shifted)
