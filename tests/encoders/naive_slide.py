"""The slide network written out in numpy with plain loops, from the description of the method alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Weights = Mapping[str, Array]


@dataclass(frozen=True)
class NaiveVectors:
    global_vector: Array
    mosaic: Array
    tile_weights: Array
    shares: Array


def softmax(scores: Array) -> Array:
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def layer_norm(x: Array, w: Weights, name: str) -> Array:
    centred = x - x.mean(axis=1, keepdims=True)
    return centred / np.sqrt(x.var(axis=1, keepdims=True) + 1e-5) * w[f"{name}.weight"] + w[f"{name}.bias"]


def pseudo_inverses(matrices: list[Array]) -> list[Array]:
    """Six iterations from a start that is scaled by the largest sums of all heads."""
    scale = max(np.abs(a).sum(axis=1).max() for a in matrices) * max(np.abs(a).sum(axis=0).max() for a in matrices)
    inverses = []
    for a in matrices:
        z, one = a.T / scale, np.eye(len(a))
        for _ in range(6):
            az = a @ z
            z = 0.25 * z @ (13 * one - az @ (15 * one - az @ (7 * one - az)))
        inverses.append(z)
    return inverses


def along_tokens(v: Array, kernel: Array) -> Array:
    reach = len(kernel) // 2
    padded = np.pad(v, ((reach, reach), (0, 0)))
    return sum(tap * padded[n : n + len(v)] for n, tap in enumerate(kernel))


def heads_of(x: Array, w: Weights, name: str, heads: int) -> list[tuple[Array, Array, Array]]:
    query, key, value = np.split(x @ w[f"{name}.to_qkv.weight"].T, 3, axis=1)
    size = query.shape[1] // heads
    cut = [slice(h * size, (h + 1) * size) for h in range(heads)]
    return [(query[:, c] / math.sqrt(size), key[:, c], value[:, c]) for c in cut]


def join(parts: list[Array], w: Weights, name: str) -> Array:
    return np.concatenate(parts, axis=1) @ w[f"{name}.to_out.0.weight"].T + w[f"{name}.to_out.0.bias"]


def nystrom(heads: list[tuple[Array, Array, Array]], groups: list[NDArray[np.int64]]) -> list[Array]:
    marks = [tuple(np.stack([x[g].mean(axis=0) for g in groups]) for x in (q, k)) for q, k, _ in heads]
    inverses = pseudo_inverses([softmax(qm @ km.T) for qm, km in marks])
    return [
        softmax(q @ km.T) @ inverse @ softmax(qm @ k.T) @ v
        for (q, k, v), (qm, km), inverse in zip(heads, marks, inverses, strict=True)
    ]


def library_layer(x: Array, w: Weights, layer: str, heads: int, landmarks: int) -> Array:
    """x + attention of all tokens, with zeros in front until landmarks divide their number."""
    normed = layer_norm(x, w, f"{layer}.norm")
    padded = np.concatenate([np.zeros((-len(x) % landmarks, x.shape[1])), normed])
    parts = heads_of(padded, w, f"{layer}.attn", heads)
    mixed = nystrom(parts, np.array_split(np.arange(len(padded)), landmarks))
    return x + join(with_residual(mixed, parts, w, layer), w, f"{layer}.attn")[len(padded) - len(x) :]


def masked_layer(x: Array, w: Weights, layer: str, heads: int, landmarks: int | None = None) -> Array:
    """x + exact attention, or with landmarks from runs of tokens."""
    parts = heads_of(layer_norm(x, w, f"{layer}.norm"), w, f"{layer}.attn", heads)
    if landmarks is None:
        mixed = [softmax(q @ k.T) @ v for q, k, v in parts]
    else:
        mixed = nystrom(parts, np.array_split(np.arange(len(x)), landmarks))
    return x + join(with_residual(mixed, parts, w, layer), w, f"{layer}.attn")


def with_residual(mixed: list[Array], parts: list[tuple[Array, Array, Array]], w: Weights, layer: str) -> list[Array]:
    kernels = w[f"{layer}.attn.res_conv.weight"][:, 0, :, 0]
    return [m + along_tokens(v, k) for m, (_, _, v), k in zip(mixed, parts, kernels, strict=True)]


def around(x: Array, cells: NDArray[np.int64], w: Weights) -> Array:
    """x + the three depthwise convolutions of a map that holds the mean of each cell's tiles."""
    held: dict[tuple[int, int], Array] = {}
    for column, row in {(int(c), int(r)) for c, r in cells}:
        held[column, row] = x[(cells == (column, row)).all(axis=1)].mean(axis=0)
    out = x.copy()
    for n, (column, row) in enumerate(cells):
        for name, reach in (("proj", 3), ("proj1", 2), ("proj2", 1)):
            kernel = w[f"pos_layer.{name}.weight"][:, 0]
            out[n] += w[f"pos_layer.{name}.bias"]
            for down in range(-reach, reach + 1):
                for right in range(-reach, reach + 1):
                    neighbour = held.get((int(column) + right, int(row) + down))
                    if neighbour is not None:
                        out[n] += kernel[:, down + reach, right + reach] * neighbour
    return out


