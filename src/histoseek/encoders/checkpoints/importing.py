"""Published checkpoints: read without running what is in them, checked name by name, turned into weights.

A checkpoint is a state dict, at times under the key `model`, at times with the prefix `module.`, with the slide
encoder under `visual.`, the text tower under `text_model.`, `text_projection` and `logit_scale`. The family of the
slide encoder and its sizes show in the names and shapes of its tensors. Files of other publications name their tensors
as they like (`slide.published.layouts`), and their cards say of which features they are. State dicts of FGCR's
reference are told by their names, too (`checkpoints.fgcr`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from histoseek._version import __version__
from histoseek.encoders.cards.card import SlideModelCard
from histoseek.encoders.cards.catalogue import list_slide_models, list_tile_models
from histoseek.encoders.checkpoints.fgcr import import_reference, require_reference_texts
from histoseek.encoders.checkpoints.tensors import (
    list_shapes,
    list_some,
    read_checkpoint,
    require_shapes,
    require_values,
    to_array,
)
from histoseek.encoders.published_files.identity import digest_weights
from histoseek.encoders.slide.base import VISUAL, Architecture, Shapes, SlideEncoderFamily
from histoseek.encoders.slide.fgcr.reference_layout import is_reference
from histoseek.encoders.slide.published.family import PublishedFamily, find_published
from histoseek.encoders.slide.registry import find_family, identify_family
from histoseek.encoders.weights import (
    LOGIT_SCALE,
    TEXT_MODEL,
    TEXT_PROJECTION,
    UNKNOWN_ENCODER,
    FeatureSpace,
    TextPart,
    Weights,
    WeightsCard,
)
from histoseek.errors import ConfigurationError, WeightsError

if TYPE_CHECKING:
    from torch import Tensor

_PARTS = (VISUAL, TEXT_MODEL, TEXT_PROJECTION, LOGIT_SCALE)


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What a checkpoint does not say of itself.

    features: what its tiles were encoded with, None for what is published of it; mode: how it is computed, None for
    the usual of its family;
    text_encoder: where its text tower's tokenizer and shape come from (`load_text_encoder`), None to leave the text
    part out; vocabulary, prompts: files with the words of a training with FGCR's reference, whose state dict has all
    of its text encoder but these.
    """

    name: str
    features: FeatureSpace | None
    mode: str | None = None
    text_encoder: str | None = "biomedclip"
    licence: str | None = None
    data: str = "not stated"
    vocabulary: Path | None = None
    prompts: Path | None = None


PATHSEARCH_FEATURES = FeatureSpace("conch_v1_5", 0.5, 512)
"""What the published PathSearch takes."""


def import_checkpoint(path: Path, request: ImportRequest) -> Weights:
    """Read a checkpoint (.pt, .pth, .bin, .safetensors) and check every name and shape of it.

    Raises WeightsError for a file that is damaged, holds more than tensors, or whose tensors are not those of the
    architecture (it names what is missing, extra or of another shape); EncoderError when the text tower can't be
    loaded; MissingExtra.
    """
    content = read_checkpoint(path, _PARTS)
    if is_reference(content):
        return _import_reference(path, content, request)
    _require_no_words(request)
    published = find_published(content)
    if published is not None:
        return _import_published(path, content, published, request)
    tensors = {name: value for name, value in content.items() if name.startswith(_PARTS)}
    require_values(path, tensors)
    _require_slide_encoder(path, content)
    visual = {name.removeprefix(VISUAL): value for name, value in tensors.items() if name.startswith(VISUAL)}
    shapes = list_shapes(visual)
    try:
        family, architecture = identify_family(shapes)
    except ValueError as error:
        raise WeightsError(path, f"is {error}", "See docs/weights.md") from error
    require_shapes(path, shapes, _make_shapes(family, architecture), "slide encoder")
    selected = {f"{VISUAL}{name}": value for name, value in visual.items()}
    text = None
    if request.text_encoder and any(name.startswith(TEXT_MODEL) for name in tensors):
        selected |= {name: value for name, value in tensors.items() if _is_text(name)}
        text = _text_part(path, selected, request.text_encoder, architecture)
    features = request.features or PATHSEARCH_FEATURES
    card = _make_card(path, request, architecture, features, request.licence or "unknown", text=text)
    return Weights.from_tensors(card, {name: to_array(value) for name, value in selected.items()})


