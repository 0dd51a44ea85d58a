"""A finished training as weights, with a card that says what it was and how well it does."""

from __future__ import annotations

import math
import secrets
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from histoseek._version import __version__
from histoseek.encoders.slide.registry import find_family
from histoseek.encoders.weights import (
    PARTS,
    CardMetric,
    FeatureSpace,
    PartName,
    PatientParts,
    TextPart,
    TrainingFacts,
    Weights,
    WeightsCard,
)
from histoseek.jsonable import plain
from histoseek.training.recall_at_k import RecallAtK

if TYPE_CHECKING:
    from histoseek.training.slides.result import TrainingResult


def make_weights(
    result: TrainingResult, name: str, text_spec: str, features: FeatureSpace, *, data: str, licence: str
) -> Weights:
    """Weights of a training result; text_spec: how its text encoder was loaded; metrics are those of the test part."""
    tensors = {key: tensor.numpy() for key, tensor in result.state.items()}
    card = WeightsCard(
        name=name,
        architecture=result.architecture,
        mode=find_family(result.architecture.family).modes[-1],
        features=features,
        text=TextPart(text_spec, int(tensors["text_projection.weight"].shape[1]), result.text_weights),
        data=f"{_counts(result)}; {data}",
        licence=licence,
        source=f"trained by histoseek, best epoch {result.best_epoch} of {result.epochs}",
        seed=result.settings.seed,
        version=__version__,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        metrics=tuple(_metric(recall) for recall in result.test.after.recalls if recall.queries),
        training=make_facts(result),
    )
    return Weights.from_tensors(card, tensors)


def make_facts(result: TrainingResult) -> TrainingFacts:
    """Settings, parts, baselines and prompts of a training; no id of a patient or slide, and no path."""
    settings = {name: value for name, value in plain(asdict(result.settings)).items() if name != "split"}
    settings["split"] = "drawn with the seed" if result.settings.split is None else "given"
    parts: dict[PartName, list[tuple[str, str]]] = {
        part: [(pair.patient_id, pair.slide_id) for pair in getattr(result.split, part)] for part in PARTS
    }
    judged = [(f"{each.name}, ", recall) for each in result.baselines for recall in each.recalls]
    judged += [("random network, ", recall) for recall in result.test.before.recalls]
    baselines = tuple(_metric(recall, prefix) for prefix, recall in judged if recall.queries)
    prompts = {prompt.concept_id: prompt.patients for prompt in result.prompts}
    return TrainingFacts(settings, PatientParts.from_ids(parts, secrets.token_hex(8)), baselines, prompts)


def _counts(result: TrainingResult) -> str:
    split = result.split
    parts = (("train", split.train), ("validation", split.validation), ("test", split.test))
    counts = [f"{name} {len(part)} of {len({pair.patient_id for pair in part})} patients" for name, part in parts]
    guessed = sum(not pair.patient_known for _, part in parts for pair in part)
    note = f" ({guessed} pairs without a patient id: patients may be in several parts)" if guessed else ""
    return f"slide-report pairs: {', '.join(counts)}{note}"


def _metric(recall: RecallAtK, prefix: str = "") -> CardMetric:
    name = f"{prefix}test {recall.direction} recall@{recall.k} by {recall.answer}"
    low, high = (None if math.isnan(bound) else bound for bound in (recall.low, recall.high))
    return CardMetric(name, recall.value, low, high, recall.chance)
