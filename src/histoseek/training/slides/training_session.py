"""One training from beginning to end: build, train, and score the best weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import Tensor

from histoseek.encoders.devices import thread_count
from histoseek.encoders.text.tower import TextTower
from histoseek.errors import ConfigurationError
from histoseek.progress import Reporter, SilentReporter
from histoseek.settings import get_settings
from histoseek.training.checkpoint import Identity, hash_parts
from histoseek.training.compute import Compute, choose_compute
from histoseek.training.loop import TrainingLoop, WorkFolder
from histoseek.training.progress import Progress
from histoseek.training.slides.data.loader import BagLoader
from histoseek.training.slides.data.targets import ReportTargets, TrainingData
from histoseek.training.slides.evaluation.baselines import Floats, judge_baselines
from histoseek.training.slides.evaluation.comparison import NOTHING_BESIDE, Beside, judge_weights, require_comparable
from histoseek.training.slides.evaluation.evaluator import Evaluator, PartScore
from histoseek.training.slides.history import EpochRow
from histoseek.training.slides.learning.distributed import World, join_world
from histoseek.training.slides.learning.learner import Learner, keep_weights
from histoseek.training.slides.learning.model import SlideTextModel
from histoseek.training.slides.objectives.build import build_objective
from histoseek.training.slides.recipes import CONTRASTIVE, find_recipe
from histoseek.training.slides.result import BeforeAfter, TrainingResult
from histoseek.training.slides.settings import TrainingSettings
from histoseek.training.slides.task import SlideTask
from histoseek.training.split import Split
from histoseek.training.split_table import format_split

_FREE = ("micro_batch", "device", "precision", "checkpoint_steps", "memory_mb", "split")
"""Settings that may change on the way: they decide how it is computed, not what."""


def run_training(
    data: TrainingData,
    tower: TextTower,
    settings: TrainingSettings,
    work: Path,
    reporter: Reporter,
    beside: Beside = NOTHING_BESIDE,
) -> TrainingResult:
    """Train and score, in all processes of the world. Raises as `train` does."""
    split = data.split
    compute = choose_compute(settings.device, settings.precision)
    truncated = tower.count_truncated([pair.report for pair in data.pairs])
    threads = thread_count(get_settings())
    if get_settings().threads:
        torch.set_num_threads(threads)
    world = join_world(compute.device)
    with BagLoader(settings.tiles, settings.seed, settings.memory_mb * 2**20, threads) as loader:
        compute = Compute(world.device, compute.bf16)
        _require_fit(data, settings, beside, loader, world)
        learner = _build_learner(tower, data.targets, settings, loader.dimension(split.train[0]), compute)
        start = learner.collect_trained_state()
        identity = identify_training(settings, data, f"{tower.card.name} {tower.card.version} {tower.weights_hash}")
        watched = reporter if world.first else SilentReporter()
        task = SlideTask(learner, data, loader, settings, world, compute)
        loop = TrainingLoop(task, settings, WorkFolder(work), identity, watched, writes=world.first)
        progress = loop.run()
        evaluator = Evaluator(loader, data.targets, world, compute, settings.seed)
        states = (start, progress.best_weights)
        scores = [_scores(evaluator, learner, state, split, progress.micro_batch) for state in states]
        texts = _embed_untrained(evaluator, learner, start, data, progress.micro_batch)
        others = [
            judge_weights(weights, split, world, compute, settings.seed, progress.micro_batch)
            for weights in beside.weights
        ]
    result = _result(learner, tower, truncated, data, settings, progress, scores)
    baselines = judge_baselines(split, texts, settings.seed, beside.centre)
    return replace(result, baselines=(*baselines, *others))


def _require_fit(
    data: TrainingData, settings: TrainingSettings, beside: Beside, loader: BagLoader, world: World
) -> None:
    """Raise ConfigurationError or InputError where a training would fail, or mislead, in the end."""
    if settings.batch < world.size:
        what = f"smaller than the {world.size} processes"
        raise ConfigurationError(f"batch={settings.batch}", what, "Start fewer processes, or take a larger batch")
    for weights in beside.weights:
        require_comparable(weights, data.split, beside.features, loader.dimension(data.split.train[0]))
    if find_recipe(settings.model).needs_places:
        loader.require_places(data.pairs)


def identify_training(settings: TrainingSettings, data: TrainingData, text_encoder: str) -> Identity:
    """What a training is; the pairs' reports enter as a hash, their feature files by slide id only, a given split as
    what it says and not as where it lies, prompts with what the reports say of them."""
    chosen = {name: value for name, value in asdict(settings).items() if name not in _FREE}
    if settings.split is not None:
        chosen["split"] = format_split(data.split)
    ids = sorted((pair.slide_id, pair.case_id, pair.patient_id, pair.diagnosis, pair.report) for pair in data.pairs)
    parts = {"settings": hash_parts(chosen), "pairs": hash_parts(ids), "text_encoder": text_encoder}
    targets = data.targets
    said = [(prompt.concept_id, prompt.text) for prompt in targets.prompts]
    rows = sorted((report, row.tolist()) for report, row in targets.rows.items())
    return {"kind": "slides", **parts, "prompts": hash_parts([said, rows])}


def _build_learner(
    tower: TextTower, targets: ReportTargets, settings: TrainingSettings, input_dimension: int, compute: Compute
) -> Learner:
    with compute.seed_random(settings.seed, 0, 0):
        model = SlideTextModel(settings.architecture(input_dimension), tower, settings.text_layers, settings.dropout)
        objective = build_objective(model, settings, targets)
    return Learner(model.to(compute.device), objective.to(compute.device), settings.losses[CONTRASTIVE])


def _scores(
    evaluator: Evaluator, learner: Learner, state: Mapping[str, Tensor], split: Split, chunk: int
) -> tuple[PartScore, PartScore]:
    """Scores of the validation and the test part with these weights."""
    learner.load_trained_state(state)
    return evaluator.score(learner, split.validation, chunk), evaluator.score(learner, split.test, chunk)


def _embed_untrained(
    evaluator: Evaluator, learner: Learner, start: Mapping[str, Tensor], data: TrainingData, chunk: int
) -> Floats:
    """Vectors of the reports of all parts by the text encoder that training began with."""
    learner.load_trained_state(start)
    return evaluator.embed_reports(learner.model, data.pairs, chunk)


def _result(
    learner: Learner,
    tower: TextTower,
    truncated: int,
    data: TrainingData,
    settings: TrainingSettings,
    progress: Progress[EpochRow],
    scores: Sequence[tuple[PartScore, PartScore]],
) -> TrainingResult:
    (validation_before, test_before), (validation_after, test_after) = scores
    stopped = progress.epoch <= settings.epochs
    guessed = sum(not pair.patient_known for pair in data.pairs)
    unsafe = f"{guessed} pairs have no patient id: their cases count as patients, who may be in several parts"
    notes = [
        *([unsafe] if guessed else []),
        *learner.objective.notes,
        *progress.notes,
        *([f"{truncated} reports are longer than the text encoder reads, and were cut"] if truncated else []),
        *([f"stopped early: no better validation recall in {settings.patience} epochs"] if stopped else []),
    ]
    return TrainingResult(
        state=keep_weights(progress.best_weights),
        architecture=learner.model.architecture,
        text_encoder=tower.card.name,
        text_weights=tower.weights_hash,
        settings=replace(settings, losses=learner.weights),
        split=data.split,
        prompts=data.targets.prompts,
        best_epoch=progress.best_epoch,
        epochs=len(progress.rows),
        validation=BeforeAfter(validation_before, validation_after),
        test=BeforeAfter(test_before, test_after),
        truncated_reports=truncated,
        notes=tuple(notes),
    )
