"""A BERT with the mean of its tokens' states (Devlin et al. 2019, Reimers and Gurevych 2019) as an ONNX model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histoseek.encoders.onnx_graph import OnnxGraph

Floats = NDArray[np.float32]

_FLOAT = 1
_MASKED = np.finfo(np.float32).min
_LEAST_LENGTH = np.float32(1e-12)
_PREFIX = "bert."


@dataclass(frozen=True, slots=True)
class BertSizes:
    """The sizes of a BERT; epsilon: of its layer normalisations."""

    epsilon: float
    layers: int
    heads: int
    width: int
    inner: int
    words: int
    positions: int
    kinds: int


def read_sizes(config: Mapping[str, Any]) -> BertSizes | None:
    """The sizes in a config.json, where what is missing has BERT's; None for what is no plain BERT."""
    plain = {"hidden_act": "gelu", "position_embedding_type": "absolute", "is_decoder": False}
    if any(config.get(name, value) != value for name, value in plain.items()):
        return None
    names = {
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "hidden_size": 768,
        "intermediate_size": 3072,
        "vocab_size": 30522,
        "max_position_embeddings": 512,
        "type_vocab_size": 2,
    }
    sizes = [config.get(name, usual) for name, usual in names.items()]
    epsilon = config.get("layer_norm_eps", 1e-12)
    if not all(type(size) is int and size > 0 for size in sizes) or not isinstance(epsilon, float):
        return None
    return BertSizes(epsilon, *sizes) if sizes[2] % sizes[1] == 0 else None


def draw_graph(tensors: Mapping[str, Floats], sizes: BertSizes, vectors: str, states: str) -> bytes:
    """The model of `ids`, int64 [B, L], and `mask`, bool [B, L], to what `vectors` and `states` name: texts' vectors of
    length one, float32 [B, width], and those of tokens, [B, L, width].

    Raises ValueError, with what people can read, when tensors are missing or have other shapes.
    """
    tensors = {name.removeprefix(_PREFIX): tensor for name, tensor in tensors.items()}
    unfit = sorted(
        name for name, shape in _shapes(sizes).items() if name not in tensors or tensors[name].shape != shape
    )
    if unfit:
        raise ValueError(f"{len(unfit)} of its weights are missing or of another shape ({unfit[0]})")
    return _Bert(tensors, sizes).draw(vectors, states)


