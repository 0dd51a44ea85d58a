"""Published slide encoders written out once more, in numpy alone, and files as they are published with random numbers.

Nothing of `histoseek.encoders.slide.published` but its sizes is used: what it computes is compared with this.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

Array = np.ndarray
erf = np.vectorize(math.erf)
Tensors = Mapping[str, Array]


def layer_norm(rows: Array, weight: Array, bias: Array, eps: float = 1e-5) -> Array:
    mean, var = rows.mean(-1, keepdims=True), rows.var(-1, keepdims=True)
    return (rows - mean) / np.sqrt(var + eps) * weight + bias


def gelu(rows: Array) -> Array:
    return 0.5 * rows * (1 + erf(rows / math.sqrt(2)))


def softmax(scores: Array) -> Array:
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


class Part:
    """Tensors under a prefix, in double precision."""

    def __init__(self, tensors: Tensors, prefix: str = "") -> None:
        self.tensors, self.prefix = tensors, prefix

    def __getitem__(self, name: str) -> Array:
        return self.tensors[self.prefix + name].astype(np.float64)

    def at(self, prefix: str) -> Part:
        return Part(self.tensors, self.prefix + prefix)

    def has(self, name: str) -> bool:
        return self.prefix + name in self.tensors

    def linear(self, name: str, rows: Array) -> Array:
        out = rows @ self[f"{name}.weight"].T
        return out + self[f"{name}.bias"] if self.has(f"{name}.bias") else out

    def norm(self, name: str, rows: Array, eps: float = 1e-5) -> Array:
        return layer_norm(rows, self[f"{name}.weight"], self[f"{name}.bias"], eps)


def gate(part: Part, rows: Array) -> Array:
    left = np.tanh(part.linear("attention_a.0", rows))
    right = 1 / (1 + np.exp(-part.linear("attention_b.0", rows)))
    return softmax(part.linear("attention_c", left * right)[:, 0])


def chief(tensors: Tensors, features: Array) -> Array:
    net = Part(tensors, "attention_net.")
    return gate(net.at("3."), np.maximum(net.linear("0", features), 0)) @ features


def feather(tensors: Tensors, features: Array) -> Array:
    net = Part(tensors, "model.")
    rows = np.maximum(net.linear("patch_embed.0", features), 0)
    return gate(net.at("global_attn."), rows) @ rows


def headed(part: Part, features: Array, heads: int) -> Array:
    rows = features
    for place in (0, 4, 8):
        rows = gelu(part.norm(f"pre_attn.{place + 1}", part.linear(f"pre_attn.{place}", rows)))
    vector = np.zeros(rows.shape[1])
    for head in range(heads):
        own = rows[:, head::heads]
        vector[head::heads] = gate(part.at(f"attn.{head}."), own) @ own
    return vector


def madeleine(tensors: Tensors, features: Array, heads: int) -> Array:
    return Part(tensors).linear("projector", headed(Part(tensors, "wsi_embedders."), features, heads))


def tangle(tensors: Tensors, features: Array, heads: int) -> Array:
    part = Part(tensors, "wsi_embedder.")
    return part.linear("proj_multihead", headed(part, features, heads))


def alibi_slopes(heads: int) -> list[float]:
    """As the code of ALiBi's authors gives them."""

    def of_power(n: int) -> list[float]:
        start = 2 ** (-(2 ** -(math.log2(n) - 3)))
        return [start * start**i for i in range(n)]

    if math.log2(heads).is_integer():
        return of_power(heads)
    closest = 2 ** math.floor(math.log2(heads))
    return of_power(closest) + of_power(2 * closest)[0::2][: heads - closest]


def attention(query: Array, key: Array, value: Array, heads: int, bias: Array | None = None) -> Array:
    """Rows [Q, D], [K, D], [K, D]; bias [H, Q, K]."""
    width = query.shape[1] // heads
    out = np.zeros((len(query), width * heads))
    for head in range(heads):
        own = slice(head * width, (head + 1) * width)
        scores = query[:, own] @ key[:, own].T / math.sqrt(width)
        out[:, own] = softmax(scores if bias is None else scores + bias[head]) @ value[:, own]
    return out


