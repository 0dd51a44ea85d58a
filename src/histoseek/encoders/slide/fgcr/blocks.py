"""Which tiles of a batch see which anchors: blocks of neighbouring tiles, each with the anchors that it sees.

An anchor at p with a region of side r has the soft mask exp(-d^2 / (2 (w r)^2)) on a tile at distance d from p, all in
tiles; w is the architecture's mask_width. The logarithm of it is added to the logits of attention.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from histoseek.encoders.slide.batches import BagBatch, require_tiles
from histoseek.encoders.slide.fgcr.anchors import Anchors, bisect, list_distinct, place_anchors
from histoseek.encoders.slide.fgcr.architecture import FgcrArchitecture

NEGLIGIBLE = 1e-3
"""An anchor and a tile that is not of its region do not see each other where the mask is less."""

_LEAST_LOG_MASK = math.log(NEGLIGIBLE)
_TILES_OF_A_BLOCK = 128
_BLOCKS_AT_ONCE = 16
"""On a CPU, for what is between to stay small; a GPU has room, and is slow to start anything."""

_BLOCKS_ON_GPU = 512
_SLACK = 1 + 1e-6
"""Of the reach of an anchor when it is tested against a whole block: rounding must not hide it."""

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TileBlocks:
    """G blocks of T places for tiles, of which some are empty at the end of a bag.

    bags: int64 [G]; places: int64 [G, T], in the padded bag; is_tile: bool [G, T]; anchors: int64 [G, K], those
    of the batch that any tile of the block sees, padded; log_mask: float32 [G, T, K], -inf where tile and anchor do
    not see each other, 0 on places without a tile; span: the first of all those anchors, and one past the last.
    """

    bags: Tensor
    places: Tensor
    is_tile: Tensor
    anchors: Tensor
    log_mask: Tensor
    span: tuple[int, int]


@dataclass(frozen=True, slots=True)
class BatchLayout:
    """The anchors of a batch, bag after bag, and its tiles.

    scales, slots: int64 [A], places in the architecture's scales, and among the anchors of the bag; anchors: int64
    [B, M], those of each bag; is_anchor: bool [B, M], false on padding; blocks: of some tiles each.
    """

    scales: Tensor
    slots: Tensor
    anchors: Tensor
    is_anchor: Tensor
    blocks: tuple[TileBlocks, ...]


@dataclass(frozen=True, slots=True)
class _BagBlocks:
    """One bag's: places int64 [G, T], -1 where there is no tile; seen int64 [G, K], -1 on padding; log_mask float32
    [G, T, K]."""

    anchors: Anchors
    places: Ints
    seen: Ints
    log_mask: NDArray[np.float32]


def lay_out(bags: BagBatch, architecture: FgcrArchitecture) -> BatchLayout:
    """The layout of a batch, on its device; raises InputError on an empty bag."""
    require_tiles(bags.mask)
    cells, mask = bags.cells.cpu().numpy(), bags.mask.cpu().numpy()
    edge = min(_TILES_OF_A_BLOCK, int(mask.sum(axis=1).max()))
    cut = [_cut_bag(*bag, edge, architecture) for bag in zip(cells, mask, strict=True)]
    counts = np.array([len(bag.anchors) for bag in cut])
    starts = np.cumsum(counts) - counts
    slots = np.arange(counts.max())
    is_anchor = slots < counts[:, None]
    device = bags.features.device
    return BatchLayout(
        scales=torch.from_numpy(np.concatenate([bag.anchors.scales for bag in cut])).to(device),
        slots=torch.from_numpy(np.broadcast_to(slots, is_anchor.shape)[is_anchor]).to(device),
        anchors=torch.from_numpy(np.where(is_anchor, starts[:, None] + slots, 0)).to(device),
        is_anchor=torch.from_numpy(is_anchor).to(device),
        blocks=_join_blocks(cut, starts, device),
    )


def _cut_bag(cells: Ints, mask: NDArray[np.bool_], edge: int, architecture: FgcrArchitecture) -> _BagBlocks:
    there = np.flatnonzero(mask)
    cells = cells[there] - cells[there].min(axis=0)
    anchors = place_anchors(cells, architecture)
    blocks = -(-len(cells) // edge)
    distinct, which = list_distinct(cells)
    order = np.argsort(bisect(distinct, min(blocks, len(distinct)))[which], kind="stable")
    places = np.pad(order, (0, blocks * edge - len(order)), constant_values=-1).reshape(blocks, edge)
    is_tile, inside, members = places >= 0, cells[places], anchors.members.T[places]
    is_seen = _find_reached(inside, is_tile, anchors, architecture.mask_width)
    is_seen[np.nonzero(is_tile)[0][:, None], members[is_tile]] = True
    seen = np.argsort(~is_seen, axis=1, kind="stable")[:, : is_seen.sum(axis=1).max()]
    log_mask = _make_log_mask(inside, anchors, seen, members, architecture.mask_width)
    is_padding = ~np.take_along_axis(is_seen, seen, axis=1)
    log_mask.swapaxes(1, 2)[is_padding] = -np.inf
    log_mask[~is_tile] = 0
    return _BagBlocks(anchors, np.where(is_tile, there[places], -1), np.where(is_padding, -1, seen), log_mask)


def _find_reached(cells: Ints, is_tile: NDArray[np.bool_], anchors: Anchors, mask_width: float) -> NDArray[np.bool_]:
    """Which anchors [G, A] may reach a tile of a block, seen from the rectangle around its cells [G, T, 2]."""
    there = is_tile[..., None]
    low = np.where(there, cells, np.inf).min(axis=1)[:, None]
    high = np.where(there, cells, -np.inf).max(axis=1)[:, None]
    gaps = np.maximum(np.maximum(low - anchors.positions, anchors.positions - high), 0)
    reach = _SLACK * mask_width * anchors.sides * math.sqrt(-2 * _LEAST_LOG_MASK)
    reached: NDArray[np.bool_] = np.hypot(gaps[..., 0], gaps[..., 1]) <= reach
    return reached


def _make_log_mask(cells: Ints, anchors: Anchors, seen: Ints, members: Ints, mask_width: float) -> NDArray[np.float32]:
    """The logarithm of the mask, float32 [G, T, K], of anchors `seen` [G, K] on cells [G, T, 2], -inf where it is cut
    off; members: int64 [G, T, S], the anchors whose regions each tile is of."""
    squared = np.zeros((*cells.shape[:2], seen.shape[1]), np.float32)
    for axis in range(2):
        squared += (cells[..., axis, None] - anchors.positions[seen, axis][:, None]).astype(np.float32) ** 2
    squared *= (-0.5 / (mask_width * anchors.sides[seen]) ** 2).astype(np.float32)[:, None]
    is_cut = squared < _LEAST_LOG_MASK
    for scale in range(members.shape[2]):
        is_cut &= seen[:, None] != members[..., scale, None]
    squared[is_cut] = -np.inf
    return squared


def _join_blocks(bags: list[_BagBlocks], starts: Ints, device: torch.device) -> tuple[TileBlocks, ...]:
    """The blocks of all bags, as many in one as are computed at once; starts: the first anchor of each bag."""
    most = max(bag.seen.shape[1] for bag in bags)
    wider = [((0, 0), (0, most - bag.seen.shape[1])) for bag in bags]
    seen = np.concatenate(
        [
            np.pad(np.where(bag.seen < 0, 0, bag.seen) + start, width, constant_values=start)
            for bag, start, width in zip(bags, starts, wider, strict=True)
        ]
    )
    log_mask = np.concatenate(
        [
            np.pad(bag.log_mask, ((0, 0), *width), constant_values=-np.inf)
            for bag, width in zip(bags, wider, strict=True)
        ]
    )
    places = np.concatenate([bag.places for bag in bags])
    numbers = np.repeat(np.arange(len(bags)), [len(bag.places) for bag in bags])
    log_mask[places < 0] = 0
    joined = []
    at_once = _BLOCKS_AT_ONCE if device.type == "cpu" else _BLOCKS_ON_GPU
    for begin in range(0, len(places), at_once):
        part = slice(begin, begin + at_once)
        blocks = TileBlocks(
            bags=torch.from_numpy(numbers[part]).to(device),
            places=torch.from_numpy(np.maximum(places[part], 0)).to(device),
            is_tile=torch.from_numpy(places[part] >= 0).to(device),
            anchors=torch.from_numpy(seen[part]).to(device),
            log_mask=torch.from_numpy(log_mask[part]).to(device),
            span=(int(seen[part].min()), int(seen[part].max()) + 1),
        )
        joined.append(blocks)
    return tuple(joined)
