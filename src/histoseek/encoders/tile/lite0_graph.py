"""EfficientNet-Lite0 up to its pooled features as an ONNX model, made from its tensors alone.

Stages, strides and paddings are the reference implementation's (TensorFlow's TPU models, efficientnet/lite): "same"
padding, which puts an odd pixel behind, batch normalisation with epsilon .001, ReLU6, no squeeze and excitation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from histoseek.encoders.cards.card import Preparation
from histoseek.encoders.onnx_graph import OnnxGraph

Tensors = Mapping[str, NDArray[Any]]
Shape = tuple[int, ...]

_EPSILON = 1e-3
_STEM, _HEAD, _CLASSES = 32, 1280, 1000


@dataclass(frozen=True, slots=True)
class _Block:
    """An inverted residual: expand is how many times as wide it is inside; edges in px."""

    kernel: int
    stride: int
    expand: int
    channels_in: int
    channels_out: int

    @property
    def inner(self) -> int:
        return self.channels_in * self.expand


_STAGES = (
    (1, _Block(3, 1, 1, 32, 16)),
    (2, _Block(3, 2, 6, 16, 24)),
    (2, _Block(5, 2, 6, 24, 40)),
    (3, _Block(3, 2, 6, 40, 80)),
    (3, _Block(5, 1, 6, 80, 112)),
    (4, _Block(5, 2, 6, 112, 192)),
    (1, _Block(3, 1, 6, 192, 320)),
)
"""How often each block follows itself; the first of a stage alone has its stride and its channels."""


def draw_graph(tensors: Tensors, preparation: Preparation) -> bytes:
    """The model of `pixels`, uint8 [B, S, S, 3], to `features`, float32 [B, 1280]; normalisation is within it.

    Raises ValueError for tensors of another architecture.
    """
    if {name: value.shape for name, value in tensors.items() if "num_batches_tracked" not in name} != _shapes():
        raise ValueError("names or shapes of tensors differ")
    network = _Network(tensors, preparation.input_px)
    values = network.convolve(_normalise(network.graph, preparation), "_conv_stem", "_bn0", stride=2)
    for number, block in enumerate(_blocks()):
        values = network.add_block(values, f"_blocks.{number}.", block)
    values = network.convolve(values, "_conv_head", "_bn1")
    graph = network.graph
    places = graph.constant(np.array([2, 3]))
    graph.add("ReduceMean", values, places, keepdims=0, output="features")
    graph.output("features", "float32", ("tiles", _HEAD))
    return graph.to_bytes()


class _Network:
    """The graph, and the edge of the picture where it has grown to, in px."""

    def __init__(self, tensors: Tensors, edge_px: int) -> None:
        self.graph = OnnxGraph("lite0")
        self._tensors = tensors
        self._edge_px = edge_px
        self._bounds = (self.graph.constant(np.float32(0)), self.graph.constant(np.float32(6)))

    def convolve(
        self, values: str, name: str, norm: str, *, stride: int = 1, groups: int = 1, clip: bool = True
    ) -> str:
        """A convolution with the batch normalisation behind it, in one."""
        weight, bias = self._folded(name, norm)
        kernel = weight.shape[-1]
        after = -(-self._edge_px // stride)
        missing = max((after - 1) * stride + kernel - self._edge_px, 0)
        before, behind = missing // 2, missing - missing // 2
        self._edge_px = after
        parts = (self.graph.constant(weight), self.graph.constant(bias))
        values = self.graph.add(
            "Conv", values, *parts, group=groups, strides=[stride] * 2, pads=[before, before, behind, behind]
        )
        return self.graph.add("Clip", values, *self._bounds) if clip else values

    def add_block(self, values: str, prefix: str, block: _Block) -> str:
        inner = values
        if block.expand > 1:
            inner = self.convolve(inner, f"{prefix}_expand_conv", f"{prefix}_bn0")
        depthwise = f"{prefix}_depthwise_conv"
        inner = self.convolve(inner, depthwise, f"{prefix}_bn1", stride=block.stride, groups=block.inner)
        inner = self.convolve(inner, f"{prefix}_project_conv", f"{prefix}_bn2", clip=False)
        is_residual = block.stride == 1 and block.channels_in == block.channels_out
        return self.graph.add("Add", inner, values) if is_residual else inner

    def _folded(self, name: str, norm: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        weight, scale, shift, mean, variance = (
            np.asarray(self._tensors[key], np.float64)
            for key in (f"{name}.weight", *(f"{norm}.{part}" for part in _NORM_PARTS))
        )
        factor = scale / np.sqrt(variance + _EPSILON)
        return (weight * factor[:, None, None, None]).astype(np.float32), (shift - mean * factor).astype(np.float32)


_NORM_PARTS = ("weight", "bias", "running_mean", "running_var")


def _normalise(graph: OnnxGraph, preparation: Preparation) -> str:
    edge = preparation.input_px
    pixels = graph.input("pixels", "uint8", ("tiles", edge, edge, 3))
    numbers = graph.add("Cast", graph.add("Transpose", pixels, perm=[0, 3, 1, 2]), to=1)
    mean, std = (np.array(part, np.float32).reshape(1, 3, 1, 1) for part in (preparation.mean, preparation.std))
    scaled = graph.add("Mul", numbers, graph.constant(1 / (255 * std)))
    return graph.add("Add", scaled, graph.constant(-mean / std))


def _blocks() -> list[_Block]:
    blocks = []
    for repeats, first in _STAGES:
        later = _Block(first.kernel, 1, first.expand, first.channels_out, first.channels_out)
        blocks += [first, *[later] * (repeats - 1)]
    return blocks


def _shapes() -> dict[str, Shape]:
    """What the architecture's tensors are called, and their shapes, without counters."""
    shapes = {
        **_with_norm("_conv_stem", "_bn0", (_STEM, 3, 3, 3)),
        **_with_norm("_conv_head", "_bn1", (_HEAD, _STAGES[-1][1].channels_out, 1, 1)),
        "_fc.weight": (_CLASSES, _HEAD),
        "_fc.bias": (_CLASSES,),
    }
    for number, block in enumerate(_blocks()):
        prefix, inner = f"_blocks.{number}.", block.inner
        if block.expand > 1:
            shapes |= _with_norm(f"{prefix}_expand_conv", f"{prefix}_bn0", (inner, block.channels_in, 1, 1))
        shapes |= _with_norm(f"{prefix}_depthwise_conv", f"{prefix}_bn1", (inner, 1, block.kernel, block.kernel))
        shapes |= _with_norm(f"{prefix}_project_conv", f"{prefix}_bn2", (block.channels_out, inner, 1, 1))
    return shapes


def _with_norm(name: str, norm: str, shape: Shape) -> dict[str, Shape]:
    return {f"{name}.weight": shape, **{f"{norm}.{part}": shape[:1] for part in _NORM_PARTS}}
