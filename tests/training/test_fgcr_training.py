"""Whole trainings of FGCR, small ones: the loop, resume, log and card of PathSearch's, with prompts and regions."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from histoseek.encoders.features.feature_files import write_features
from histoseek.encoders.slide.base import RegionalEncoder
from histoseek.encoders.text.tower import TextTower
from histoseek.encoders.weights import FeatureSpace, Weights, load_card, load_weights, save_weights
from histoseek.errors import ConfigurationError, InputError, NoPrompts, UnknownEncoder
from histoseek.progress import Reporter, SilentReporter
from histoseek.reports.facts.prompts import SILENT, STATED
from histoseek.training.compute import Compute, mix_seed
from histoseek.training.pairs import TrainingPair, load_pair_bag
from histoseek.training.recall_at_k import RecallAtK
from histoseek.training.slides.card import make_weights
from histoseek.training.slides.data.loader import BagLoader
from histoseek.training.slides.data.targets import ReportTargets, TrainingData
from histoseek.training.slides.encoder_file import train_slide_encoder
from histoseek.training.slides.evaluation.evaluator import pair_codes
from histoseek.training.slides.learning.distributed import World
from histoseek.training.slides.learning.learner import Learner, UnreadPairs
from histoseek.training.slides.learning.losses import alike_pairs, contrastive_loss
from histoseek.training.slides.learning.model import SlideTextModel
from histoseek.training.slides.learning.step import Batch, LearningStep
from histoseek.training.slides.objectives.build import build_objective
from histoseek.training.slides.result import TrainingResult
from histoseek.training.slides.settings import TrainingSettings
from histoseek.training.slides.train import prepare_split, train
from histoseek.training.slides.training_session import run_training
from tests.training.helpers import CARD, SMALL, SMALL_FGCR, InterruptingReporter, slides_of, train_small, write_pairs
from tests.training.test_objectives import FramedTokenizer, MixingTransformer

CPU = torch.device("cpu")
LOSSES = ("contrastive", "anchor_prompts", "token_alignment", "prompt_classes", "masked_words")
WEIGHTS = (0.5, 1.5, 2.0, 0.7, 0.3)
REPORTS = (
    "Squamous cell carcinoma with necrosis.",
    "Mucinous adenocarcinoma. No necrosis.",
    "Papillary carcinoma with perineural invasion.",
    "Papillary carcinoma. No perineural invasion.",
)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def _tower() -> TextTower:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TextTower(CARD, "0" * 16, FramedTokenizer(), MixingTransformer())


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainingPair, ...]:
    """Forty patients, each with one of four reports; the slides of ten have three tiles, fewer than anchors."""
    folder = tmp_path_factory.mktemp("pairs")
    written = write_pairs(folder, patients=30) + write_pairs(folder, patients=10, tiles=3, prefix="t")
    written = tuple(replace(p, patient_id=f"{p.slide_id[0]}{p.patient_id}", case_id=p.slide_id) for p in written)
    return tuple(replace(pair, report=REPORTS[i % 4]) for i, pair in enumerate(written))


def _train(
    pairs: Sequence[TrainingPair], work: Path, reporter: Reporter | None = None, **changes: object
) -> TrainingResult:
    return train_small(pairs, work, reporter, SMALL_FGCR, _tower(), **changes)


class NotingReporter(SilentReporter):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(scope="module")
def undisturbed(
    pairs: tuple[TrainingPair, ...], tmp_path_factory: pytest.TempPathFactory
) -> tuple[TrainingResult, Path, list[str]]:
    work, reporter = tmp_path_factory.mktemp("undisturbed"), NotingReporter()
    return _train(pairs, work, reporter), work, reporter.notes


def _rows(work: Path) -> list[dict[str, str]]:
    with (work / "log.csv").open(encoding="utf-8") as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def test_log_terminal_and_plot_tell_all_losses(undisturbed: tuple[TrainingResult, Path, list[str]]) -> None:
    result, work, notes = undisturbed
    rows = _rows(work)
    assert [row["epoch"] for row in rows] == ["1", "2"]
    for name in LOSSES:
        assert all(float(row[f"{part}_{name}"]) > 0 for row in rows for part in ("train", "validation"))
    assert tuple(result.test.after.losses) == LOSSES
    assert [note.split(":")[0] for note in notes] == ["epoch 1", "epoch 2"]
    for note, row in zip(notes, rows, strict=True):
        shown = (row["train_contrastive"], row["validation_contrastive"], row["text_to_slide_r5"])
        assert all(f"{float(value):.3f}" in note for value in shown)
    assert (work / "log.png").read_bytes().startswith(b"\x89PNG")


def test_the_card_names_prompts_and_loss_weights_but_no_report(
    pairs: tuple[TrainingPair, ...], undisturbed: tuple[TrainingResult, Path, list[str]], tmp_path: Path
) -> None:
    result = undisturbed[0]
    weights = make_weights(result, "mine", "minilm", FeatureSpace("test"), data="made up", licence="none")
    save_weights(weights, tmp_path / "mine.safetensors")
    card = load_card(tmp_path / "mine.safetensors")
    assert card == weights.card and (card.family, card.mode) == ("fgcr", "anchored")
    assert card.training is not None
    assert card.training.settings["losses"] == SMALL_FGCR.losses
    train_texts = [pair.report for pair in result.split.train]
    expected = {"necrosis": 0, "perineural-invasion": 2, "squamous-cell-carcinoma": 0, "mucinous-adenocarcinoma": 1}
    for concept_id, report in expected.items():
        assert card.training.prompts[concept_id] == train_texts.count(REPORTS[report])
    assert not any("objective" in name for name in weights.tensors)
    text = (tmp_path / "mine.json").read_text()
    assert not any(report in text for report in REPORTS)
    encoder = load_weights(tmp_path / "mine.safetensors").build_slide_encoder()
    assert isinstance(encoder, RegionalEncoder)
    bag = load_pair_bag(pairs[0])
    assert len(encoder.list_regions(bag)) == len(encoder.encode(bag).parts) > 1


def test_prompts_are_chosen_on_the_train_part_and_reports_say_of_them(pairs: tuple[TrainingPair, ...]) -> None:
    split = prepare_split(pairs, SMALL_FGCR)
    targets = ReportTargets.from_split(split, SMALL_FGCR)
    place = {prompt.concept_id: i for i, prompt in enumerate(targets.prompts)}
    found = targets.find([replace(pairs[0], report=report) for report in REPORTS])
    assert found.dtype == torch.int8 and found[:2, place["necrosis"]].tolist() == [STATED, SILENT]
    assert found[2:, place["perineural-invasion"]].tolist() == [STATED, SILENT]
    strange = tuple(replace(pair, report="Carcinoma with fibrosis.") for pair in split.test)
    assert ReportTargets.from_split(replace(split, test=strange), SMALL_FGCR).prompts == targets.prompts
    two = ReportTargets.from_split(split, replace(SMALL_FGCR, prompts=2))
    assert two.prompts == targets.prompts[:2] and two.balance.shape == (2, 2)
    off = replace(SMALL_FGCR, losses={"anchor_prompts": 0, "prompt_classes": 0})
    assert ReportTargets.from_split(split, off).prompts == ()


def test_interrupted_and_resumed_is_as_undisturbed_and_other_prompts_are_refused(
    pairs: tuple[TrainingPair, ...], undisturbed: tuple[TrainingResult, Path, list[str]], tmp_path: Path
) -> None:
    """Epochs have two steps: it stops within the second."""
    with pytest.raises(KeyboardInterrupt):
        _train(pairs, tmp_path, InterruptingReporter(3))
    split = prepare_split(pairs, SMALL_FGCR)
    targets = ReportTargets.from_split(split, SMALL_FGCR)
    others = replace(targets, prompts=targets.prompts[1:])
    with pytest.raises(ConfigurationError, match="made with other prompts"):
        run_training(TrainingData(split, others), _tower(), SMALL_FGCR, tmp_path, SilentReporter())
    result = _train(pairs, tmp_path)
    assert _rows(tmp_path) == _rows(undisturbed[1])
    for name, tensor in undisturbed[0].state.items():
        torch.testing.assert_close(result.state[name], tensor, rtol=0, atol=1e-6, msg=name)
    assert result.test.after.losses == pytest.approx(undisturbed[0].test.after.losses, abs=1e-6)


def _learner(pairs: Sequence[TrainingPair]) -> tuple[Learner, Batch]:
    settings = replace(SMALL_FGCR, losses=dict(zip(LOSSES, WEIGHTS, strict=True)))
    targets = ReportTargets.from_split(prepare_split(pairs, settings), settings)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = SlideTextModel(settings.architecture(24), _tower(), 1, 0.0)
        learner = Learner(model, build_objective(model, settings, targets), settings.losses["contrastive"])
    some = [*pairs[:5], *pairs[-4:]]
    with BagLoader(16, 0, 0, 1) as loader:
        batch = Batch(loader.batch(some, 1), tuple(pair.report for pair in some), targets.find(some), *pair_codes(some))
    return learner, batch


@pytest.mark.parametrize("micro_batch", [9, 4])
def test_losses_and_gradient_are_those_of_one_plain_pass(pairs: tuple[TrainingPair, ...], micro_batch: int) -> None:
    learner, batch = _learner(pairs)
    step = LearningStep(learner, World(0, 1, CPU), Compute(CPU, False), 0, micro_batch)
    losses = step.gradients(batch, 7)
    gradients = [parameter.grad for parameter in learner.list_trained_parameters()]
    learner.zero_gradients()
    made = learner.embed(UnreadPairs(batch.bags, batch.reports, batch.targets, 0), mix_seed(0, 7))
    own = learner.measure(made) / 9
    alike = alike_pairs(batch.cases, batch.texts)
    contrast = contrastive_loss(*made.vectors, learner.model.logit_scale, alike)
    sum(weight * loss for weight, loss in zip(WEIGHTS, (contrast, *own), strict=True)).backward()
    assert losses == pytest.approx([contrast.item(), *own.tolist()], abs=1e-5)
    assert len(gradients) == len(learner.list_trained_parameters()) > 10
    for found, parameter in zip(gradients, learner.list_trained_parameters(), strict=True):
        assert (found is None) == (parameter.grad is None)
        if found is not None:
            torch.testing.assert_close(found, parameter.grad, rtol=1e-3, atol=1e-5)


def _recalls(recalls: Sequence[RecallAtK]) -> list[tuple[object, ...]]:
    return [(r.direction, r.answer, r.k, pytest.approx(r.value, nan_ok=True)) for r in recalls]


def test_models_of_one_split_stand_side_by_side(
    pairs: tuple[TrainingPair, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Judged again, PathSearch has the figures that it had in its own training, from its own number of tiles."""
    monkeypatch.setattr("histoseek.encoders.text.registry.load_tower", lambda spec: _tower())
    monkeypatch.setattr("histoseek.encoders.text.trained.load_tower", lambda spec: _tower())
    slides, table = slides_of(pairs), tmp_path / "first.training" / "split.csv"
    first = train_slide_encoder(slides, tmp_path / "first", replace(SMALL, epochs=1, tiles=17), "tiny")
    assert first is not None and table.is_file()
    settings = replace(SMALL_FGCR, epochs=1, split=table)
    second = train_slide_encoder(slides, tmp_path / "second", settings, "tiny", compare_with=[first.path])
    assert second is not None and second.result.split.test == first.result.split.test
    assert [each.name for each in second.result.baselines] == ["pooled", "pooled and aligned", "pathsearch first"]
    again = second.result.baselines[-1].recalls
    assert _recalls(again) == _recalls(first.result.test.after.recalls)
    assert "pathsearch first, test text->slide recall@1 by pair" in json.dumps(
        [metric.name for metric in load_card(second.path).training.baselines]  # type: ignore[union-attr]
    )
    for changed, reason in (
        ({"split": None, "seed": 4}, r"has seen the patients of \d of the 6 slides of the test part"),
        ({}, "was not trained by histoseek"),
    ):
        weights = first.weights if changed else Weights(replace(first.weights.card, training=None), {})
        with pytest.raises(ConfigurationError, match=reason) as caught:
            train(slides, "tiny", replace(settings, **changed), tmp_path / "w", SilentReporter(), [weights])  # type: ignore[arg-type]
        assert "--compare-with first" in str(caught.value) and "\n" not in str(caught.value)