class _Bert:
    """The graph of one model, and what all its layers share."""

    def __init__(self, tensors: Mapping[str, Floats], sizes: BertSizes) -> None:
        self._graph = OnnxGraph("bert")
        self._tensors = tensors
        self._sizes = sizes
        width, heads = sizes.width, sizes.heads
        self._ids = self._graph.input("ids", "int64", ("texts", "tokens"))
        self._mask = self._graph.input("mask", "bool", ("texts", "tokens"))
        self._by_heads = self._graph.constant(np.array([0, 0, heads, width // heads]))
        self._together = self._graph.constant(np.array([0, 0, width]))
        self._scale = self._graph.constant(np.float32((width // heads) ** -0.5))

    def draw(self, vectors: str, states: str) -> bytes:
        add, constant = self._graph.add, self._graph.constant
        axes = constant(np.array([1, 2]))
        no, never = constant(np.float32(0)), constant(_MASKED)
        shifts = add("Where", add("Unsqueeze", self._mask, axes), no, never)
        values = self._embed()
        for number in range(self._sizes.layers):
            is_last = number == self._sizes.layers - 1
            values = self._layer(values, shifts, f"encoder.layer.{number}.", states if is_last else "")
        first = constant(np.array([1]))
        real = add("Cast", add("Unsqueeze", self._mask, constant(np.array([2]))), to=_FLOAT)
        sums = add("ReduceSum", add("Mul", values, real), first, keepdims=0)
        means = add("Div", sums, add("ReduceSum", real, first, keepdims=0))
        lengths = add("ReduceL2", means, first, keepdims=1)
        add("Div", means, add("Max", lengths, constant(_LEAST_LENGTH)), output=vectors)
        self._graph.output(vectors, "float32", ("texts", self._sizes.width))
        self._graph.output(states, "float32", ("texts", "tokens", self._sizes.width))
        return self._graph.to_bytes()

    def _embed(self) -> str:
        add, constant = self._graph.add, self._graph.constant
        kinds, positions = (
            self._tensors[f"embeddings.{name}_embeddings.weight"] for name in ("token_type", "position")
        )
        words = add("Gather", constant(self._tensors["embeddings.word_embeddings.weight"]), self._ids, axis=0)
        count = add("Shape", self._ids, start=1, end=2)
        places = add("Slice", constant(positions), constant(np.array([0])), count)
        # All tokens are of the first kind.
        return self._normalise(add("Add", add("Add", words, constant(kinds[0])), places), "embeddings.LayerNorm")

    def _layer(self, values: str, shifts: str, prefix: str, output: str) -> str:
        add, attention = self._graph.add, f"{prefix}attention."
        query, key, value = (
            add("Reshape", self._linear(values, f"{attention}self.{part}"), self._by_heads)
            for part in ("query", "key", "value")
        )
        products = add("MatMul", add("Transpose", query, perm=[0, 2, 1, 3]), add("Transpose", key, perm=[0, 2, 3, 1]))
        weights = add("Softmax", add("Add", add("Mul", products, self._scale), shifts), axis=-1)
        mixed = add("MatMul", weights, add("Transpose", value, perm=[0, 2, 1, 3]))
        mixed = add("Reshape", add("Transpose", mixed, perm=[0, 2, 1, 3]), self._together)
        attended = add("Add", self._linear(mixed, f"{attention}output.dense"), values)
        attended = self._normalise(attended, f"{attention}output.LayerNorm")
        inner = add("Gelu", self._linear(attended, f"{prefix}intermediate.dense"))
        result = add("Add", self._linear(inner, f"{prefix}output.dense"), attended)
        return self._normalise(result, f"{prefix}output.LayerNorm", output)

    def _linear(self, values: str, name: str) -> str:
        weight = self._graph.constant(self._tensors[f"{name}.weight"].T)
        bias = self._graph.constant(self._tensors[f"{name}.bias"])
        return self._graph.add("Add", self._graph.add("MatMul", values, weight), bias)

    def _normalise(self, values: str, name: str, output: str = "") -> str:
        parts = (self._graph.constant(self._tensors[f"{name}.{part}"]) for part in ("weight", "bias"))
        epsilon = self._sizes.epsilon
        return self._graph.add("LayerNormalization", values, *parts, axis=-1, epsilon=epsilon, output=output)


def _shapes(sizes: BertSizes) -> dict[str, tuple[int, ...]]:
    """What the tensors are called that are needed, and their shapes."""
    width, inner = sizes.width, sizes.inner
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (sizes.words, width),
        "embeddings.position_embeddings.weight": (sizes.positions, width),
        "embeddings.token_type_embeddings.weight": (sizes.kinds, width),
        "embeddings.LayerNorm.weight": (width,),
        "embeddings.LayerNorm.bias": (width,),
    }
    for number in range(sizes.layers):
        prefix = f"encoder.layer.{number}."
        parts = [*(f"attention.self.{part}" for part in ("query", "key", "value")), "attention.output.dense"]
        dense = {**dict.fromkeys(parts, (width, width)), "intermediate.dense": (inner, width)}
        for name, shape in {**dense, "output.dense": (width, inner)}.items():
            shapes |= {f"{prefix}{name}.weight": shape, f"{prefix}{name}.bias": shape[:1]}
        for name in ("attention.output", "output"):
            shapes |= {f"{prefix}{name}.LayerNorm.{part}": (width,) for part in ("weight", "bias")}
    return shapes
