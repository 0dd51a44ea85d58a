"""FGCR's slide network of our own mode in numpy with plain loops, from its description alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tests.encoders.naive_published_slides import Array, Part, gelu
from tests.encoders.naive_slide import NaiveVectors


@dataclass(frozen=True)
class Geometry:
    """positions [A, 2], sides [A], scales [A], members [S, N]."""

    positions: Array
    sides: Array
    scales: Array
    members: Array


def soft_mask(cells: Array, geometry: Geometry, width: float, negligible: float) -> Array:
    """[A, N], 0 where it is cut off."""
    mask = np.zeros((len(geometry.sides), len(cells)))
    for anchor, (position, side) in enumerate(zip(geometry.positions, geometry.sides, strict=True)):
        for tile, cell in enumerate(cells):
            value = math.exp(-(math.dist(position, cell) ** 2) / (2 * (width * side) ** 2))
            if value >= negligible or anchor in geometry.members[:, tile]:
                mask[anchor, tile] = value
    return mask


def attend(part: Part, readers: Array, read: Array, mask: Array, heads: int) -> tuple[Array, Array]:
    """What normed rows [R, D] read from normed rows [S, D] under a mask [R, S], and the heads' mean weights [R, S]."""
    query, _, _ = np.split(readers @ part["to_qkv.weight"].T, 3, axis=1)
    _, key, value = np.split(read @ part["to_qkv.weight"].T, 3, axis=1)
    size = query.shape[1] // heads
    out, weights = np.zeros_like(query), np.zeros((heads, len(readers), len(read)))
    for head in range(heads):
        own = slice(head * size, (head + 1) * size)
        for row in range(len(readers)):
            powers = mask[row] * np.exp(key[:, own] @ query[row, own] / math.sqrt(size))
            weights[head, row] = powers / powers.sum()
            out[row, own] = weights[head, row] @ value[:, own]
    return part.linear("to_out.0", out), weights.mean(axis=0)


def feed_forward(layer: Part, rows: Array) -> Array:
    inner = layer.norm("2.norm", rows)
    return rows + layer.linear("2.fn.net.3", gelu(layer.linear("2.fn.net.0", inner)))


def step(layer: Part, readers: Array, read: Array, mask: Array, heads: int) -> tuple[Array, Array]:
    """Rows after they have read others, and their weights on them."""
    added, weights = attend(layer.at("1."), layer.norm("0", readers), layer.norm("0", read), mask, heads)
    return feed_forward(layer, readers + added), weights


def unit(rows: Array) -> Array:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def embed(part: Part, features: Array, geometry: Geometry, mask: Array, heads: int, depth: int) -> NaiveVectors:
    tiles = part.linear("to_patch_embedding", features)
    anchors = part["kernel_token"][0][geometry.scales]
    token = part["img_cls_token"][0]
    whole = np.ones((1, len(anchors)))
    for number in range(depth):
        layer = part.at(f"kt.layers.{number}.")
        anchors, tile_weights = step(layer, anchors, tiles, mask, heads)
        token, shares = step(layer, token, anchors, whole, heads)
        tiles, _ = step(layer, tiles, anchors, mask.T, heads)
    token, anchors = (part.linear("head.1", part.norm("head.0", rows)) for rows in (token, anchors))
    return NaiveVectors(unit(token)[0], unit(anchors), tile_weights, shares[0])
