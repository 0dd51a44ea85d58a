"""State dicts of FGCR's reference: checked whole, and turned into the parts of a weights file.

The reference aligns slides and reports behind its prompt classifier, which is a norm and a linear layer. Archives keep
vectors as the norm leaves them (`slide.fgcr.reference`, `text.fgcr`); what follows it is affine, and becomes the
weights' projections of slides and of texts. Of texts' vectors the first half goes to slides, the second to anchors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from histoseek.encoders.checkpoints.tensors import list_shapes, require_shapes, require_values, to_array
from histoseek.encoders.slide.base import VISUAL, Shapes, Tensors
from histoseek.encoders.slide.fgcr import reference_layout as layout
from histoseek.encoders.slide.fgcr.architecture import FgcrArchitecture
from histoseek.encoders.text.fgcr.encoder import NAME, PROMPTS, VOCABULARY
from histoseek.encoders.text.fgcr.word_list import read_prompts, read_word_list
from histoseek.encoders.weights import (
    MOSAIC_TEXT_PROJECTION,
    SLIDE_PROJECTION,
    TEXT_MODEL,
    TEXT_PROJECTION,
    TextPart,
)
from histoseek.errors import ConfigurationError, WeightsError

if TYPE_CHECKING:
    from torch import Tensor

_NORM, _LINEAR = f"{layout.CLASSIFIER}0.", f"{layout.CLASSIFIER}1."


@dataclass(frozen=True, slots=True)
class ReferenceTexts:
    """What the user knows of the texts of a training.

    vocabulary: a file with the words of its word embedding; prompts: one with its prompts, None where they are not
    known: then a prompt is read like any other word.
    """

    vocabulary: Path
    prompts: Path | None = None


def import_reference(
    path: Path, content: Mapping[str, Tensor], texts: ReferenceTexts | None
) -> tuple[FgcrArchitecture, dict[str, np.ndarray], TextPart | None]:
    """The sizes of a state dict, the tensors of a weights file, and its text part; texts: None to leave texts out.

    Raises WeightsError, which names what is missing, extra, of another shape, or no number, and InputError for a
    vocabulary or prompts that do not fit.
    """
    values = layout.rename_older(content)
    require_values(path, values)
    shapes = list_shapes(values)
    try:
        sizes = layout.infer_sizes(shapes)
        expected = _list_expected(sizes, shapes)
    except ValueError as error:
        raise WeightsError(path, f"is {error}", "See docs/weights.md") from error
    training = layout.list_training_shapes(sizes.dimension, *_count_words(shapes))
    require_shapes(path, shapes, expected | training, "reference of FGCR", training)
    arrays = {name: to_array(value) for name, value in values.items()}
    tensors = {f"{VISUAL}{name}": value for name, value in layout.select_slide(arrays).items()}
    if texts is None:
        return sizes, tensors, None
    tensors |= {f"{TEXT_MODEL}{name}": value for name, value in layout.select_text(arrays).items()}
    tensors |= _read_words(texts, arrays)
    tensors |= _make_projections(arrays, sizes.dimension)
    return sizes, tensors, TextPart(NAME, 2 * sizes.dimension)


def require_reference_texts(
    text_encoder: str | None, vocabulary: Path | None, prompts: Path | None
) -> ReferenceTexts | None:
    """What an import says of a training's texts, None where it leaves them out; raises ConfigurationError."""
    if text_encoder is None:
        if vocabulary or prompts:
            raise ConfigurationError("--vocabulary", "is for texts, which are left out", "Leave one of the two out")
        return None
    if vocabulary is None:
        what = "holds a text encoder whose words are not in it"
        raise ConfigurationError("FGCR state dict", what, "Give --vocabulary FILE, or --text-encoder none")
    return ReferenceTexts(vocabulary, prompts)


def _list_expected(sizes: FgcrArchitecture, shapes: Shapes) -> dict[str, tuple[int, ...]]:
    """The shapes that a state dict of these sizes must have; raises ValueError."""
    import torch

    from histoseek.encoders.slide.fgcr.reference import ReferenceNetwork
    from histoseek.encoders.text.fgcr.network import ReferenceTextNetwork, TextSizes

    with torch.device("meta"):
        modules = ReferenceNetwork(sizes), ReferenceTextNetwork(TextSizes.infer(shapes))
    expected = {name: shape for module in modules for name, shape in list_shapes(module.state_dict()).items()}
    prompts = shapes.get(f"{_LINEAR}weight", (1,))[0]
    classifier = {
        f"{_NORM}weight": (sizes.dimension,),
        f"{_NORM}bias": (sizes.dimension,),
        f"{_LINEAR}weight": (prompts, sizes.dimension),
        f"{_LINEAR}bias": (prompts,),
    }
    return expected | classifier


def _count_words(shapes: Shapes) -> tuple[int, int]:
    """Words of the vocabulary, and places of a text."""
    return shapes["text_embedding.weight"][0], shapes["text_position_embeddings.weight"][0]


def _read_words(texts: ReferenceTexts, arrays: Tensors) -> dict[str, np.ndarray]:
    """The vocabulary and the prompts as tensors."""
    vocabulary = read_word_list(texts.vocabulary, len(arrays["text_embedding.weight"]))
    words = {f"{TEXT_MODEL}{VOCABULARY}": vocabulary.to_array()}
    if texts.prompts is None:
        return words
    prompts = read_prompts(texts.prompts, vocabulary, len(arrays[f"{_LINEAR}weight"]))
    return words | {f"{TEXT_MODEL}{PROMPTS}": prompts}


def _make_projections(arrays: Tensors, dimension: int) -> dict[str, np.ndarray]:
    """The maps of slides and of texts behind the classifier, and that of texts to anchors.

    Of a vector x the norm makes sqrt(D) z * gain + bias, where z is x centred and of length one (but for 1e-5, which
    the norm adds to the variance of values up to one). Halves of texts' vectors have length sqrt(1/2).
    """
    gain, bias, weight, offset = (
        arrays[name].astype(np.float64)
        for name in (f"{_NORM}weight", f"{_NORM}bias", f"{_LINEAR}weight", f"{_LINEAR}bias")
    )
    matrix, shift = weight * gain * np.sqrt(dimension), weight @ bias + offset
    maps = {
        SLIDE_PROJECTION: (matrix, shift),
        TEXT_PROJECTION: (np.hstack([np.sqrt(2) * matrix, np.zeros_like(matrix)]), shift),
        MOSAIC_TEXT_PROJECTION: (np.eye(dimension, 2 * dimension, dimension), np.zeros(dimension)),
    }
    return {
        f"{prefix}{name}": value.astype(np.float32)
        for prefix, (own, added) in maps.items()
        for name, value in (("weight", own), ("bias", added))
    }
