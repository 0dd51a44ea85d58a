"""The sizes of published slide encoders, and how they show in the shapes of their tensors; no torch needed."""

from __future__ import annotations

import re
from abc import abstractmethod
from dataclasses import dataclass, fields
from typing import ClassVar, Self

from histoseek.encoders.slide.base import Shapes
from histoseek.errors import ConfigurationError

_LARGEST = 2**16


@dataclass(frozen=True, slots=True)
class PublishedSizes:
    """Sizes that all have: what a network takes and gives. It has no mosaic: that is made of the tiles."""

    family: ClassVar[str] = ""

    input_dimension: int
    dimension: int

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST:
                raise ConfigurationError(f"architecture, {field.name}", f"{value} is no size", "Import the file again")
        if min(self.input_dimension, self.dimension) < 1:
            raise ConfigurationError("architecture", "dimensions must be positive", "Import the file again")

    @property
    def mosaic_size(self) -> int:
        """None of its own."""
        return 0

    @classmethod
    @abstractmethod
    def infer(cls, shapes: Shapes) -> Self:
        """The sizes from the shapes of a file's slide encoder; raises KeyError or ValueError where they do not fit."""


@dataclass(frozen=True, slots=True)
class ChiefSizes(PublishedSizes):
    """Of CHIEF: a gated attention on projected features weighs the features themselves."""

    family = "chief"

    hidden: int
    gate: int

    @classmethod
    def infer(cls, shapes: Shapes) -> Self:
        """From the projection and the gate."""
        hidden, dimension = shapes["attention_net.0.weight"]
        return cls(dimension, dimension, hidden, shapes["attention_net.3.attention_a.0.weight"][0])


@dataclass(frozen=True, slots=True)
class FeatherSizes(PublishedSizes):
    """Of FEATHER: a gated attention weighs projected features."""

    family = "feather"

    gate: int

    @classmethod
    def infer(cls, shapes: Shapes) -> Self:
        """From the projection and the gate."""
        dimension, input_dimension = shapes["patch_embed.0.weight"]
        return cls(input_dimension, dimension, shapes["global_attn.attention_a.0.weight"][0])


@dataclass(frozen=True, slots=True)
class MadeleineSizes(PublishedSizes):
    """Of MADELEINE: several gated attentions, each on its own part of the projected features; token_dimension: of the
    projection of tiles that only its training used, 0 where the file has none."""

    family = "madeleine"

    heads: int
    token_dimension: int

    @classmethod
    def infer(cls, shapes: Shapes) -> Self:
        """From the first projection and the number of attentions."""
        dimension, input_dimension = shapes["wsi_embedders.pre_attn.0.weight"]
        tokens = shapes.get("token_projector.weight", (0,))[0]
        return cls(input_dimension, dimension, _count(shapes, r"wsi_embedders\.attn\.(\d+)\."), tokens)


@dataclass(frozen=True, slots=True)
class TangleSizes(PublishedSizes):
    """Of TANGLE: as MADELEINE's."""

    family = "tangle"

    heads: int

    @classmethod
    def infer(cls, shapes: Shapes) -> Self:
        """From the first projection and the number of attentions."""
        dimension, input_dimension = shapes["pre_attn.0.weight"]
        return cls(input_dimension, dimension, _count(shapes, r"attn\.(\d+)\."))


@dataclass(frozen=True, slots=True)
class TitanSizes(PublishedSizes):
    """Of TITAN's vision part: a transformer with distances on the grid of tiles, and attention pooling.

    heads: of the transformer, which no shape shows; pool_heads: of the pooling; captions: queries of the second
    pooling, which its text decoder used.
    """

    family = "titan"

    depth: int
    hidden: int
    captions: int
    heads: int = 12
    pool_heads: int = 8

    @classmethod
    def infer(cls, shapes: Shapes) -> Self:
        """From the embedding of tiles and the blocks; heads of 64 values."""
        dimension, input_dimension = shapes["patch_embed.0.weight"]
        return cls(
            input_dimension,
            dimension,
            depth=_count(shapes, r"blocks\.modules_list\.(\d+)\."),
            hidden=shapes["blocks.modules_list.0.mlp.fc1.weight"][0],
            captions=shapes["attn_pool.query"][0],
            heads=max(1, dimension // 64),
            pool_heads=8 if dimension % 8 == 0 else 1,
        )


@dataclass(frozen=True, slots=True)
class MoozySizes(PublishedSizes):
    """Of MOOZY's slide encoder; norms of queries and keys, scales of layers: 1 where it has them, else 0."""

    family = "moozy"

    depth: int
    hidden: int
    heads: int
    registers: int
    query_norms: int
    layer_scales: int

    @classmethod
    def infer(cls, shapes: Shapes) -> Self:
        """From all of its tensors; the slopes of distances tell the heads."""
        dimension, input_dimension = shapes["input_proj.0.weight"]
        return cls(
            input_dimension,
            dimension,
            depth=_count(shapes, r"blocks\.(\d+)\."),
            hidden=shapes["blocks.0.fc1.weight"][0],
            heads=shapes["pos_bias.slopes"][0],
            registers=shapes["register_tokens"][1] if "register_tokens" in shapes else 0,
            query_norms=int("blocks.0.q_norm.weight" in shapes),
            layer_scales=int("blocks.0.ls_attn.gamma" in shapes),
        )


@dataclass(frozen=True, slots=True)
class GigaPathSizes(PublishedSizes):
    """Of GigaPath's slide encoder, a LongNet; heads: which no shape shows, 16 in all that were published."""

    family = "gigapath"

    depth: int
    hidden: int
    heads: int = 16

    @classmethod
    def infer(cls, shapes: Shapes) -> Self:
        """From the embedding of tiles and the layers."""
        dimension, input_dimension = shapes["patch_embed.proj.weight"]
        hidden = shapes["encoder.layers.0.ffn.fc1.weight"][0]
        return cls(input_dimension, dimension, _count(shapes, r"encoder\.layers\.(\d+)\."), hidden)


@dataclass(frozen=True, slots=True)
class PrismSizes(PublishedSizes):
    """Of PRISM's perceiver: latents: with the one that becomes the slide's vector; rounds: of attention to the tiles,
    which share their weights from the second on; layers: of attention between latents in each; heads: of those."""

    family = "prism"

    latents: int
    hidden: int
    layers: int
    rounds: int = 8
    heads: int = 8

    @classmethod
    def infer(cls, shapes: Shapes) -> Self:
        """From all of its tensors; a file without the copies of shared tensors does not say how many rounds there are,
        and has the published eight."""
        latents, dimension = shapes["perceiver.latents"]
        rounds = _count(shapes, r"perceiver\.layers\.(\d+)\.")
        return cls(
            shapes["perceiver.layers.0.xattn.xattn.to_kv.weight"][1],
            dimension,
            latents,
            hidden=shapes["perceiver.layers.0.xattn.ff.net.2.weight"][1],
            layers=_count(shapes, r"perceiver\.layers\.\d+\.tf\.(\d+)\."),
            rounds=rounds if rounds > 2 else 8,
            heads=8 if dimension % 8 == 0 else 1,
        )


def _count(shapes: Shapes, pattern: str) -> int:
    """How many numbers stand at a place of the names, from 0 on."""
    numbers = [int(match[1]) for name in shapes if (match := re.match(pattern, name))]
    return max(numbers) + 1 if numbers else 0
