"""Weights files: tensors under the published names (safetensors) with a JSON card that says what they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from histoseek.bounds import format_bytes, require_file_bytes
from histoseek.encoders.alignment import Affine, Alignment, SharedRecall, join_alignments
from histoseek.encoders.recipe import Recipe
from histoseek.encoders.slide.base import VISUAL, Architecture, SlideEncoder, SlideModel, Tensors
from histoseek.encoders.slide.paired.architecture import PairedArchitecture
from histoseek.encoders.slide.paired.family import PREFIXES
from histoseek.encoders.slide.registry import FAMILIES, find_family
from histoseek.equality import EqualByContent
from histoseek.errors import (
    ConfigurationError,
    HistoseekError,
    SpaceMismatch,
    UnknownEncoder,
    UnknownWeights,
    WeightsError,
)
from histoseek.files import make_folder, write_atomic

SUFFIX = ".safetensors"
TEXT_MODEL = "text_model."
TEXT_PROJECTION = "text_projection."
SLIDE_PROJECTION = "slide_projection."
MOSAIC_TEXT_PROJECTION = "mosaic_text_projection."
LOGIT_SCALE = "logit_scale"

PartName = Literal["train", "validation", "test"]
PARTS: tuple[PartName, ...] = ("train", "validation", "test")

SHARED_RECALL = "test text->slide recall@5 by group"
"""The figure of a card that says how well texts find slides in the space that was trained."""


_MOST_CARD_BYTES = 64 * 2**20

UNKNOWN_ENCODER = "unknown"
"""The tile encoder of features of which nobody says what made them."""


@dataclass(frozen=True, slots=True)
class FeatureSpace:
    """The features that a slide encoder takes: from which tile encoder, at which um/px and tile edge in px.

    0 stands for an unknown spacing or edge, UNKNOWN_ENCODER for an encoder.
    """

    tile_encoder: str
    spacing_um_per_px: float = 0.0
    tile_edge_px: int = 0


@dataclass(frozen=True, slots=True)
class TextPart:
    """The text tower that was trained with the slide encoder.

    encoder: what it was loaded from (`load_text_encoder`); dimension: of its vectors before the projection; weights:
    hash of the untrained weights, "" when the file holds all of them.
    """

    encoder: str
    dimension: int
    weights: str = ""


@dataclass(frozen=True, slots=True)
class CardMetric:
    """A measured figure with its 95 % interval and what chance gives; None where that is not defined."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    chance: float | None = None


@dataclass(frozen=True, slots=True)
class PatientParts:
    """Which patients and slides were in which part of a training, as keys that lead back to no id.

    A key is a keyed hash of an id under the training's own salt. Whoever has a list of ids can try which of them were
    there, as `histoseek evaluate` does with those of an archive; nobody can read an id out of it.
    """

    salt: str
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]

    @classmethod
    def from_ids(cls, parts: Mapping[PartName, Iterable[tuple[str, str]]], salt: str) -> PatientParts:
        """From the pairs of patient key and slide id of each part."""
        keys = {
            part: tuple(sorted({key for patient, slide in ids for key in _hash_ids(salt, patient, slide)}))
            for part, ids in parts.items()
        }
        return cls(salt, keys["train"], keys["validation"], keys["test"])

    def find_parts(self, ids: Iterable[tuple[str, str]]) -> list[PartName | None]:
        """For pairs of patient key and slide id the part that either was in, None for what was not there.

        Of several, that which taught the weights most.
        """
        keys = {part: frozenset(getattr(self, part)) for part in PARTS}
        hashed = [_hash_ids(self.salt, patient, slide) for patient, slide in ids]
        return [next((part for part in PARTS if not keys[part].isdisjoint(own)), None) for own in hashed]


