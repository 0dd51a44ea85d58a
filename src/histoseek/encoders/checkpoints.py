"""Published checkpoints: read without running what is in them, checked name by name, turned into weights.

A checkpoint is a state dict, at times under the key `model`, at times with the prefix `module.`, with the slide
encoder under `visual.`, the text tower under `text_model.`, `text_projection` and `logit_scale`. The family of the
slide encoder and its sizes show in the names and shapes of its tensors. Files of other publications name their tensors
as they like (`slide.published.layouts`), and their cards say of which features they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from histoseek._version import __version__
from histoseek.encoders.cards.card import SlideModelCard
from histoseek.encoders.cards.catalogue import list_slide_models, list_tile_models
from histoseek.encoders.published_files.identity import digest_weights
from histoseek.encoders.slide.base import VISUAL, Architecture, Shapes, SlideEncoderFamily
from histoseek.encoders.slide.published.family import PublishedFamily, find_published
from histoseek.encoders.slide.registry import identify_family
from histoseek.encoders.weight_files import read_state, unwrap_state
from histoseek.encoders.weights import (
    LOGIT_SCALE,
    TEXT_MODEL,
    TEXT_PROJECTION,
    FeatureSpace,
    TextPart,
    Weights,
    WeightsCard,
)
from histoseek.errors import ConfigurationError, EncoderError, MissingExtra, SlideNotFound, WeightsError

if TYPE_CHECKING:
    from torch import Tensor

_WRAPPERS = ("model", "state_dict", "teacher_slide_encoder")
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What a checkpoint does not say of itself.

    features: what its tiles were encoded with, None for what is published of it; mode: how it is computed, None for
    the usual of its family;
    text_encoder: where its text tower's tokenizer and shape come from (`load_text_encoder`), None to leave the text
    part out.
    """

    name: str
    features: FeatureSpace | None
    mode: str | None = None
    text_encoder: str | None = "biomedclip"
    licence: str | None = None
    data: str = "not stated"


PATHSEARCH_FEATURES = FeatureSpace("conch_v1_5", 0.5, 512)
"""What the published PathSearch takes."""


