"""A new family of slide encoders is one class and one line in the registry: everything else takes it as it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from histoseek.api import Archive
from histoseek.archive.reencode import reencode
from histoseek.archive.space_folders import SpaceChange
from histoseek.encoders.bag import Bag, load_bag
from histoseek.encoders.checkpoints.importing import ImportRequest, import_checkpoint
from histoseek.encoders.recipe import Recipe
from histoseek.encoders.slide import registry
from histoseek.encoders.slide.base import MosaicPart, Shapes, SlideEmbedding, SlideModel
from histoseek.encoders.weights import FeatureSpace, Weights, WeightsCard, load_weights, save_weights
from histoseek.errors import ConfigurationError, WeightsError
from histoseek.evaluation.evaluate import evaluate
from histoseek.evaluation.settings import EvaluationSpec
from histoseek.statistics.clustering import normalise_rows
from tests.cli.process import refused
from tests.evaluation.archives import labelled_archive
from tests.weights import small_weights

COUNT, FEATURES, DIMENSION = 24, 24, 8


@dataclass(frozen=True)
class ToyArchitecture:
    family: ClassVar[str] = "toy"

    input_dimension: int
    dimension: int
    mosaic_size: int = 2


@dataclass(frozen=True)
class ToyEncoder:
    """Two mosaic vectors: the projected means of the first and the second half of the tiles."""

    name: str
    matrix: np.ndarray

    @property
    def input_dimension(self) -> int:
        return self.matrix.shape[1]

    @property
    def dimension(self) -> int:
        return self.matrix.shape[0]

    def encode(self, bag: Bag) -> SlideEmbedding:
        halves = np.array_split(np.arange(len(bag)), 2)
        vectors = normalise_rows(np.stack([bag.features[half].mean(0) @ self.matrix.T for half in halves]))
        one = np.ones(1, np.float32)
        parts = tuple(MosaicPart(vectors[i], bag.coords[halves[i][:1]], one, 0.5) for i in range(2))
        return SlideEmbedding(normalise_rows(vectors.mean(0)[None])[0], parts)


class ToyFamily:
    name = "toy"
    modes = ("plain",)

    def encoder_name(self, mode: str) -> str:
        return f"toy-1-{mode}"

    def parse(self, sizes: Mapping[str, Any]) -> ToyArchitecture:
        return ToyArchitecture(**sizes)

    def infer(self, shapes: Shapes) -> ToyArchitecture:
        if "weight" not in shapes:
            raise ValueError("no toy checkpoint (no visual.weight)")
        dimension, input_dimension = shapes["weight"]
        return ToyArchitecture(input_dimension, dimension)

    def design(self, sizes: Mapping[str, int]) -> ToyArchitecture:
        return ToyArchitecture(sizes["input_dimension"], sizes["dimension"])

    def network(self, architecture: ToyArchitecture) -> nn.Module:
        return nn.Linear(architecture.input_dimension, architecture.dimension, bias=False)

    def build(self, model: SlideModel) -> ToyEncoder:
        return ToyEncoder(self.encoder_name(model.mode), model.tensors["weight"])


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "FAMILIES", (*registry.FAMILIES, ToyFamily()))


def matrix() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((DIMENSION, FEATURES)).astype(np.float32)


def toy_weights() -> Weights:
    card = WeightsCard(
        name="toy",
        architecture=ToyArchitecture(FEATURES, DIMENSION),
        mode="plain",
        features=FeatureSpace("test"),
        text=None,
        data="random numbers",
        licence="Apache-2.0",
        source="a test",
        seed=1,
        version="0",
        created="2026-01-01T00:00:00+00:00",
    )
    return Weights.from_tensors(card, {"visual.weight": matrix()})


def naive_vector(archive: Archive, slide_id: str) -> np.ndarray:
    features = load_bag(archive.layout.bag(slide_id)).features
    halves = np.stack([half.mean(0) @ matrix().T for half in np.array_split(features, 2)])
    mean = (halves / np.linalg.norm(halves, axis=1, keepdims=True)).mean(0)
    return mean / np.linalg.norm(mean)


@pytest.mark.usefixtures("toy")
def test_an_archive_is_made_searched_and_evaluated_with_a_new_family(tmp_path: Path) -> None:
    save_weights(toy_weights(), tmp_path / "toy.safetensors")
    weights = load_weights(tmp_path / "toy.safetensors")
    assert weights.card == toy_weights().card
    assert (weights.card.family, weights.card.slide_encoder) == ("toy", "toy-1-plain")
    untrained = labelled_archive(tmp_path / "untrained", [i % 2 for i in range(COUNT)], [i // 2 for i in range(COUNT)])
    archive = Archive.create(
        tmp_path / "archive", Recipe(encoder="features:test"), weights=weights, text_encoder="none"
    )
    report = archive.index([tmp_path / "untrained" / "features"], tmp_path / "untrained" / "slides.csv")
    assert (report.added, report.warnings) == (COUNT, ())
    assert (archive.require_space().slide_encoder, archive.require_space().dimension) == ("toy-1-plain", DIMENSION)
    assert np.allclose(archive.get("slide-003").signature.global_vector, naive_vector(archive, "slide-003"), atol=1e-6)
    assert untrained.require_space().slide_encoder == "pooled-1"
    reencode(untrained, SpaceChange(weights=weights))
    assert untrained.require_space() == archive.require_space()
    for opened in (archive, Archive.open(untrained.path)):
        found = opened.search(like="slide-000", k=3, distance="global")
        others = [record.slide_id for record in opened.records() if record.patient_id != "patient-0"]
        nearest = max(others, key=lambda other: naive_vector(opened, "slide-000") @ naive_vector(opened, other))
        assert next(iter(found)).slide_id == nearest
    evaluation = evaluate(archive, EvaluationSpec(systems=("global", "random")))
    assert evaluation.subject.slides == COUNT
    assert any("the slide encoder was trained" in warning for warning in evaluation.warnings)
    reencode(archive, SpaceChange(untrained=True))
    assert archive.require_space().slide_encoder == "pooled-1"
    assert not any(
        "was trained" in warning for warning in evaluate(archive, EvaluationSpec(systems=("random",))).warnings
    )


@pytest.mark.usefixtures("toy")
def test_published_checkpoints_of_a_new_family_are_told_by_their_tensors(tmp_path: Path) -> None:
    request = ImportRequest("published", FeatureSpace("test"), text_encoder=None)
    torch.save({"model": {"visual.weight": torch.from_numpy(matrix())}}, tmp_path / "toy.pt")
    weights = import_checkpoint(tmp_path / "toy.pt", request)
    assert (weights.card.architecture, weights.card.mode) == (ToyArchitecture(FEATURES, DIMENSION), "plain")
    with pytest.raises(ConfigurationError, match="mode masked: is not a mode of toy"):
        import_checkpoint(tmp_path / "toy.pt", replace(request, mode="masked"))
    torch.save({"visual.other": torch.zeros(2)}, tmp_path / "other.pt")
    with pytest.raises(WeightsError, match=r"is no PathSearch checkpoint .*, no toy checkpoint \(no visual.weight\)"):
        import_checkpoint(tmp_path / "other.pt", request)


def test_weights_of_an_unknown_family_are_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(small_weights(), path)
    card = json.loads(path.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps({**card, "family": "toy"}))
    with pytest.raises(WeightsError, match=r"w\.json: .*family 'toy', known are pathsearch") as caught:
        load_weights(path)
    assert "\n" not in str(caught.value)
    assert "known are pathsearch" in refused("weights", "show", path)


def test_cards_without_a_family_are_read_as_before(tmp_path: Path) -> None:
    path, weights = tmp_path / "w.safetensors", small_weights(mode="reference")
    save_weights(weights, path)
    card = json.loads(path.with_suffix(".json").read_text())
    assert card.pop("family") == "pathsearch"
    path.with_suffix(".json").write_text(json.dumps(card))
    assert load_weights(path).card == weights.card
    assert weights.card.slide_encoder == "pathsearch-1-reference"
    assert small_weights().card.slide_encoder == "pathsearch-1-masked"
