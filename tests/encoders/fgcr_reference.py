"""FGCR's reference written out once more in numpy, from the facts in its publication, and random state dicts of it.

Padding is kept as the reference has it: tiles and anchors beyond a slide's own are there, and masked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tests.encoders.naive_published_slides import Part, gelu, layer_norm, softmax

Array = np.ndarray

FEATURES, WIDTH, HEADS, HIDDEN, DEPTH = 24, 16, 2, 12, 2
WORDS, WORD_WIDTH, PLACES, TEXT_DEPTH, PROMPTS = 12, 6, 9, 2, 5
TEXT_HEADS, HEAD_WIDTH, MOST_ANCHORS = 4, 64, 25


def shapes(depth: int = DEPTH) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a small training's state dict."""
    norm = {"weight": (WIDTH,), "bias": (WIDTH,)}
    inner = HEADS * HEAD_WIDTH
    all_of: dict[str, tuple[int, ...]] = {
        "to_patch_embedding.weight": (WIDTH, FEATURES),
        "to_patch_embedding.bias": (WIDTH,),
        "img_cls_token": (1, 1, WIDTH),
        "kernel_token": (1, 1, WIDTH),
        "text_embedding.weight": (WORDS, WORD_WIDTH),
        "text_linear.weight": (WIDTH, WORD_WIDTH),
        "text_linear.bias": (WIDTH,),
        "text_position_embeddings.weight": (PLACES, WIDTH),
        "text_cls_token": (1, 1, WIDTH),
        "mlp_head.1.weight": (PROMPTS, WIDTH),
        "mlp_head.1.bias": (PROMPTS,),
    }
    norms = ["LayerNorm", "mlp_head.0", "text_encoder.norm"]
    for i in range(depth):
        norms += [f"kt.layers.{i}.0", f"kt.layers.{i}.2.norm"]
        all_of |= {
            f"kt.layers.{i}.1.to_qkv.weight": (3 * inner, WIDTH),
            f"kt.layers.{i}.1.to_out.0.weight": (WIDTH, inner),
            f"kt.layers.{i}.1.to_out.0.bias": (WIDTH,),
            **linear(f"kt.layers.{i}.2.fn.net.0", WIDTH, HIDDEN),
            **linear(f"kt.layers.{i}.2.fn.net.3", HIDDEN, WIDTH),
        }
    for i in range(TEXT_DEPTH):
        name = f"text_encoder.layers.{i}"
        norms += [f"{name}.norm1", f"{name}.norm2"]
        all_of |= {
            f"{name}.self_attn.in_proj_weight": (3 * WIDTH, WIDTH),
            f"{name}.self_attn.in_proj_bias": (3 * WIDTH,),
            **linear(f"{name}.self_attn.out_proj", WIDTH, WIDTH),
            **linear(f"{name}.linear1", WIDTH, HIDDEN),
            **linear(f"{name}.linear2", HIDDEN, WIDTH),
        }
    return all_of | {f"{name}.{part}": shape for name in norms for part, shape in norm.items()}


def linear(name: str, width: int, out: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (out, width), f"{name}.bias": (out,)}