def import_checkpoint(path: Path, request: ImportRequest) -> Weights:
    """Read a checkpoint (.pt, .pth, .bin, .safetensors) and check every name and shape of it.

    Raises WeightsError for a file that is damaged, holds more than tensors, or whose tensors are not those of the
    architecture (it names what is missing, extra or of another shape); EncoderError when the text tower can't be
    loaded; MissingExtra.
    """
    content = _unwrap(_read(path))
    published = find_published(content)
    if published is not None:
        return _import_published(path, content, published, request)
    tensors = {name: value for name, value in content.items() if _is_known(name)}
    _require_values(path, tensors)
    _require_slide_encoder(path, content)
    visual = {name.removeprefix(VISUAL): value for name, value in tensors.items() if name.startswith(VISUAL)}
    shapes = _shapes(visual)
    try:
        family, architecture = identify_family(shapes)
    except ValueError as error:
        raise WeightsError(path, f"is {error}", "See docs/weights.md") from error
    _check(path, shapes, _make_shapes(family, architecture), "slide encoder")
    selected = {f"{VISUAL}{name}": value for name, value in visual.items()}
    text = None
    if request.text_encoder and any(name.startswith(TEXT_MODEL) for name in tensors):
        selected |= {name: value for name, value in tensors.items() if _is_text(name)}
        text = _text_part(path, selected, request.text_encoder, architecture)
    card = WeightsCard(
        name=request.name,
        architecture=architecture,
        mode=_require_mode(family, request.mode),
        features=request.features or PATHSEARCH_FEATURES,
        text=text,
        data=request.data,
        licence=request.licence or "unknown",
        source=f"imported from {path.name}",
        seed=None,
        version=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return Weights.from_tensors(card, {name: _to_array(value) for name, value in selected.items()})


def _require_slide_encoder(path: Path, content: Mapping[str, object]) -> None:
    if not any(name.startswith(VISUAL) for name in content):
        what = f"holds no slide encoder that is known here (it has {_list_some(sorted(content)) or 'no tensors'})"
        raise WeightsError(path, what, "See docs/weights.md for those that are")


def _import_published(
    path: Path, content: Mapping[str, Tensor], family: PublishedFamily, request: ImportRequest
) -> Weights:
    """The weights of a file that its names tell; what its card says counts where the request says nothing."""
    visual = family.layout.select(content)
    _require_values(path, visual)
    try:
        architecture = family.infer(_shapes(visual))
    except ValueError as error:
        raise WeightsError(path, f"is {error}", "See docs/weights.md") from error
    visual = _untie(path, family, visual)
    _check(path, _shapes(visual), _make_shapes(family, architecture), f"slide encoder of {family.title}")
    model, is_published = find_slide_model(path, family, architecture)
    card = WeightsCard(
        name=request.name,
        architecture=architecture,
        mode=_require_mode(family, request.mode),
        features=request.features or FeatureSpace(model.tile_encoder, model.spacing_um_per_px, model.tile_px),
        text=None,
        data=request.data,
        licence=request.licence or model.publication.licence,
        source=f"imported from {path.name}, {model.name} {'as published' if is_published else 'in another file'}",
        seed=None,
        version=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return Weights.from_tensors(card, {f"{VISUAL}{name}": _to_array(value) for name, value in visual.items()})


def find_slide_model(path: Path, family: PublishedFamily, sizes: Architecture) -> tuple[SlideModelCard, bool]:
    """The card of a published slide encoder: the one whose checksum its file has, else that of the family for features
    of this dimension; and whether it is that very file."""
    models = [model for model in list_slide_models() if model.family == family.name]
    digest = digest_weights(path)
    for model in models:
        if any(file.sha256 == digest for file in model.publication.files):
            return model, True
    dimensions = {model.name: {each.dimension for each in model.variants} for model in list_tile_models()}
    fitting = [model for model in models if sizes.input_dimension in dimensions.get(model.tile_encoder, ())]
    return (*fitting, *models)[0], False


def _untie(path: Path, family: PublishedFamily, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    import torch

    try:
        return family.layout.untie(tensors, torch.equal)
    except ValueError as error:
        what = f"{error.args[0]} differs from the tensor that it should be a copy of"
        raise WeightsError(path, what, "Get the file again") from error


def _require_mode(family: SlideEncoderFamily, mode: str | None) -> str:
    if mode is not None and mode not in family.modes:
        what = f"is not a mode of {family.name} slide encoders"
        raise ConfigurationError(f"mode {mode}", what, f"Choose {' or '.join(family.modes)}")
    return mode or family.modes[0]


def _read(path: Path) -> Mapping[str, object]:
    if not path.is_file():
        raise SlideNotFound(path)
    try:
        return read_state(path)
    except MissingExtra as error:
        raise MissingExtra(error.package, "train") from error
    except EncoderError as error:
        raise WeightsError(path, error.what, error.advice) from error


def _unwrap(content: Mapping[str, object]) -> dict[str, Tensor]:
    import torch

    values = {str(name).removeprefix("module."): value for name, value in unwrap_state(content, _WRAPPERS).items()}
    return {name: value for name, value in values.items() if isinstance(value, torch.Tensor) or _is_known(name)}


def _is_known(name: str) -> bool:
    return name.startswith(VISUAL) or _is_text(name)


def _require_values(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Raise WeightsError unless all are plain tensors that hold what their shape says, with finite numbers."""
    import torch

    for name, value in tensors.items():
        if not isinstance(value, torch.Tensor):
            raise WeightsError(path, f"{name} is a {type(value).__name__}, not a tensor")
        if value.layout != torch.strided or value.untyped_storage().nbytes() < value.numel() * value.element_size():
            raise WeightsError(path, f"{name} is not a plain tensor of shape {list(value.shape)}")
        if not name.endswith(("num_batches_tracked", "position_ids")) and not value.is_floating_point():
            raise WeightsError(path, f"{name} holds {value.dtype}, expected floating-point numbers")
        if not bool(torch.isfinite(value).all()):
            raise WeightsError(path, f"{name} holds NaN or infinity")


def _make_shapes(family: SlideEncoderFamily, architecture: Architecture) -> Shapes:
    import torch

    with torch.device("meta"):
        return _shapes(family.network(architecture).state_dict())


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in tensors.items()}


def _check(path: Path, actual: Shapes, expected: Shapes, part: str) -> None:
    faults = {
        "missing": sorted(name for name in expected if name not in actual),
        "extra": sorted(name for name in actual if name not in expected),
        "of another shape": sorted(
            f"{name} {list(actual[name])} instead of {list(shape)}"
            for name, shape in expected.items()
            if name in actual and actual[name] != shape
        ),
    }
    lines = [f"{len(names)} {fault}: {_list_some(names)}" for fault, names in faults.items() if names]
    if lines:
        raise WeightsError(path, f"does not fit the {part} ({'; '.join(lines)})", "See docs/weights.md")


def _text_part(path: Path, selected: Mapping[str, Tensor], spec: str, architecture: Architecture) -> TextPart:
    """Check the text tensors against the tower they are for."""
    from histoseek.encoders.text.registry import load_tower

    tower = load_tower(spec)
    actual = {name.removeprefix(TEXT_MODEL): value for name, value in selected.items() if name.startswith(TEXT_MODEL)}
    actual = {name: value for name, value in actual.items() if not name.endswith("position_ids")}
    _check(path, _shapes(actual), _shapes(tower.state_dict()), f"text tower of {spec}")
    dimension = tower.card.dimension
    projection = selected.get(f"{TEXT_PROJECTION}weight")
    if projection is None or tuple(projection.shape) != (architecture.dimension, dimension):
        shape = "missing" if projection is None else f"of shape {list(projection.shape)}"
        raise WeightsError(path, f"its text_projection is {shape}, expected [{architecture.dimension}, {dimension}]")
    return TextPart(spec, dimension)


def _is_text(name: str) -> bool:
    return name.startswith((TEXT_MODEL, TEXT_PROJECTION)) or name == LOGIT_SCALE


def _list_some(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _to_array(tensor: Tensor) -> np.ndarray:
    return np.asarray((tensor.float() if tensor.is_floating_point() else tensor).numpy())