def gate(h: Array, w: Weights, name: str) -> Array:
    tanh = np.tanh(h @ w[f"{name}.attention_V.0.weight"].T + w[f"{name}.attention_V.0.bias"])
    sigmoid = 1 / (1 + np.exp(-(h @ w[f"{name}.attention_U.0.weight"].T + w[f"{name}.attention_U.0.bias"])))
    return ((tanh * sigmoid) @ w[f"{name}.attention_weights.weight"].T)[:, 0] + w[f"{name}.attention_weights.bias"]


def unit(x: Array) -> Array:
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def project(features: Array, w: Weights) -> Array:
    return np.maximum(features @ w["proj.0.weight"].T + w["proj.0.bias"], 0)


def pool(x: Array, w: Weights, mosaic_size: int) -> NaiveVectors:
    norm = "abmil.dim_reduction.norm_act.1"
    h = x @ w["abmil.dim_reduction.fc1.weight"].T
    h = (h - w[f"{norm}.running_mean"]) / np.sqrt(w[f"{norm}.running_var"] + 1e-5)
    h = np.maximum(h * w[f"{norm}.weight"] + w[f"{norm}.bias"], 0)
    tile_weights = np.stack([softmax(gate(h, w, f"abmil.attention.{m}")) for m in range(mosaic_size)])
    mosaic = tile_weights @ h
    shares = softmax(gate(mosaic, w, "abmil.attention_2"))
    return NaiveVectors(unit(shares @ mosaic), unit(mosaic), tile_weights, shares)


def reference(features: Array, w: Weights, mosaic_size: int, heads: int) -> NaiveVectors:
    count, landmarks = len(features), w["cls_token"].shape[2] // 2
    side = math.ceil(math.sqrt(count))
    x = project(features, w)
    x = np.concatenate([w["cls_token"][0], x, x[: side * side - count]])
    x = library_layer(x, w, "trans_layer1", heads, landmarks)
    square = np.array([(n % side, n // side) for n in range(side * side)])
    x = np.concatenate([x[:1], around(x[1:], square, w)])
    x = library_layer(x, w, "trans_layer2", heads, landmarks)
    return pool(x[1 : count + 1], w, mosaic_size)


def masked_rows(
    features: Array, cells: NDArray[np.int64], w: Weights, heads: int, landmarks: int | None = None
) -> Array:
    """What goes into the pooling; tiles must come in raster order."""
    x = masked_layer(project(features, w), w, "trans_layer1", heads, landmarks)
    return masked_layer(around(x, cells, w), w, "trans_layer2", heads, landmarks)