def _require_no_words(request: ImportRequest) -> None:
    if request.vocabulary or request.prompts:
        what = "--vocabulary" if request.vocabulary else "--prompts"
        raise ConfigurationError(what, "is for state dicts of FGCR's reference", "Leave it out")


def _require_slide_encoder(path: Path, content: Mapping[str, object]) -> None:
    if not any(name.startswith(VISUAL) for name in content):
        what = f"holds no slide encoder that is known here (it has {list_some(sorted(content)) or 'no tensors'})"
        raise WeightsError(path, what, "See docs/weights.md for those that are")


def _import_published(
    path: Path, content: Mapping[str, Tensor], family: PublishedFamily, request: ImportRequest
) -> Weights:
    """The weights of a file that its names tell; what its card says counts where the request says nothing."""
    visual = family.layout.select(content)
    require_values(path, visual)
    try:
        architecture = family.infer(list_shapes(visual))
    except ValueError as error:
        raise WeightsError(path, f"is {error}", "See docs/weights.md") from error
    visual = _untie(path, family, visual)
    require_shapes(path, list_shapes(visual), _make_shapes(family, architecture), f"slide encoder of {family.title}")
    model, is_published = find_slide_model(path, family, architecture)
    features = request.features or FeatureSpace(model.tile_encoder, model.spacing_um_per_px, model.tile_px)
    licence = request.licence or model.publication.licence
    kind = f", {model.name} {'as published' if is_published else 'in another file'}"
    card = _make_card(path, request, architecture, features, licence, kind)
    return Weights.from_tensors(card, {f"{VISUAL}{name}": to_array(value) for name, value in visual.items()})


def _import_reference(path: Path, content: Mapping[str, Tensor], request: ImportRequest) -> Weights:
    """The weights of a state dict of FGCR's reference."""
    if request.mode not in (None, "reference"):
        raise ConfigurationError(f"mode {request.mode}", "is not that of FGCR's reference", "Leave --mode out")
    texts = require_reference_texts(request.text_encoder, request.vocabulary, request.prompts)
    architecture, tensors, text = import_reference(path, content, texts)
    kind = ", a training with FGCR's reference"
    features = request.features or FeatureSpace(UNKNOWN_ENCODER)
    card = _make_card(path, request, architecture, features, request.licence or "unknown", kind, text)
    return Weights.from_tensors(card, tensors)


def _make_card(
    path: Path,
    request: ImportRequest,
    architecture: Architecture,
    features: FeatureSpace,
    licence: str,
    kind: str = "",
    text: TextPart | None = None,
) -> WeightsCard:
    """The card of an imported file; kind: what it is, where that is known."""
    return WeightsCard(
        name=request.name,
        architecture=architecture,
        mode=_require_mode(find_family(architecture.family), request.mode),
        features=features,
        text=text,
        data=request.data,
        licence=licence,
        source=f"imported from {path.name}{kind}",
        seed=None,
        version=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


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


def _text_part(path: Path, selected: Mapping[str, Tensor], spec: str, architecture: Architecture) -> TextPart:
    """Check the text tensors against the tower they are for."""
    from histoseek.encoders.text.registry import load_tower

    tower = load_tower(spec)
    actual = {name.removeprefix(TEXT_MODEL): value for name, value in selected.items() if name.startswith(TEXT_MODEL)}
    actual = {name: value for name, value in actual.items() if not name.endswith("position_ids")}
    require_shapes(path, list_shapes(actual), list_shapes(tower.state_dict()), f"text tower of {spec}")
    dimension = tower.card.dimension
    projection = selected.get(f"{TEXT_PROJECTION}weight")
    if projection is None or tuple(projection.shape) != (architecture.dimension, dimension):
        shape = "missing" if projection is None else f"of shape {list(projection.shape)}"
        raise WeightsError(path, f"its text_projection is {shape}, expected [{architecture.dimension}, {dimension}]")
    return TextPart(spec, dimension)


def _is_text(name: str) -> bool:
    return name.startswith((TEXT_MODEL, TEXT_PROJECTION)) or name == LOGIT_SCALE


def _make_shapes(family: SlideEncoderFamily, architecture: Architecture) -> Shapes:
    import torch

    with torch.device("meta"):
        return list_shapes(family.network(architecture).state_dict())
