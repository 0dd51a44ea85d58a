"""Attention between tiles, anchors and a slide's class token, with the anchors' soft masks in the logits.

Tiles are taken block by block with the anchors that they see, and what an anchor reads from several blocks is put
together as in a streamed softmax (Milakov and Gimelshein, arXiv 1805.02867): but for the masks, nothing is as large as
tiles x anchors.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from histoseek.encoders.slide.fgcr.blocks import TileBlocks
from histoseek.encoders.slide.products import linear

_DROPOUT = 0.1


class Attention(nn.Module):
    """The parameters of one attention of H heads of size d: one projection to queries, keys and values, and one out."""

    def __init__(self, dimension: int, heads: int, head_dimension: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_qkv = nn.Linear(dimension, 3 * heads * head_dimension, bias=False)
        self.to_out = nn.Sequential(nn.Linear(heads * head_dimension, dimension), nn.Dropout(_DROPOUT))

    def queries(self, rows: Tensor) -> Tensor:
        """Queries [..., H, d] of normed rows [..., D], scaled."""
        weight = self.to_qkv.weight.chunk(3)[0]
        return self._project(rows, weight * (len(weight) // self.heads) ** -0.5, 1)[0]

    def keys(self, rows: Tensor) -> Tensor:
        """Keys [..., H, d] of normed rows [..., D]."""
        return self._project(rows, self.to_qkv.weight.chunk(3)[1], 1)[0]

    def keys_and_values(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values [..., H, d] of normed rows [..., D]."""
        keys, values = self._project(rows, self.to_qkv.weight[len(self.to_qkv.weight) // 3 :], 2)
        return keys, values

    def join(self, mixed: Tensor) -> Tensor:
        """Rows [..., D] of what the heads [..., H, d] have read."""
        layer, dropout = self.to_out
        joined: Tensor = dropout(_apply(layer, mixed.flatten(-2)))
        return joined

    def _project(self, rows: Tensor, weight: Tensor, parts: int) -> tuple[Tensor, ...]:
        projected = linear(rows.flatten(0, -2), weight)
        return projected.unflatten(1, (parts, self.heads, -1)).unflatten(0, rows.shape[:-1]).unbind(-3)


class FeedForward(nn.Module):
    """Two linear layers with a GELU between."""

    def __init__(self, dimension: int, hidden: int) -> None:
        super().__init__()
        first, second = nn.Linear(dimension, hidden), nn.Linear(hidden, dimension)
        self.net = nn.Sequential(first, nn.GELU(), nn.Dropout(_DROPOUT), second, nn.Dropout(_DROPOUT))

    def forward(self, rows: Tensor) -> Tensor:
        """Rows [..., D] to rows [..., D]."""
        first, activation, dropout, second, last = self.net
        out: Tensor = last(_apply(second, dropout(activation(_apply(first, rows)))))
        return out


class PreNorm(nn.Module):
    """A feed-forward over normed rows."""

    def __init__(self, dimension: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dimension)
        self.fn = FeedForward(dimension, hidden)

    def forward(self, rows: Tensor) -> Tensor:
        """Rows [..., D] with what the feed-forward adds to them."""
        out: Tensor = rows + self.fn(self.norm(rows))
        return out


class AttentionLayer(nn.ModuleList):
    """One layer, its parameters shared by tiles, anchors and class token: norm, attention, and feed-forward with a norm
    of its own, as 0, 1 and 2."""

    def __init__(self, dimension: int, heads: int, head_dimension: int, hidden: int) -> None:
        attention = Attention(dimension, heads, head_dimension)
        super().__init__([nn.LayerNorm(dimension), attention, PreNorm(dimension, hidden)])

    def read_tiles(self, anchors: Tensor, tiles: Sequence[Tensor], blocks: Sequence[TileBlocks]) -> AnchorReading:
        """The anchors [A, D] after attention to the tiles [G, T, D] of each of the blocks."""
        norm, attention, feed_forward = self
        queries = attention.queries(norm(anchors))
        parts = []
        for rows, block in zip(tiles, blocks, strict=True):
            keys, values = attention.keys_and_values(norm(rows))
            parts.append(_sum_up(_read(queries, keys, values, block), *block.span))
        whole = _sum_up(_join(parts), 0, len(anchors))
        mixed = whole.values / whole.sums[..., None]
        return AnchorReading(feed_forward(anchors + attention.join(mixed)), queries, whole.peaks + whole.sums.log())

    def weigh_tiles(self, reading: AnchorReading, rows: Tensor, blocks: TileBlocks) -> Tensor:
        """The weights [G, K, T] that anchors had on tiles [G, T, D] when they read them, means of the heads."""
        norm, attention, _ = self
        logits = _compare(reading.queries, attention.keys(norm(rows)), blocks)
        return (logits - reading.log_sums[blocks.anchors].mT[..., None]).exp().mean(dim=1)

    def read_anchors(self, rows: Tensor, anchors: Tensor, numbers: Tensor, log_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Rows [G, T, D] after attention to those anchors of [A, D] that `numbers` [G, K] names, with this mask
        [G, T, K]; and the weights [G, H, T, K] that they have."""
        norm, attention, feed_forward = self
        keys, values = (each[numbers].transpose(1, 2) for each in attention.keys_and_values(norm(anchors)))
        logits = attention.queries(norm(rows)).transpose(1, 2) @ keys.mT
        weights = (logits + log_mask[:, None]).softmax(dim=-1)
        mixed = (weights.to(values.dtype) @ values).transpose(1, 2)
        return feed_forward(rows + attention.join(mixed)), weights


@dataclass(frozen=True, slots=True)
class AnchorReading:
    """Anchors [A, D] after reading tiles; queries [A, H, d] that they read with; log_sums [A, H], the logarithms of
    what normalises their weights."""

    anchors: Tensor
    queries: Tensor
    log_sums: Tensor


@dataclass(frozen=True, slots=True)
class _Partial:
    """What n anchors have read from some tiles: anchors int64 [n]; peaks [n, H], the largest logits, or less; sums
    [n, H] and values [n, H, d], weighted by exp(logit - peak)."""

    anchors: Tensor
    peaks: Tensor
    sums: Tensor
    values: Tensor


def _compare(queries: Tensor, keys: Tensor, blocks: TileBlocks) -> Tensor:
    """Logits [G, H, K, T] of anchors to the tiles with keys [G, T, H, d]."""
    logits = queries[blocks.anchors].transpose(1, 2) @ keys.permute(0, 2, 3, 1)
    logits = logits + blocks.log_mask.mT[:, None]
    return logits.masked_fill(~blocks.is_tile[:, None, None], -torch.inf)


def _read(queries: Tensor, keys: Tensor, values: Tensor, blocks: TileBlocks) -> _Partial:
    """What each anchor reads from each block; keys and values [G, T, H, d]."""
    logits = _compare(queries, keys, blocks)
    peaks = logits.detach().amax(dim=-1)
    weights = (logits - _make_finite(peaks)[..., None]).exp()
    mixed = weights.to(values.dtype) @ values.transpose(1, 2)
    by_anchor = (each.transpose(1, 2).flatten(0, 1) for each in (peaks, weights.sum(dim=-1), mixed))
    return _Partial(blocks.anchors.flatten(), *by_anchor)


def _sum_up(partial: _Partial, first: int, end: int) -> _Partial:
    """The same by anchor, for the anchors from `first` to before `end`."""
    places = partial.anchors - first
    spread = places[:, None].expand_as(partial.peaks)
    peaks = partial.peaks.new_full((end - first, partial.peaks.shape[1]), -torch.inf)
    peaks = peaks.scatter_reduce(0, spread, partial.peaks, "amax")
    scale = (partial.peaks - _make_finite(peaks)[places]).exp()
    sums = partial.sums.new_zeros(peaks.shape).index_add(0, places, scale * partial.sums)
    values = peaks.new_zeros((*peaks.shape, partial.values.shape[2]))
    values = values.index_add(0, places, scale[..., None] * partial.values)
    return _Partial(torch.arange(first, end, device=places.device), peaks, sums, values)


def _join(parts: Iterable[_Partial]) -> _Partial:
    columns = zip(*((part.anchors, part.peaks, part.sums, part.values) for part in parts), strict=True)
    return _Partial(*(torch.cat(each) for each in columns))


def _make_finite(peaks: Tensor) -> Tensor:
    """Peaks with 0 for -inf, where an anchor sees no tile of a block."""
    return peaks.masked_fill(peaks == -torch.inf, 0)


def _apply(layer: nn.Module, rows: Tensor) -> Tensor:
    """A linear layer over rows [..., D]."""
    return linear(rows.flatten(0, -2), layer.weight, layer.bias).unflatten(0, rows.shape[:-1])
