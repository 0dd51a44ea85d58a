"""State dicts of the reference's FGCR class: names of their parts, and sizes from their shapes; no torch needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

from histoseek.encoders.slide.base import Shapes
from histoseek.encoders.slide.fgcr.architecture import REFERENCE_SCALES, FgcrArchitecture
from histoseek.errors import ConfigurationError

Value = TypeVar("Value")

MOST_TILES = 2048
"""Tiles of a slide that the reference reads."""

MOST_ANCHORS = 25
"""Anchors of a slide over all scales; no tensor shows it."""

HEAD_DIMENSION = 64
"""Values of an attention head, from which the number of heads follows; no tensor shows it either."""

CLASSIFIER = "mlp_head."

_MARKS = ("kernel_token", "to_patch_embedding.weight")
_SLIDE = ("to_patch_embedding.", "img_cls_token", "kernel_token", "kt.")
_TEXT = (
    "text_embedding.",
    "text_linear.",
    "text_position_embeddings.",
    "text_encoder.",
    "LayerNorm.",
    "text_cls_token",
)
_OLDER_NAMES = {"cls_token": "img_cls_token"}


def is_reference(names: Iterable[str]) -> bool:
    """Whether the names of a file's tensors are those of the reference's class."""
    return set(_MARKS) <= set(names)


def rename_older(values: Mapping[str, Value]) -> dict[str, Value]:
    """The values under the names of the reference's last version."""
    return {_OLDER_NAMES.get(name, name): value for name, value in values.items()}


def select_slide(values: Mapping[str, Value]) -> dict[str, Value]:
    """The values of the slide encoder."""
    return {name: value for name, value in values.items() if name.startswith(_SLIDE)}


def select_text(values: Mapping[str, Value]) -> dict[str, Value]:
    """The values of the text encoder."""
    return {name: value for name, value in values.items() if name.startswith(_TEXT)}


def infer_sizes(shapes: Shapes) -> FgcrArchitecture:
    """The sizes of the slide encoder; raises ValueError, which says why it is not the reference's."""
    try:
        dimension, input_dimension = shapes["to_patch_embedding.weight"]
        inner = shapes["kt.layers.0.1.to_qkv.weight"][0] // 3
        hidden = shapes["kt.layers.0.2.fn.net.0.weight"][0]
    except KeyError as error:
        raise ValueError(f"no FGCR checkpoint (no {error.args[0]})") from error
    except (ValueError, IndexError) as error:
        raise ValueError("no FGCR checkpoint (tensors of other shapes)") from error
    if inner % HEAD_DIMENSION or not inner:
        raise ValueError(f"no FGCR checkpoint (queries of {inner} values, not of heads of {HEAD_DIMENSION})")
    depth = len({name.split(".")[2] for name in shapes if name.startswith("kt.layers.")})
    try:
        return FgcrArchitecture(
            input_dimension=input_dimension,
            dimension=dimension,
            mosaic_size=MOST_ANCHORS,
            depth=depth,
            heads=inner // HEAD_DIMENSION,
            head_dimension=HEAD_DIMENSION,
            mlp_dimension=hidden,
            scales=REFERENCE_SCALES,
            mask_width=1.0,
        )
    except ConfigurationError as error:
        raise ValueError(f"no FGCR checkpoint ({error.what})") from error


def list_training_shapes(dimension: int, words: int, positions: int) -> dict[str, tuple[int, ...]]:
    """Tensors that only a training needs, by name: files may have any of them, and nothing here reads them.

    Heads of masked words and of cross-attention, position numbers, and what an older version left unused.
    """
    square, row = (dimension, dimension), (dimension,)
    return {
        "text_head.transform.dense.weight": square,
        "text_head.transform.dense.bias": row,
        "text_head.transform.LayerNorm.weight": row,
        "text_head.transform.LayerNorm.bias": row,
        "text_head.decoder.weight": (words, dimension),
        "text_head.decoder.bias": (words,),
        "text_head.bias": (words,),
        "local_atten_layer.in_proj_weight": (3 * dimension, dimension),
        "local_atten_layer.in_proj_bias": (3 * dimension,),
        "local_atten_layer.out_proj.weight": square,
        "local_atten_layer.out_proj.bias": row,
        "position_ids": (1, positions),
        "token_type_embeddings.weight": (2, dimension),
    }