@dataclass(frozen=True, slots=True)
class TrainingFacts:
    """How weights came to be, as far as another training would need it.

    settings: all of them, by name; parts: who was trained on and who was held out; baselines: figures of other
    encoders, on the same patients held out as the card's own metrics; prompts: concepts of the vocabulary that regions
    were aligned with, and of how many patients of the train part each is stated.
    """

    settings: Mapping[str, object]
    parts: PatientParts
    baselines: tuple[CardMetric, ...] = ()
    prompts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WeightsCard:
    """What a weights file says about itself.

    family: the kind of slide encoder, as its architecture has it; mode: in which of the family's ways it is computed;
    created: UTC; sha256: of the tensors' file; training: None where it was another program's, or an older version's,
    and for a pair; parts: the cards of both weights that a pair is made of, none else.
    """

    name: str
    family: str = field(init=False)
    architecture: Architecture
    mode: str
    features: FeatureSpace
    text: TextPart | None
    data: str
    licence: str
    source: str
    seed: int | None
    version: str
    created: str
    metrics: tuple[CardMetric, ...] = ()
    sha256: str = ""
    training: TrainingFacts | None = None
    parts: tuple[WeightsCard, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "family", self.architecture.family)
        sizes = self.architecture
        stated = [(each.family, each.mode, each.architecture) for each in self.parts]
        pair = [sizes.first, sizes.second] if isinstance(sizes, PairedArchitecture) else []
        if stated != [(each.family, each.mode, each.architecture) for each in pair]:
            raise ValueError("architecture and parts of the card are not of the same encoders")
        texts = (self.name, self.data, self.licence, self.source, self.features.tile_encoder, self.sha256)
        if self.mode not in find_family(self.family).modes or not all(isinstance(text, str) for text in texts):
            raise ValueError("mode or a text of the card is not what it should be")

    @property
    def fingerprint(self) -> str:
        """Short hash of tensors and mode, of a pair also of both parts and their share; part of the embedding space."""
        facts = [self.sha256, self.mode, *(part.fingerprint for part in self.parts)]
        if isinstance(self.architecture, PairedArchitecture):
            facts.append(repr(self.architecture.share))
        return hashlib.sha256(" ".join(facts).encode()).hexdigest()[:16]

    @property
    def trained(self) -> tuple[WeightsCard, ...]:
        """The cards of what was trained by itself: both parts of a pair, else this one."""
        return self.parts or (self,)

    @property
    def shared_recall(self) -> SharedRecall | None:
        """How well texts find slides of the test part, None where the card does not say."""
        metric = next((each for each in self.metrics if each.name == SHARED_RECALL), None)
        return None if metric is None or metric.chance is None else SharedRecall(metric.value, metric.chance)

    @property
    def slide_encoder(self) -> str:
        """The name that archives know it by."""
        return find_family(self.family).encoder_name(self.mode)


@dataclass(frozen=True, slots=True, eq=False)
class Weights(EqualByContent):
    """A weights file in memory."""

    card: WeightsCard
    tensors: Tensors

    @classmethod
    def from_tensors(cls, card: WeightsCard, tensors: Tensors) -> Weights:
        """New weights, with the checksum of the tensors on their card."""
        return cls(replace(card, sha256=hashlib.sha256(_serialise(tensors)).hexdigest()), tensors)

    def part(self, prefix: str) -> dict[str, NDArray[np.generic]]:
        """The tensors whose names begin with `prefix`, without it."""
        return {name.removeprefix(prefix): value for name, value in self.tensors.items() if name.startswith(prefix)}

    def split(self) -> tuple[Weights, ...]:
        """Both weights that a pair is made of, as they were; these alone for others."""
        if not self.card.parts:
            return (self,)
        return tuple(Weights(card, self.part(prefix)) for card, prefix in zip(self.card.parts, PREFIXES, strict=True))

    def build_slide_encoder(self) -> SlideEncoder:
        """The slide encoder of these weights; raises WeightsError when names or shapes don't fit the card."""
        card = self.card
        tensors = self.tensors if card.parts else self.part(VISUAL)
        model = SlideModel(card.name, card.architecture, card.mode, tensors)
        return find_family(card.family).build(model)

    @property
    def alignment(self) -> Alignment | None:
        """The shared space that was trained: texts through their projection, slides through theirs if they have one; of
        a pair both spaces side by side, or that of the one which has texts."""
        if isinstance(self.card.architecture, PairedArchitecture):
            first, second = self.split()
            return join_alignments(first.alignment, second.alignment, self.card.architecture.layout)
        text = self._read_projection(TEXT_PROJECTION)
        if text is None:
            return None
        slide, mosaic_text = (self._read_projection(name) for name in (SLIDE_PROJECTION, MOSAIC_TEXT_PROJECTION))
        return Alignment("projection", slide, text, self.card.shared_recall, mosaic_text=mosaic_text)

    def _read_projection(self, prefix: str) -> Affine | None:
        part = self.part(prefix)
        if not part:
            return None
        matrix = np.ascontiguousarray(part["weight"].T, dtype=np.float32)
        return Affine(matrix, np.asarray(part.get("bias", np.zeros(matrix.shape[1])), np.float32))


def save_weights(weights: Weights, path: Path) -> None:
    """Write the tensors (.safetensors) and then the card (.json)."""
    make_folder(path.parent)
    write_atomic(path, _serialise(weights.tensors))
    write_atomic(card_path(path), json.dumps(asdict(weights.card), indent=1).encode())