def test_a_small_text_encoder_is_trained_from_its_words_on(pairs: tuple[TrainingPair, ...], tmp_path: Path) -> None:
    settings = replace(SMALL_FGCR, epochs=1)
    trained = train_slide_encoder(slides_of(pairs), tmp_path / "mine", settings, "small")
    assert trained is not None and (tmp_path / "mine.text" / "tokenizer.json").is_file()
    text = trained.weights.card.text
    assert text is not None and text.encoder == f"transformers@{tmp_path / 'mine.text'}"
    assert "text_model.transformer.embeddings.word_embeddings.weight" in trained.weights.tensors
    assert trained.result.notes == ()


def test_bad_input_is_refused_before_training(pairs: tuple[TrainingPair, ...], tmp_path: Path) -> None:
    plain = [replace(pair, report=f"Block {i % 3} was seen.") for i, pair in enumerate(pairs)]
    with pytest.raises(NoPrompts, match="no term of the vocabulary") as caught:
        _train(plain, tmp_path / "plain")
    assert "\n" not in str(caught.value)
    bag = load_pair_bag(pairs[7])
    lost = tmp_path / f"{pairs[7].slide_id}.h5"
    write_features(replace(bag, coords=np.full_like(bag.coords, -1)), lost)
    with pytest.raises(InputError, match=rf"{pairs[7].slide_id}: its features have no coordinates") as refused:
        _train([*pairs[:7], replace(pairs[7], bag=lost), *pairs[8:]], tmp_path / "lost")
    assert "\n" not in str(refused.value) and not (tmp_path / "lost" / "checkpoint.pt").exists()


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"model": "fgcr", "losses": {"diversity": 1.0}}, "loss diversity: this model has no such loss. It has contr"),
        ({"losses": {"masked_words": 0.0}}, "loss masked_words: this model has no such loss"),
        ({"losses": {"diversity": -1.0}}, "loss diversity=-1: must not be negative"),
        ({"model": "fgcr", "losses": dict.fromkeys(LOSSES, 0.0)}, "all switched off"),
        ({"sizes": {"depth": 3}}, "size depth: this model has no such size. It has heads, gate_dimension"),
        ({"model": "fgcr", "sizes": {"depth": 2.5}}, "size depth=2.5: is not a whole number"),
        ({"model": "fgcr", "sizes": {"depth": (2, 3)}}, "is not a whole number"),
        ({"model": "fgcr", "prompts": 0}, "prompts=0: must be at least 1"),
        ({"prompts": 4}, "pathsearch has no prompts"),
        ({"text_layers": -2}, "text_layers=-2"),
    ],
)
def test_settings_that_a_model_does_not_have_are_refused(given: dict[str, object], reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason) as caught:
        TrainingSettings(**given)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_settings_that_are_not_given_are_those_of_the_model() -> None:
    pathsearch, fgcr = TrainingSettings(), TrainingSettings(model="fgcr", sizes={"scales": 9})
    assert (pathsearch.batch, pathsearch.dimension, pathsearch.losses["diversity"]) == (256, 768, 1.0)
    assert (fgcr.batch, fgcr.dimension, fgcr.learning_rate, fgcr.sizes["scales"]) == (28, 256, 3e-4, (9,))
    with pytest.raises(UnknownEncoder, match="pathsearch, fgcr"):
        TrainingSettings(model="titan")


def test_without_a_loss_it_is_not_computed_and_has_no_parameters(
    pairs: tuple[TrainingPair, ...], tmp_path: Path
) -> None:
    result = _train(pairs, tmp_path, epochs=1, losses={"token_alignment": 0, "anchor_prompts": 0, "prompt_classes": 0})
    assert result.prompts == ()
    assert [name for name, loss in result.test.after.losses.items() if loss] == ["contrastive", "masked_words"]