def training_shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of what only the training needs."""
    return {
        "text_head.bias": (WORDS,),
        "text_head.decoder.weight": (WORDS, WIDTH),
        "text_head.decoder.bias": (WORDS,),
        **linear("text_head.transform.dense", WIDTH, WIDTH),
        "text_head.transform.LayerNorm.weight": (WIDTH,),
        "text_head.transform.LayerNorm.bias": (WIDTH,),
        "local_atten_layer.in_proj_weight": (3 * WIDTH, WIDTH),
        "local_atten_layer.in_proj_bias": (3 * WIDTH,),
        **linear("local_atten_layer.out_proj", WIDTH, WIDTH),
    }


def random_state(seed: int = 0) -> dict[str, Array]:
    """Random tensors of a size that keeps what goes through them at about one."""
    rng = np.random.default_rng(seed)

    def draw(name: str, shape: tuple[int, ...]) -> Array:
        values = rng.standard_normal(shape)
        is_norm = "orm" in name or "mlp_head.0" in name
        if name.endswith("bias"):
            return 0.2 * values
        return 1 + 0.2 * values if is_norm else values / np.sqrt(shape[-1] if len(shape) == 2 else 1)

    wanted = shapes() | training_shapes()
    return {name: draw(name, shape).astype(np.float32) for name, shape in wanted.items()}


def embed_slide(state: Mapping[str, Array], features: Array, masks: Array) -> tuple[Array, Array, Array, Array]:
    """Class embedding [D], anchors [K, D], and the last layer's weights of tiles in anchors [K, N] and of anchors in
    the class token [K]; features [N, D_in], masks [K, N]."""
    count, tiles_read = masks.shape
    there = np.zeros((MOST_ANCHORS, tiles_read + 7))
    there[:count, :tiles_read] = 1
    mask = np.zeros_like(there)
    mask[:count, :tiles_read] = masks
    padded = np.zeros((tiles_read + 7, features.shape[1]))
    padded[:tiles_read] = features
    net = Part(state)
    tiles = net.linear("to_patch_embedding", padded)
    anchors = np.repeat(net["kernel_token"][0], MOST_ANCHORS, axis=0)
    token = net["img_cls_token"][0]
    weights, shares = mask, mask[:, 0]
    for i in range(DEPTH):
        layer = net.at(f"kt.layers.{i}.")
        tiles, anchors, token = (layer.norm("0", rows) for rows in (tiles, anchors, token))
        from_anchors, from_tiles, to_token, weights, shares = attend(layer, tiles, anchors, token, mask, there)
        tiles, anchors, token = tiles + from_anchors, anchors + from_tiles, token + to_token
        tiles, anchors, token = (rows + feed(layer, rows) for rows in (tiles, anchors, token))
    return np.tanh(token[0]), anchors[:count], weights[:count, :tiles_read], shares[:count]


def attend(
    layer: Part, tiles: Array, anchors: Array, token: Array, mask: Array, there: Array
) -> tuple[Array, Array, Array, Array, Array]:
    def project(rows: Array) -> list[Array]:
        parts = np.split(layer.linear("1.to_qkv", rows), 3, axis=1)
        return [part.reshape(len(rows), HEADS, HEAD_WIDTH) for part in parts]

    (tile_q, tile_k, tile_v), (anchor_q, anchor_k, anchor_v), (token_q, _, _) = map(project, (tiles, anchors, token))
    outs: list[list[Array]] = [[], [], []]
    weights, shares = [], []
    for h in range(HEADS):
        scores = [
            tile_q[:, h] @ anchor_k[:, h].T / 8,
            anchor_q[:, h] @ tile_k[:, h].T / 8,
            token_q[:, h] @ anchor_k[:, h].T / 8,
        ]
        seen = [there.T, there, there[:, :1].T]
        a, b, c = (softmax(np.where(s > 0, each, -1e9)) for s, each in zip(seen, scores, strict=True))
        a, b = a * mask.T, b * mask
        for out, value in zip(outs, (a @ anchor_v[:, h], b @ tile_v[:, h], c @ anchor_v[:, h]), strict=True):
            out.append(value)
        weights.append(b)
        shares.append(c[0])
    joined = [layer.linear("1.to_out.0", np.concatenate(out, axis=1)) for out in outs]
    return joined[0], joined[1], joined[2], np.mean(weights, axis=0), np.mean(shares, axis=0)


def feed(layer: Part, rows: Array) -> Array:
    return layer.linear("2.fn.net.3", gelu(layer.linear("2.fn.net.0", layer.norm("2.norm", rows))))


def embed_report(state: Mapping[str, Array], words: Sequence[int]) -> Array:
    """The class embedding [D] of a report."""
    token = Part(state)["text_cls_token"][0]
    return np.tanh(encode_text(state, np.concatenate([token, place_words(state, words)]))[0])


def embed_prompts(state: Mapping[str, Array], words: Sequence[int]) -> Array:
    """The embeddings [P, D] of prompts, which are words of one text."""
    return encode_text(state, place_words(state, words))


def place_words(state: Mapping[str, Array], words: Sequence[int]) -> Array:
    net = Part(state)
    placed = net["text_position_embeddings.weight"][: len(words)]
    return net.linear("text_linear", net["text_embedding.weight"][list(words)]) + placed


def encode_text(state: Mapping[str, Array], rows: Array) -> Array:
    net = Part(state)
    rows = net.norm("LayerNorm", rows)
    for i in range(TEXT_DEPTH):
        layer = net.at(f"text_encoder.layers.{i}.")
        parts = rows @ layer["self_attn.in_proj_weight"].T + layer["self_attn.in_proj_bias"]
        query, key, value = (part.reshape(len(rows), TEXT_HEADS, -1) for part in np.split(parts, 3, axis=1))
        heads = [
            softmax(query[:, h] @ key[:, h].T / np.sqrt(WIDTH / TEXT_HEADS)) @ value[:, h] for h in range(TEXT_HEADS)
        ]
        rows = layer.norm("norm1", rows + layer.linear("self_attn.out_proj", np.concatenate(heads, axis=1)))
        rows = layer.norm("norm2", rows + layer.linear("linear2", np.maximum(layer.linear("linear1", rows), 0)))
    return net.norm("text_encoder.norm", rows)


def classify(state: Mapping[str, Array], embedding: Array) -> Array:
    """The aligned embedding [P]: behind the prompt classifier."""
    net = Part(state)
    return net.linear("mlp_head.1", net.norm("mlp_head.0", embedding))


def standardise(embedding: Array) -> Array:
    """An embedding as the classifier's norm leaves it before its gain and bias, of length one."""
    return unit(layer_norm(embedding, np.ones_like(embedding), np.zeros_like(embedding)))


def unit(rows: Array) -> Array:
    out: Array = rows / np.linalg.norm(rows, axis=-1, keepdims=True)
    return out