def distance_bias(places: Array, slopes: list[float], free: int) -> Array:
    count = free + len(places)
    bias = np.zeros((len(slopes), count, count))
    for i, first in enumerate(places):
        for j, second in enumerate(places):
            bias[:, free + i, free + j] = [-slope * math.dist(first, second) for slope in slopes]
    return bias


def titan(tensors: Tensors, features: Array, coords: Array, edge: int, heads: int, mode: str) -> Array:
    part = Part(tensors, "vision_encoder.")
    grid: dict[tuple[int, int], Array] = {}
    for row, (x, y) in zip(features, coords - coords.min(0), strict=True):
        cell = (int(x // edge), int(y // edge))
        grid[cell] = grid.get(cell, 0) + row
    grid = {cell: row for cell, row in grid.items() if np.any(row != 0)}
    embedded = gelu(part.linear("patch_embed.0", np.stack(list(grid.values()))))
    tokens = np.concatenate([part["cls_token"][0], embedded])
    bias = distance_bias(np.array(list(grid)), alibi_slopes(heads), 1)
    number = 0
    while part.has(f"blocks.modules_list.{number}.norm1.weight"):
        block = part.at(f"blocks.modules_list.{number}.")
        parts = np.split(block.linear("attn.qkv", block.norm("norm1", tokens, 1e-6)), 3, axis=1)
        tokens = tokens + block.linear("attn.proj", attention(*parts, heads, bias))
        inner = gelu(block.linear("mlp.fc1", block.norm("norm2", tokens, 1e-6)))
        tokens, number = tokens + block.linear("mlp.fc2", inner), number + 1
    tokens = part.norm("norm", tokens, 1e-6)
    pool = part.at("attn_pool_contrastive.")
    keys, query = pool.norm("ln_k", tokens), pool.norm("ln_q", pool["query"])
    weights, biases = np.split(pool["attn.in_proj_weight"], 3), np.split(pool["attn.in_proj_bias"], 3)
    rows = [each @ w.T + b for each, w, b in zip((query, keys, keys), weights, biases, strict=True)]
    vector = pool.linear("attn.out_proj", attention(*rows, 8))[0]
    return vector @ part["proj"] if mode == "projected" else vector


def moozy(tensors: Tensors, features: Array, coords: Array, edge: int, heads: int) -> Array:
    part = Part(tensors)
    grid: dict[tuple[int, int], Array] = {}
    for row, (x, y) in zip(features, coords - coords.min(0), strict=True):
        grid[(round(x / edge), round(y / edge))] = row
    grid = {cell: row for cell, row in grid.items() if np.any(row != 0)}
    registers = part["register_tokens"][0]
    embedded = gelu(part.linear("input_proj.0", np.stack(list(grid.values()))))
    tokens = np.concatenate([part["cls_token"][0], registers, embedded])
    slopes = [-float(slope) for slope in part["pos_bias.slopes"][:, 0]]
    bias = distance_bias(np.array(list(grid)), slopes, 1 + len(registers))
    number = 0
    while part.has(f"blocks.{number}.norm1.weight"):
        block = part.at(f"blocks.{number}.")
        rows = block.norm("norm1", tokens)
        query, key, value = (block.linear(name, rows) for name in ("q_proj", "k_proj", "v_proj"))
        if block.has("q_norm.weight"):
            query, key = (_norm_heads(block, *each, heads) for each in (("q_norm", query), ("k_norm", key)))
        mixed = block.linear("out_proj", attention(query, key, value, heads, bias))
        tokens = tokens + mixed * (block["ls_attn.gamma"] if block.has("ls_attn.gamma") else 1)
        inner = block.linear("fc2", gelu(block.linear("fc1", block.norm("norm2", tokens))))
        tokens = tokens + inner * (block["ls_mlp.gamma"] if block.has("ls_mlp.gamma") else 1)
        number += 1
    return part.norm("norm", tokens)[0]


def _norm_heads(block: Part, name: str, rows: Array, heads: int) -> Array:
    return np.concatenate([block.norm(name, head) for head in np.split(rows, heads, axis=1)], axis=1)


def gigapath(tensors: Tensors, features: Array, coords: Array, edge: int, mode: str, segments: list[int]) -> Array:
    part = Part(tensors)
    rows = part.linear("patch_embed.proj", features)
    table = sincos_table(rows.shape[1], 1000, {int(x // edge) * 1000 + int(y // edge) for x, y in coords})
    places = np.stack([table[int(x // edge) * 1000 + int(y // edge)] for x, y in coords])
    tokens = np.concatenate([part["cls_token"][0], rows + places])
    states = [tokens]
    while part.has(f"encoder.layers.{len(states) - 1}.ffn.fc1.weight"):
        layer = part.at(f"encoder.layers.{len(states) - 1}.")
        normed = layer.norm("self_attn_layer_norm", tokens)
        query, key, value = (layer.linear(f"self_attn.{name}_proj", normed) for name in "qkv")
        mixed = layer.norm("self_attn.inner_attn_ln", dilated(query, key, value, 16, segments))
        tokens = tokens + layer.linear("self_attn.out_proj", mixed)
        inner = gelu(layer.linear("ffn.fc1", layer.norm("final_layer_norm", tokens)))
        tokens = tokens + layer.linear("ffn.fc2", layer.norm("ffn.ffn_layernorm", inner))
        states.append(tokens)
    if mode == "cls":
        return part.norm("norm", part.norm("encoder.layer_norm", states[-1])[0], 1e-6)
    return part.norm("norm", states[-2 if mode == "mean-11" else -1][1:].mean(0), 1e-6)


def sincos_table(dimension: int, grid: int, wanted: set[int]) -> dict[int, Array]:
    """Rows of the table of positions: MAE's 2D sines and cosines of a grid whose columns run fastest."""
    quarter = dimension // 4
    omega = 1 / 10000 ** (np.arange(quarter) / quarter)
    rows = {}
    for index in wanted:
        column, row = index % grid, index // grid
        rows[index] = np.concatenate([f(axis * omega) for axis in (column, row) for f in (np.sin, np.cos)])
    return rows


def dilated(query: Array, key: Array, value: Array, heads: int, segments: list[int]) -> Array:
    """Dilated attention, row by row and head by head: what LongNet's published form does with its zeros."""
    count, width = len(query), query.shape[1] // heads
    out = np.zeros_like(query)
    for head in range(heads):
        own = slice(head * width, (head + 1) * width)
        q, k, v = query[:, own], key[:, own], value[:, own]
        for row in range(count):
            sums, vectors = [], []
            for dilation, longest in zip((1, 2, 4, 8, 16), segments, strict=True):
                segment, phase = min(longest, count), head // (heads // dilation)
                start = row // segment * segment
                if (row - start) % dilation != phase:
                    sums.append(-1e8)
                    vectors.append(np.zeros(width))
                    continue
                places = range(start + phase, start + math.ceil(segment / dilation) * dilation, dilation)
                there = [place for place in places if place < min(count, start + segment)]
                zeros = len(places) - len(there)
                scores = np.concatenate([k[there] @ q[row] / math.sqrt(width), np.zeros(zeros)])
                powers = np.exp(scores - scores.max())
                sums.append(scores.max() + math.log(powers.sum()))
                vectors.append(powers[: len(there)] @ v[there] / powers.sum())
            out[row, own] = softmax(np.array(sums)) @ np.stack(vectors)
    return out


def prism(tensors: Tensors, features: Array, rounds: int, layers: int, heads: int) -> Array:
    part = Part(tensors, "image_resampler.")
    latents = part["perceiver.latents"]
    for number in range(rounds):
        look = part.at(f"perceiver.layers.{min(number, 1)}.xattn.")
        key, value = np.split(look.linear("xattn.to_kv", features), 2, axis=1)
        query = look.linear("xattn.to_q", look.norm("xattn.x_norm", latents))
        latents = latents + look.linear("xattn.to_out", attention(query, key, value, 1))
        latents = latents + geglu(look.at("ff."), latents)
        for layer in range(layers):
            own = part.at(f"perceiver.layers.0.tf.{layer}.")
            rows = own.norm("mhsa.norm", latents)
            parts = (rows @ weight.T for weight in np.split(own["mhsa.mha.in_proj_weight"], 3))
            latents = latents + own.linear("mhsa.mha.out_proj", attention(*parts, heads))
            latents = latents + geglu(own.at("ff."), latents)
    return part.norm("cls_norm", latents)[0]


def geglu(part: Part, rows: Array) -> Array:
    values, gates = np.split(part.linear("net.0", part.norm("norm", rows)), 2, axis=1)
    return part.linear("net.2", values * gelu(gates))