def load_card(path: Path) -> WeightsCard:
    """The card beside a weights file; raises UnknownWeights or WeightsError."""
    if not path.is_file():
        raise UnknownWeights(str(path), ())
    try:
        if card_path(path).stat().st_size > _MOST_CARD_BYTES:
            raise WeightsError(card_path(path), f"is larger than {format_bytes(_MOST_CARD_BYTES)}")
        return _card(json.loads(card_path(path).read_text()))
    except FileNotFoundError as error:
        advice = "Bring it in with `histoseek weights import`"
        raise WeightsError(path, f"has no card ({card_path(path).name}) beside it", advice) from error
    except UnknownEncoder as error:
        what = f"is for slide encoders of the family {error.name!r}, known are {', '.join(error.known)}"
        raise WeightsError(card_path(path), what, "Update histoseek, or use other weights") from error
    except ConfigurationError as error:
        what = f"states an impossible {error.where}: {error.what}"
        raise WeightsError(card_path(path), what, "Get the file again") from error
    except HistoseekError:
        raise
    except (ArithmeticError, AttributeError, LookupError, OSError, RecursionError, ValueError, TypeError) as error:
        raise WeightsError(card_path(path), f"is no readable weights card ({type(error).__name__})") from error


def load_weights(path: Path) -> Weights:
    """Read a weights file and its card; raises UnknownWeights, or WeightsError for one that is damaged."""
    card = load_card(path)
    try:
        require_file_bytes(path)
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != card.sha256:
            raise WeightsError(path, "is damaged: the checksum in its card differs", "Get the file again")
        return Weights(card, load(data))
    except (OSError, SafetensorError) as error:
        raise WeightsError(path, "is not a readable safetensors file", "Get the file again") from error


def require_features(card: WeightsCard, recipe: Recipe) -> None:
    """Raise SpaceMismatch when a recipe makes other features than the weights were trained on."""
    encoder = recipe.encoder.removeprefix("features:")
    trained_on = card.features.tile_encoder
    if trained_on != UNKNOWN_ENCODER and simplify_encoder_name(encoder) != simplify_encoder_name(trained_on):
        raise SpaceMismatch(f"weights {card.name}", "tile encoder", encoder, trained_on)
    spacing = card.features.spacing_um_per_px
    if spacing and abs(spacing - recipe.spacing_um_per_px) > 0.01 * spacing:
        parts = f"{recipe.spacing_um_per_px:g}", f"{spacing:g}"
        raise SpaceMismatch(f"weights {card.name}", "spacing in um/px", *parts)


def _parse_training(data: dict[str, Any]) -> TrainingFacts:
    parts = {name: tuple(data["parts"][name]) for name in PARTS}
    metrics = tuple(CardMetric(**metric) for metric in data["baselines"])
    prompts = {str(concept_id): int(patients) for concept_id, patients in data.get("prompts", {}).items()}
    return TrainingFacts(data["settings"], PatientParts(str(data["parts"]["salt"]), **parts), metrics, prompts)


def _hash_ids(salt: str, patient: str, slide_id: str) -> set[str]:
    """The keys of a patient and of a slide."""
    texts = (f"patient {patient}", f"slide {slide_id}")
    return {blake2b(text.encode(errors="replace"), key=salt.encode(), digest_size=8).hexdigest() for text in texts}


def simplify_encoder_name(name: str) -> str:
    """An encoder's name without what people write differently: "CONCH v1.5" is "conch_v15"."""
    return "".join(character for character in name.lower() if character.isalnum())


def card_path(path: Path) -> Path:
    """Where the card of a weights file lies."""
    return path.with_suffix(".json")


def _serialise(tensors: Tensors) -> bytes:
    return save({name: np.asarray(value, order="C") for name, value in tensors.items()})


def _card(data: dict[str, Any]) -> WeightsCard:
    family = find_family(data["family"] if "family" in data else FAMILIES[0].name)
    parts = {
        "architecture": family.parse(data["architecture"]),
        "features": FeatureSpace(**data["features"]),
        "text": TextPart(**data["text"]) if data["text"] else None,
        "metrics": tuple(CardMetric(**metric) for metric in data["metrics"]),
        "training": _parse_training(data["training"]) if data.get("training") else None,
        "parts": tuple(_card(part) for part in data.get("parts", ())),
    }
    return WeightsCard(**{**{name: value for name, value in data.items() if name != "family"}, **parts})
